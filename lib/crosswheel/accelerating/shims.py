"""Writes the shims: programs with the names of those container programs that are in PATH."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from crosswheel.accelerating import shim

PROGRAMS = ("docker", "podman")


def write_shims(folder: Path, address: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Write them into the folder; return the environment in which they are found first.

    A program that is not in PATH does not appear to exist.
    """
    folder.mkdir()
    path = environ.get("PATH", "")
    for name in PROGRAMS:
        if real := shutil.which(name, path=path):
            words = [sys.executable, "-IS", shim.__file__, str(address), str(Path(real).absolute())]
            script = folder / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            script.chmod(0o755)
    return {**environ, "PATH": f"{folder}:{path}"}
