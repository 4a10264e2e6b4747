"""Reads untrusted tar archives.

`tarfile` reads a long name or an extended header (pax) of any stated length at once, recurses for each header before
another, and keeps all of them. Here its input ends at limits beyond any normal archive: 128 KiB of headers for one
member, folders a hundred deep, and the `Limits` of its kind.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from crosswheel.formats.zips import MEMBERS, RATIO, READING, UNPACKED
from crosswheel.system.budget import Budget, Deadline, OverBudget

_HEADERS_OF_ONE = 128 << 10
_HEADERS_OF_ALL = 64 << 20
_IN_MEMORY = 200
"""Memory of an extended header in bytes, without its text."""
_DEEPEST = 100
_STEP = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The limits of one archive: its members, the bytes of their headers, and the bytes and seconds of unpacking it.

    An archive may always unpack to fifty times its size.
    """

    members: int = MEMBERS
    headers: int = _HEADERS_OF_ALL
    unpacked: int = UNPACKED
    seconds: float = READING


_OF_A_SOURCE = Limits()


@contextmanager
def open_tar(path: Path, limits: Limits = _OF_A_SOURCE, *, whole: bool = False) -> Iterator[tarfile.TarFile]:
    """Open an archive, uncompressed or compressed by gzip, bzip2, LZMA or zstd.

    `whole` reads on behind the members at the end of the block, where `tarfile` stops: the checksum of a gzip stream is
    there. Reading may raise OverBudget (a ValueError), and the exceptions of `tarfile` and decompressors.
    """
    with path.open("rb") as packed, decompressed(packed) as stream:
        bounded = _Bounded(stream, max(limits.unpacked, RATIO * path.stat().st_size), limits.seconds)
        with _Archive(fileobj=cast("IO[bytes]", bounded), limits=limits) as archive:
            yield archive
            if whole:
                bounded.read_to_end()


class _Archive(tarfile.TarFile):
    """A tar archive that counts its headers."""

    def __init__(self, *arguments: Any, limits: Limits, **named: Any) -> None:
        self._kept = Budget(limits.headers, "bytes in the headers of its members")
        self._members = Budget(limits.members, "members")
        self._ended = False
        super().__init__(*arguments, **named)  # reads the first header

    def next(self) -> tarfile.TarInfo | None:
        if self._ended:  # after the last member, CPython 3.10 seeks in front of an empty archive
            return None
        stream = cast("_Bounded", self.fileobj)
        stream.headers = Budget(_HEADERS_OF_ONE, "bytes in the headers of one member")
        member = super().next()
        stream.headers = None
        self._ended = member is None
        if member:
            self._members.spend(1)
            headers = member.pax_headers.items()
            self._kept.spend(sum(_IN_MEMORY + len(key) + len(str(value)) for key, value in headers))
            if member.name.count("/") > _DEEPEST:
                raise OverBudget(f"it has folders more than {_DEEPEST} deep, which is the limit")
        return member


class _Bounded(io.RawIOBase):
    """The limited input of `tarfile`; `headers` is set while it looks for the next member."""

    def __init__(self, stream: IO[bytes], most: int, seconds: float) -> None:
        super().__init__()
        self.headers: Budget | None = None
        self._stream, self._place, self._furthest = stream, 0, 0
        self._unpacked = Budget(most, "bytes when it is unpacked")
        self._deadline = Deadline(seconds)

    def read(self, size: int = -1, /) -> bytes:
        if self.headers:
            self.headers.spend(size if size >= 0 else _HEADERS_OF_ONE + 1)
        data = self._stream.read(size)
        self._count(self._place + len(data))
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek; in a compressed stream the skipped bytes are read, and count."""
        while whence == 0 and offset > self._furthest + _STEP:
            before = self._furthest
            self._count(self._stream.seek(before + _STEP))
            if self._furthest < before + _STEP:
                break  # end of input
        self._count(self._stream.seek(offset, whence))
        return self._place

    def tell(self) -> int:
        return self._place

    def read_to_end(self) -> None:
        """Read what follows the members. Raises ValueError for anything but zeros."""
        while data := self._read_behind():
            if data.strip(b"\0"):
                raise ValueError("it has data behind the end of the archive")

    def _read_behind(self) -> bytes:
        try:
            return self.read(_STEP)
        except gzip.BadGzipFile as error:
            # Python's only words for bytes behind the last stream.
            if str(error).startswith("Not a gzipped file"):
                raise ValueError("it has data behind the end of its gzip stream") from error
            raise

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def _count(self, place: int) -> None:
        self._place = place
        if place > self._furthest:
            self._deadline.check()
            self._unpacked.spend(place - self._furthest)
            self._furthest = place


def decompressed(packed: IO[bytes]) -> IO[bytes]:
    """The uncompressed stream; the first bytes decide, as in `tarfile`, not the file name."""
    first = packed.read(6)
    packed.seek(0)
    if first.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=packed, mode="rb"))
    if first.startswith(b"\x28\xb5\x2f\xfd"):
        return _of_zstd(packed)
    if first.startswith(b"BZh"):
        return cast("IO[bytes]", bz2.BZ2File(packed))
    return cast("IO[bytes]", lzma.LZMAFile(packed)) if first.startswith((b"\xfd7zXZ", b"]\0\0")) else packed


def _of_zstd(packed: IO[bytes]) -> IO[bytes]:
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdFile
    else:
        from backports.zstd import ZstdFile
    return cast("IO[bytes]", ZstdFile(packed))


def damages() -> tuple[type[Exception], ...]:
    """What reading a damaged or hostile archive may raise, besides OSError."""
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdError
    else:
        from backports.zstd import ZstdError
    return ValueError, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ZstdError
