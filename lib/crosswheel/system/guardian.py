"""Ends what a run has started, once that run is no more: ``python guardian.py MARK``, whose input the run holds open.

A run that is killed ends nothing any more. PR_SET_PDEATHSIG (prctl(2)) would reach its children only, and a build's
compilers are their children; it goes by threads, and our jobs are threads. The mark in the environment of all that a
run has started reaches them all, and whatever shares a session with one of them.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

MARK = "CROSSWHEEL_COMMAND"
"""The variable by which whatever a command started can be told from everything else."""

_LOOKS = 40  # at most: processes start others while they are ended
_PAUSE = 0.05


def marked(beginning: str) -> Iterator[int]:
    """Processes whose mark begins so (proc(5)); others' and such as end meanwhile are passed over."""
    wanted = f"{MARK}={beginning}".encode()
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
            if any(entry.startswith(wanted) for entry in file.read().split(b"\0")):
                yield int(name)


def _with_their_sessions(processes: set[int]) -> set[int]:
    """Where a command leads a session, also what in it has another environment."""
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
    # A run that ends in order says so, for it has ended what it started.
    if not os.read(0, 1):
        end_all(mark)


if __name__ == "__main__":
    main(sys.argv[1])
