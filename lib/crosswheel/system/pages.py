"""Reads untrusted JSON and HTML documents, such as pages of an index, within limits.

Parsers make an object of each value and tag, many times as large as its text, so they are counted before parsing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosswheel.system.budget import Budget, Deadline, OverBudget

LONGEST = 32 << 20
PIECES = 600_000
"""Enough for 40 000 files, each with 14 values in JSON; an HTML tag counts as five values."""
_PATIENCE = 300.0
_WEIGHTS = {b"[": 1, b"{": 1, b",": 1, b"<": 5}


@dataclass(frozen=True)
class Measure:
    """Counts the values of one document, which may arrive in blocks."""

    _size: Budget = field(default_factory=lambda: Budget(LONGEST, "bytes"))
    _pieces: Budget = field(default_factory=lambda: Budget(PIECES, "values or tags"))
    _deadline: Deadline = field(default_factory=lambda: Deadline(_PATIENCE))

    def take(self, block: bytes) -> bytes:
        """Count a block and return it. Raises OverBudget."""
        self._deadline.check()
        self._size.spend(len(block))
        self._pieces.spend(sum(weight * block.count(mark) for mark, weight in _WEIGHTS.items()))
        return block


class BoundedBody:
    """A body of urllib3 that counts what `requests` reads; other attributes are passed through."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
        yield from map(Measure().take, self._raw.stream(amount, decode_content=decode_content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def read_json(path: Path) -> Any:
    """Parse JSON. Raises ValueError for invalid JSON or beyond the limits."""
    with path.open("rb") as file:
        text = Measure().take(file.read(LONGEST + 1))
    try:
        return json.loads(text)
    except RecursionError:
        raise OverBudget("it is nested too deeply") from None
