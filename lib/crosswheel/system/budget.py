"""Limits for reading untrusted input, which may be made to exhaust time and memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


class OverBudget(ValueError):  # noqa: N818 - reads as what it is
    """The input exceeds a limit that no normal input reaches."""


@dataclass
class Budget:
    """A limit for one whole input, because many small parts add up."""

    limit: int
    what: str
    spent: int = field(default=0, repr=False)

    def spend(self, amount: int) -> None:
        """Count an amount before it is used. Raises OverBudget."""
        self.spent += amount
        if self.spent > self.limit:
            raise OverBudget(f"it has more than {self.limit} {self.what}, which is the limit")


@dataclass(frozen=True)
class Deadline:
    """A time limit for reading one input."""

    seconds: float
    _began: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Raise OverBudget after the time limit."""
        if time.monotonic() - self._began > self.seconds:
            raise OverBudget(f"reading it took longer than the limit of {self.seconds:.0f} seconds")
