"""Hides secrets of this process from builds, which run as the same user.

Passwords are passed in the environment, and the initial environment of a process is readable in /proc (proc(5)). If
this process is root's, this is no protection, because the kernel does not separate root's processes.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from crosswheel.system.guardian import MARK

_PR_SET_DUMPABLE = 4  # prctl(2)
_ENV_START, _ENV_END = 49, 50  # index of a field in /proc/self/stat, from 0


def conceal() -> None:
    """Make this process's memory unreadable for others, and erase its initial environment.

    os.environ stays as it is, for this process and its children.
    """
    # Without /proc nothing can be read there either.
    with suppress(OSError, ValueError, IndexError):
        _clear_first_environment()
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _clear_first_environment() -> None:
    fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    start, end = (int(fields[at - 2]) for at in (_ENV_START, _ENV_END))
    if not 0 < start < end:
        return
    # The C library keeps variables there until they are set again, then elsewhere.
    for name, value in os.environ.items():
        os.putenv(name, value)
    at = start
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        if not entry.startswith(f"{MARK}=".encode()):  # by which our parent process finds us
            ctypes.memset(at, 0, len(entry))
        at += len(entry) + 1
