"""The facts of one member of a wheel, from reading it once."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import itertools
import mmap
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from crosswheel.formats.credentials import LARGEST, credentials_in
from crosswheel.formats.elf import MAGIC, BadElf, Elf, read_elf, symbols_of_a_wheel
from crosswheel.formats.extensions import EXTENSION_SUFFIX
from crosswheel.formats.zips import Unreadable, ZipEntry
from crosswheel.system.budget import Budget, OverBudget

_LARGEST_IN_MEMORY = 32 << 20
_MOST_BINARIES = 5_000


@dataclass(frozen=True)
class Row:
    """A row of RECORD: the digest, such as ``sha256=...``, and the size; either may be empty."""

    path: str
    digest: str = ""
    size: str = ""


@dataclass(frozen=True)
class Content:
    """The facts from reading a member once; its bytes are not kept."""

    row: Row
    elf: Elf | BadElf | None
    credentials: str = ""


@dataclass(frozen=True)
class Budgets:
    """Limits for all binaries of a wheel together: more than twice what the largest known wheels need."""

    binaries: Budget = field(default_factory=lambda: Budget(_MOST_BINARIES, "binaries"))
    symbols: Budget = field(default_factory=symbols_of_a_wheel)


def read_content(blocks: Iterator[bytes], entry: ZipEntry, algorithm: str, budgets: Budgets) -> Content | Unreadable:
    """Read a member to its end: its row of RECORD by this hash algorithm, its binary if it is one, and credentials."""
    # "The hash algorithm must be sha256 or better": any other algorithm makes the digests differ on purpose.
    algorithm = algorithm if algorithm in {"sha256", "sha384", "sha512"} else "sha256"
    digest = hashlib.new(algorithm)
    try:
        first = next(blocks, b"")
        is_elf = first.startswith(MAGIC) or EXTENSION_SUFFIX.search(entry.name)
        with _copy(entry) if is_elf else contextlib.nullcontext() as copy:
            for block in itertools.chain([first], blocks):
                digest.update(block)
                if copy:
                    copy.write(block)
            elf = _elf(copy, budgets) if copy else None
    except Unreadable as error:
        return Unreadable(str(error))
    credentials = credentials_in(entry.name, first) if not is_elf and entry.size <= LARGEST else ""
    text = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode("ascii")
    return Content(Row(entry.name, f"{algorithm}={text}", str(entry.size)), elf, credentials)


def _copy(entry: ZipEntry) -> BinaryIO:
    """A copy of a library for random access; a large one goes to a temporary file."""
    return io.BytesIO() if entry.size <= _LARGEST_IN_MEMORY else cast("BinaryIO", tempfile.TemporaryFile())


def _elf(copy: BinaryIO, budgets: Budgets) -> Elf | BadElf:
    copy.flush()
    try:
        budgets.binaries.spend(1)
        if isinstance(copy, io.BytesIO):
            return read_elf(copy.getvalue(), budgets.symbols)
        return read_elf(mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ), budgets.symbols)
    except (BadElf, OverBudget) as error:
        return BadElf(str(error))  # without the traceback, which would keep the bytes in memory
