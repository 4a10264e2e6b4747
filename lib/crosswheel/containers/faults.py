"""Known faults of engines that cannot start any container: error text, meaning and remedy."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from crosswheel.model.targets import load_table


@dataclass(frozen=True)
class Fault:
    """A row of engine-faults.toml."""

    pattern: str
    meaning: str
    remedy: str


@functools.cache
def known_faults() -> tuple[Fault, ...]:
    return tuple(Fault(**row) for row in load_table("engine-faults.toml")["fault"])


def find_fault(said: str) -> Fault | None:
    """The known fault in an engine's error text, or None."""
    return next((fault for fault in known_faults() if re.search(fault.pattern, said, re.IGNORECASE)), None)
