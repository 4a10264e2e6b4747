"""Programs of this machine's system, which tests run as an administrator would."""

from __future__ import annotations

import os
import shutil
import subprocess

_TIMEOUT = 60.0


class ProgramFailed(Exception):  # noqa: N818 - reads as what happened
    """It is not installed, or it said why it would not."""


def find_program(name: str) -> str | None:
    """Many live in sbin, which the PATH of an ordinary user leaves out."""
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]))


def run_program(name: str, *arguments: str) -> str:
    """What it printed."""
    program = find_program(name)
    if program is None:
        raise ProgramFailed(f"{name} is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    if done.returncode:
        raise ProgramFailed(f"{name} {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
