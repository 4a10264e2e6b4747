"""Ends the processes of a killed run: ``python guardian.py MARK``; the run holds its standard input open.

A killed run cannot end its processes. PR_SET_PDEATHSIG (prctl(2)) only affects direct children, not a build's
compilers, and depends on the parent thread, but our jobs are threads. The mark in the environment identifies all
processes of a run; processes that share a session with one of them are ended too.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

MARK = "CROSSWHEEL_COMMAND"
"""The environment variable that marks the processes of a command."""

_LOOKS = 40  # at most, because processes may start others meanwhile
_PAUSE = 0.05


def marked(beginning: str) -> Iterator[int]:
    """The processes whose mark has this prefix (proc(5)); those of other users, or that have ended, are skipped."""
    wanted = f"{MARK}={beginning}".encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            if any(entry.startswith(wanted) for entry in file.read().split(b"\0")):
                yield int(name)


def _with_their_sessions(processes: set[int]) -> set[int]:
    """The processes, and all others in sessions that they lead, even with another environment."""
    sessions, found = set(), set(processes)
    for number in processes:
        with suppress(OSError):
            sessions.add(os.getsid(number))
    sessions.discard(os.getsid(0))
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if os.getsid(int(name)) in sessions & processes:
                found.add(int(name))
    return found


def end_all(beginning: str) -> None:
    for _ in range(_LOOKS):
        running = _with_their_sessions(set(marked(beginning)))
        if not running:
            return
        for number in running:
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)
        time.sleep(_PAUSE)


def main(mark: str) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # A run that ends normally sends a byte: it has ended its processes itself.
    if not os.read(0, 1):
        end_all(mark)


if __name__ == "__main__":
    main(sys.argv[1])
