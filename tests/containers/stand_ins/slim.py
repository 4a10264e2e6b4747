"""A stand-in for python:3.13-slim: a CPython and pip, no compilers, nothing of pypa's layout."""

from __future__ import annotations

from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.index_packages import install
from containers.stand_ins.system import SHELL, link, system, write, write_setup

# The suite's own CPython.
MINOR = 13

# Says in a layer that a file of an earlier one is gone: this image's pip may install.
_NO_MARKER = f"usr/lib/python3.{MINOR}/.wh.EXTERNALLY-MANAGED"


def slim(arch: str, layer: Path, cache: Path) -> Image:
    packages = system(arch, (*SHELL, f"python3.{MINOR}", f"python3.{MINOR}-venv"), cache)
    write_setup(layer, packages)
    for name in ("python", "python3"):
        link(layer / "usr/local/bin" / name, f"/usr/bin/python3.{MINOR}")
    install(layer / f"usr/local/lib/python3.{MINOR}/dist-packages", arch, MINOR, "pip")
    write(layer / _NO_MARKER, "")
    environ = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    return Image(arch, [packages, layer], environ, command=["python3"])
