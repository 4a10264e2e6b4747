"""The room on this machine for the jobs of several runs that go on at the same time in one process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from crosswheel.system.process import Processes

_POLL = 0.2  # seconds between two looks while waiting


@dataclass
class Room:
    """Seats for jobs, as many as `seats` and as `memory` (bytes) allows; the first to ask is the first to sit.

    `processes` are the commands of all runs: to stop them stops every run.
    """

    seats: int
    memory: int
    processes: Processes = field(default_factory=Processes)
    silent: dict[str, Any] = field(default_factory=dict)
    """The registries that did not answer one of the runs: the others do not wait for them again."""
    _sitting: list[int] = field(default_factory=list)
    _waiting: deque[object] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def seat(self, memory: int, look: Callable[[], None]) -> Iterator[int]:
        """A seat for a job that may need `memory` bytes; a job that needs more than there is sits alone.

        Gives the number of jobs that sit or wait, this one included, at most `seats`. `look` is called during the wait;
        its exceptions end it.
        """
        with self._changed:
            ticket = object()
            self._waiting.append(ticket)
            try:
                while self._waiting[0] is not ticket or not self._fits(memory):
                    self._changed.wait(_POLL)
                    look()
                self._sitting.append(memory)
                beside = min(self.seats, len(self._sitting) + len(self._waiting) - 1)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield beside
        finally:
            with self._changed:
                self._sitting.remove(memory)
                self._changed.notify_all()

    def _fits(self, memory: int) -> bool:
        if not self._sitting:
            return True
        return len(self._sitting) < self.seats and sum(self._sitting) + memory <= self.memory
