"""A file on its way, which grows until it has its sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path

_BLOCK = 1 << 20


class Partial:
    """A file that grows, with the sha256 of what it has."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        self._sha256 = hashlib.sha256()
        self.size = 0
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            self._sha256.update(block)
            self.size += len(block)

    def __enter__(self) -> Partial:  # noqa: PYI034 - Self is not in 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"

    def add(self, block: bytes) -> None:
        self._file.write(block)
        self._sha256.update(block)
        self.size += len(block)

    def restart(self) -> None:
        self._file.truncate(0)
        self._sha256, self.size = hashlib.sha256(), 0
