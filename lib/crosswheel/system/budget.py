"""How much of one input is read. What is beyond was made to take the time and memory of whoever reads all of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


class OverBudget(ValueError):  # noqa: N818 - reads as what it is
    """An input that has more of something than any honest one."""


@dataclass
class Budget:
    """What may be read of an input, counted over the whole of it: parts that are small may be many."""

    limit: int
    what: str
    _spent: int = field(default=0, repr=False)

    def spend(self, amount: int) -> None:
        """Raises OverBudget, before whoever calls takes so much."""
        self._spent += amount
        if self._spent > self.limit:
            raise OverBudget(f"it has more than {self.limit} {self.what}, which is the limit")


@dataclass(frozen=True)
class Deadline:
    """Until when an input is read: a disk, a network or a program may stop half way."""

    seconds: float
    _began: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Raises OverBudget when the time is over."""
        if time.monotonic() - self._began > self.seconds:
            raise OverBudget(f"it was not read to its end in {self.seconds:.0f} seconds, which is the limit")
