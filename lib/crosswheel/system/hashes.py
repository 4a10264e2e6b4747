"""Hashes of files, by which they are known and checked."""

from __future__ import annotations

import hashlib
from pathlib import Path


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_sound(kept: Path) -> bool:
    """Whether a cached file still has the sha256 in the name of its folder."""
    try:
        return sha256_of(kept) == kept.parent.name
    except OSError:
        return False
