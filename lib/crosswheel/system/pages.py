"""Pages of an index, and other documents in JSON or HTML that nobody vouches for: as long as honest ones are.

Of each value and each tag an object is made, many times as large as its text: they are counted before any is.
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
"""Of 40 000 files, each of which takes 14 in JSON; a tag of HTML counts for five."""
_PATIENCE = 300.0
_WEIGHTS = {b"[": 1, b"{": 1, b",": 1, b"<": 5}


@dataclass(frozen=True)
class Measure:
    """Of one document, which may come in blocks."""

    _size: Budget = field(default_factory=lambda: Budget(LONGEST, "bytes"))
    _pieces: Budget = field(default_factory=lambda: Budget(PIECES, "values or tags"))
    _deadline: Deadline = field(default_factory=lambda: Deadline(_PATIENCE))

    def take(self, block: bytes) -> bytes:
        """The same block. Raises OverBudget."""
        self._deadline.check()
        self._size.spend(len(block))
        self._pieces.spend(sum(weight * block.count(mark) for mark, weight in _WEIGHTS.items()))
        return block


class BoundedBody:
    """The body of a response as urllib3 has it, for `requests` to read to its end; everything else is asked of it."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
        yield from map(Measure().take, self._raw.stream(amount, decode_content=decode_content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def read_json(path: Path) -> Any:
    """Raises ValueError for what is no JSON, or too much of it."""
    with path.open("rb") as file:
        text = Measure().take(file.read(LONGEST + 1))
    try:
        return json.loads(text)
    except RecursionError:
        raise OverBudget("it is nested too deeply") from None
