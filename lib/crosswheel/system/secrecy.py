"""Keeps what this process knows from the builds that it starts, which run as the same user.

Passwords come in the environment, and everybody who may look at a process finds the environment that it was started
with (proc(5)). Our own processes and those of root are the same to the kernel where we are root: there this is no wall.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from crosswheel.system.guardian import MARK

_PR_SET_DUMPABLE = 4  # prctl(2)
_ENV_START, _ENV_END = 49, 50  # of the fields of /proc/self/stat, counted from 0


def conceal() -> None:
    """Nobody else may look into this process's memory, and the environment that it began with is no more.

    Its variables stay what they are, for this process and for those that it hands them to.
    """
    # Where there is no such /proc, nobody can look at it either.
    with suppress(OSError, ValueError, IndexError):
        _clear_first_environment()
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _clear_first_environment() -> None:
    fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    start, end = (int(fields[at - 2]) for at in (_ENV_START, _ENV_END))
    if not 0 < start < end:
        return
    # The C library has them there until they are set anew, and then elsewhere.
    for name, value in os.environ.items():
        os.putenv(name, value)
    at = start
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        if not entry.startswith(f"{MARK}=".encode()):  # by which whoever has started us finds us
            ctypes.memset(at, 0, len(entry))
        at += len(entry) + 1
