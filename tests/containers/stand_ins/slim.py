"""Stand-ins for python:3.X-slim: a CPython and pip, no compilers, nothing of pypa's layout; and for python:3.X."""

from __future__ import annotations

from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.index_packages import install
from containers.stand_ins.system import NEWEST, PYTHONS, SHELL, link, system, write, write_setup

# Says in a layer that a file of an earlier one is gone: this image's pip may install.
_NO_MARKER = "usr/lib/python3.{}/.wh.EXTERNALLY-MANAGED"


def slim(arch: str, layer: Path, cache: Path) -> Image:
    return _slim(NEWEST, arch, layer, cache)


def slim_3_11(arch: str, layer: Path, cache: Path) -> Image:
    """With the glibc of its day, 2.36."""
    return _slim(11, arch, layer, cache)


def slim_3_9(arch: str, layer: Path, cache: Path) -> Image:
    """With the glibc of its day, 2.31: wheels for later policies do not run there."""
    return _slim(9, arch, layer, cache)


def full(arch: str, layer: Path, cache: Path) -> Image:
    """With CPython's headers and git; jobs of GitLab run in python:3.X."""
    return _slim(NEWEST, arch, layer, cache, f"libpython3.{NEWEST}-dev", "git")


def _slim(minor: int, arch: str, layer: Path, cache: Path, *more: str) -> Image:
    name = f"python3.{minor}"
    packages = system(arch, (*SHELL, name, f"{name}-venv", *more), cache, PYTHONS[minor])
    write_setup(layer, packages)
    for alias in ("python", "python3"):
        link(layer / "usr/local/bin" / alias, f"/usr/bin/{name}")
    install(layer / f"usr/local/lib/{name}/dist-packages", arch, minor, "pip")
    write(layer / _NO_MARKER.format(minor), "")
    environ = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    return Image(arch, [packages, layer], environ, command=["python3"])
