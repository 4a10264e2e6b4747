"""Why an engine starts no container, whatever the image: its own words, what they mean, and what mends it."""

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
    """The fault that an engine's error shows, if it is a known one."""
    return next((fault for fault in known_faults() if re.search(fault.pattern, said, re.IGNORECASE)), None)
