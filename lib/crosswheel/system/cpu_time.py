"""The processor seconds of a piece of work: of its thread, and of the commands that the thread waited for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class CpuTime:
    """`seconds` of all processors, user and system; None if a part of the work ran where nobody measures."""

    seconds: float | None = 0.0

    def add(self, seconds: float | None) -> None:
        """Count a part; None makes the whole unknown."""
        self.seconds = None if seconds is None or self.seconds is None else self.seconds + seconds


_CURRENT: ContextVar[CpuTime | None] = ContextVar("cpu_time", default=None)


@contextmanager
def measured() -> Iterator[CpuTime]:
    """The processor time of the block, complete at its end; it counts for an outer block, too."""
    spent, outer, began = CpuTime(), _CURRENT.get(), time.thread_time()
    token = _CURRENT.set(spent)
    try:
        yield spent
    finally:
        _CURRENT.reset(token)
        if outer:
            outer.add(spent.seconds)  # what the thread itself took, the outer block measures
        spent.add(time.thread_time() - began)


def count(seconds: float | None) -> None:
    """Count a command of this thread, with all that it waited for (getrusage(2)); None if nobody measured it."""
    if spent := _CURRENT.get():
        spent.add(seconds)
