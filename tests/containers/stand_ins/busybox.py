"""The smallest image that runs commands: for tests that ask whether a container of an architecture runs at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.system import link, system

_COMMANDS = ("cat", "echo", "find", "mount", "sh", "sleep", "true", "uname")


def busybox(arch: str, layer: Path, cache: Path) -> Image:
    write_busybox(layer, arch, cache)
    return Image(arch, [layer], {"PATH": "/bin"}, command=["sh"])


def write_busybox(layer: Path, arch: str, cache: Path, *more: str) -> None:
    """With links for a few commands, and for `more`."""
    (layer / "bin").mkdir(parents=True)
    shutil.copy2(static_busybox(arch, cache), layer / "bin/busybox")
    for name in (*_COMMANDS, *more):
        link(layer / "bin" / name, "busybox")


def static_busybox(arch: str, cache: Path) -> Path:
    """A program that needs nothing but a kernel for it."""
    return system(arch, ["busybox-static"], cache) / "bin/busybox"
