"""Environments with real releases of setuptools, old and new, in which a start-up file of ours is tried."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from uv import find_uv_bin

from crosswheel.model.targets import parse_python
from crosswheel.system.interpreters import find_interpreters
from crosswheel.system.process import Processes
from crosswheel.toolchains.startup import Startup, install_startup

# Python's own distutils for one, and each of the layouts that setuptools has had for its copy.
RELEASES = [
    pytest.param("setuptools==59.8.0", id="3.10's own", marks=pytest.mark.slow),
    pytest.param("setuptools==65.5.1", id="65", marks=pytest.mark.slow),
    pytest.param("setuptools", id="newest"),
]


def interpreter_with(release: str, folder: Path, *starts: Startup) -> Path:
    """The interpreter of a new environment in `folder`; skips where there is no CPython for it."""
    found = find_interpreters(Processes(), os.environ).get(parse_python("cp310"))
    if found is None:
        pytest.skip("this machine has no CPython 3.10, the last but one with distutils")
    interpreter = folder / "bin" / "python"
    uv = [find_uv_bin(), "--quiet"]
    subprocess.run([*uv, "venv", "--python", str(found.path), str(folder), "--clear"], check=True)
    subprocess.run([*uv, "pip", "install", "--python", str(interpreter), release], check=True)
    install_startup(folder / "lib/python3.10/site-packages", *starts)
    return interpreter


def environ_for(python: Path, compiler: Path) -> dict[str, str]:
    """What its setuptools compiles with that program in."""
    environ = {"PATH": os.environ["PATH"], "CC": str(compiler), "LDSHARED": str(compiler)}
    (found,) = python.parent.parent.glob("lib/python*/site-packages/setuptools-*.dist-info")
    return {**environ, "SETUPTOOLS_USE_DISTUTILS": "stdlib"} if "59.8" in found.name else environ
