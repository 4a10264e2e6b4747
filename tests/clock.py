"""A time limit that comes as soon as what it ends has begun: on a busy machine not too early, on another not late."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

LIMIT = 60  # seconds within which it must begin


@dataclass(frozen=True)
class Clock:
    """In the place of the module `time`: all limits are over once `begun` says so."""

    begun: Callable[[], bool]

    def monotonic(self) -> float:
        return time.monotonic() + (LIMIT if self.begun() else 0)
