"""Reads untrusted zip archives.

A zip archive states everything twice: in a header before each member, and in a directory at its end. Some installers
use the headers, others the directory, so if they differ, other files are installed than were checked. `zipfile` only
reads the directory, and the set of archives that it refuses changes between Pythons. This module reads both, in the
same way on every Python, and returns inconsistencies as doubts.

Beyond these limits AuditFailed is raised before time or memory is spent: a directory of 32 MiB, 100 000 members, 8
million characters in their names, and unpacked the larger of 256 MiB and fifty times the file. Members that share
bytes are not unpacked, because few bytes could make any number of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from crosswheel.errors import AuditFailed
from crosswheel.system.budget import Budget, Deadline, OverBudget

try:
    from zlib_ng import zlib_ng as zlib  # unpacks in half of the time
except ImportError:  # pragma: no cover - it has no wheel for this Python or this machine
    import zlib  # type: ignore[no-redef]

MEMBERS = 100_000
NAMES = 8_000_000
DIRECTORY = 32 << 20
UNPACKED = 256 << 20
READING = 600.0
"""Seconds for reading one archive; a normal one of some gigabytes takes half a minute."""
RATIO = 50
"""The largest ratio of unpacked size to archive size; the package index has such a limit too."""

_BLOCK = 1 << 20
_LONGEST_COMMENT = 0xFFFF
_FULL = {2: 0xFFFF, 4: 0xFFFFFFFF}  # the marker in a field too small for its value (ZIP64)
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800  # flags
_STORED, _DEFLATED = 0, 8
_METHODS = {9: "deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075  # extra fields
_MOST_EXTRAS = 16
_UNIX = 3

# The fixed parts of the headers (PKWARE's APPNOTE.TXT, 4.3).
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s2B5H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_LOCATOR_MAGIC, _END64_MAGIC, _DESCRIPTOR_MAGIC = b"PK\6\7", b"PK\6\6", b"PK\7\x08"


class Unreadable(ValueError):  # noqa: N818 - reads as what it is
    """A member that cannot be unpacked, or not by every installer."""


class _BadZip(ValueError):  # noqa: N818
    """The file is not a zip archive, is truncated, or contradicts itself."""


@dataclass(frozen=True)
class Doubt:
    """An ambiguity in the archive; `member` is empty if it concerns the whole archive."""

    found: str
    expected: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A member in the directory; its header is at the offset `start`, and `mode` is the Unix mode, or 0."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    start: int
    mode: int
    moment: int
    comment: int = 0
    other_name: str = ""

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")

    @property
    def time(self) -> datetime | None:
        """The time in the builder's unknown time zone; None for an invalid date."""
        date, clock = divmod(self.moment, 1 << 16)
        try:
            return datetime(  # noqa: DTZ001 - the format has no time zone
                1980 + (date >> 9), date >> 5 & 15, date & 31, clock >> 11, clock >> 5 & 63, (clock & 31) * 2
            )
        except ValueError:
            return None


@dataclass(frozen=True)
class Archive:
    """A zip archive read from its directory at the offset `directory`; `shift` bytes precede the archive."""

    path: Path
    entries: tuple[ZipEntry, ...]
    directory: int
    shift: int = 0
    odd_end: tuple[Doubt, ...] = field(default=(), repr=False)
    deadline: Deadline = field(default_factory=lambda: Deadline(READING), repr=False, compare=False)

    @cached_property
    def files(self) -> Mapping[str, ZipEntry]:
        """The files by name; of two with one name the later one, which installers use."""
        return {entry.name: entry for entry in self.entries if not entry.is_folder}

    @property
    def unpacked(self) -> int:
        return sum(entry.size for entry in self.entries)

    @cached_property
    def shared(self) -> frozenset[ZipEntry]:
        """Members that begin inside the bytes of an earlier member."""
        found = set()
        last: ZipEntry | None = None
        for entry in sorted(self.entries, key=lambda entry: (entry.start, entry.packed)):
            if last and entry.start < last.start + _LOCAL.size + last.packed:
                found.add(entry)
            if last is None or entry.start + entry.packed > last.start + last.packed:
                last = entry
        return frozenset(found)

    def read(self, entry: ZipEntry) -> bytes:
        with self.path.open("rb") as stream:
            return b"".join(unpack(stream, entry))

    def unpack(self, stream: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
        """Unpack a member in blocks, like the function `unpack`; raises Unreadable for a member that shares bytes."""
        if entry in self.shared:
            raise Unreadable("not unpacked: it shares bytes with another member")
        for block in unpack(stream, entry):
            self.deadline.check()
            yield block

    @cached_property
    def doubts(self) -> tuple[Doubt, ...]:
        with self.path.open("rb") as stream:
            return (*self.odd_end, *_doubts(stream, self))


def open_archive(path: Path) -> Archive:
    """Read the directory only. Raises AuditFailed for an invalid zip archive or one beyond the limits."""
    try:
        _check_kind(path)
        with path.open("rb") as stream:
            archive = _open(path, stream)
    except (_BadZip, OverBudget, OSError) as error:
        raise AuditFailed(f"{path.name} cannot be read as a zip archive: {error}") from error
    size = path.stat().st_size
    if archive.unpacked > max(UNPACKED, RATIO * size):
        raise AuditFailed(
            f"{path.name} is not unpacked: {size} bytes would become {archive.unpacked}, which is a zip bomb",
            hint="build the wheel without such a file; the package index refuses it too",
        )
    return archive


def _check_kind(path: Path) -> None:
    """Raise AuditFailed unless it is a regular file: a pipe could block, and a device may have no end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise _BadZip("it is not a file but a pipe, a socket or a device")


def unpack(stream: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    """Yield the content of a member in blocks of at most 1 MiB; size and CRC-32 are checked after the last."""
    if entry.flags & _ENCRYPTED:
        raise Unreadable("encrypted")
    if entry.method not in {_STORED, _DEFLATED}:
        raise Unreadable(f"compressed by {_METHODS.get(entry.method, f'method {entry.method}')}")
    size = crc = 0
    for block in _inflated(_packed(stream, entry)) if entry.method == _DEFLATED else _packed(stream, entry):
        size += len(block)
        crc = zlib.crc32(block, crc)
        if size > entry.size:
            break
        yield block
    if size != entry.size:
        raise Unreadable(f"{'more' if size > entry.size else 'less'} than its {entry.size} bytes")
    if crc != entry.crc:
        raise Unreadable(f"CRC-32 {crc:08x} instead of {entry.crc:08x}")


def _packed(stream: BinaryIO, entry: ZipEntry) -> Iterator[bytes]:
    header = _header(stream, entry.start)
    if header is None:
        raise Unreadable("no header where the directory says")
    *_, name, extra = header
    stream.seek(entry.start + _LOCAL.size + name + extra)
    left = entry.packed
    while left and (block := stream.read(min(left, _BLOCK))):
        left -= len(block)
        yield block
    if left:
        raise Unreadable(f"the archive ends {left} bytes too early")


def _inflated(blocks: Iterator[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for packed in blocks:
            rest = packed
            while rest and not inflate.eof:
                yield inflate.decompress(rest, _BLOCK)
                rest = inflate.unconsumed_tail
            if inflate.unused_data or (rest and inflate.eof):
                raise Unreadable("other bytes after its compressed data")
        while not inflate.eof and (block := inflate.decompress(b"", _BLOCK)):
            yield block
    except zlib.error as error:  # type: ignore[misc]  # the stub calls it a value
        raise Unreadable(str(error)) from error
    if not inflate.eof:
        raise Unreadable("its compressed data ends too early")


# ---- the directory --------------------------------------------------------------------------------------------


def _open(path: Path, stream: BinaryIO) -> Archive:
    end, count, size, offset, odd = _end(stream)
    directory = end - size
    if directory < offset:
        raise _BadZip("its directory is not where it should be")
    if size > DIRECTORY:
        raise _BadZip(f"its directory has {size} bytes, the limit is {DIRECTORY}")
    stream.seek(directory)
    shift = directory - offset
    entries = tuple(_entries(stream.read(size), shift, directory))
    if shift:
        odd.append(Doubt(f"{_many(shift, 'byte')} before the archive", "only the archive"))
    if len(entries) != count:
        odd.append(Doubt(f"a directory of {_many(len(entries), 'member')}", f"{count}, as the end of the archive says"))
    return Archive(path, entries, directory, shift, tuple(odd))


def _end(stream: BinaryIO) -> tuple[int, int, int, int, list[Doubt]]:
    """The end of the directory, its number of entries, size and offset, and doubts about them."""
    length = stream.seek(0, 2)
    stream.seek(max(0, length - _END.size - _LONGEST_COMMENT))
    tail = stream.read()
    at = tail.rfind(_END_MAGIC)
    if at < 0 or at + _END.size > len(tail):
        raise _BadZip("it has no end of the directory")
    _, disk, first_disk, _, count, size, offset, comment = _END.unpack_from(tail, at)
    odd = []
    if behind := len(tail) - at - _END.size - comment:
        what = f"{behind} bytes after the archive" if behind > 0 else f"a comment that ends {-behind} bytes too early"
        odd.append(Doubt(what, "only the archive"))
    if _has_other_end(tail, at):
        odd.append(Doubt("two ends of the directory", "one"))
    start = length - len(tail) + at
    big = _end64(stream, start)
    if big:
        small = ((count, 2, big[1]), (size, 4, big[2]), (offset, 4, big[3]))
        if any(value not in {_FULL[width], large} for value, width, large in small):
            odd.append(Doubt("two ends of the directory (ZIP64) that differ", "the same numbers in both"))
        start, count, size, offset = big
    elif disk or first_disk:
        raise _BadZip("it is one part of a split archive")
    return start, count, size, offset, odd


def _has_other_end(tail: bytes, at: int) -> bool:
    """Whether another end record would be found by readers that search for one whose comment ends the file."""
    other = tail.find(_END_MAGIC)
    while 0 <= other < at:
        if other + _END.size + _END.unpack_from(tail, other)[-1] == len(tail):
            return True
        other = tail.find(_END_MAGIC, other + 1)
    return False


def _end64(stream: BinaryIO, end: int) -> tuple[int, int, int, int] | None:
    if end < _LOCATOR.size:
        return None
    stream.seek(end - _LOCATOR.size)
    if _LOCATOR.unpack(stream.read(_LOCATOR.size))[0] != _LOCATOR_MAGIC:
        return None
    start = end - _LOCATOR.size - _END64.size
    if start >= 0:
        stream.seek(start)
        magic, _, _, _, _, _, _, count, size, offset = _END64.unpack(stream.read(_END64.size))
        if magic == _END64_MAGIC:
            return start, count, size, offset
    raise _BadZip("its ZIP64 end of the directory is not where it should be")


def _entries(directory: bytes, shift: int, end: int) -> Iterator[ZipEntry]:
    at = number = 0
    letters = Budget(NAMES, "letters in the names of its members")
    while at < len(directory):
        if len(directory) - at < _CENTRAL.size or not directory.startswith(_CENTRAL_MAGIC, at):
            raise _BadZip("its directory is damaged")
        _, _, system, _, flags, method, clock, date, crc, *more = _CENTRAL.unpack_from(directory, at)
        packed, size, name, extra, comment, _, _, attributes, start = more
        at += _CENTRAL.size
        following = at + name + extra + comment
        number += 1
        if following > len(directory):
            raise _BadZip("its directory is damaged")
        if number > MEMBERS:
            raise _BadZip(f"it has more than {MEMBERS} members, which is the limit")
        text = _text(directory[at : at + name], flags)
        letters.spend(len(text))
        extras = _extras(directory[at + name : at + name + extra])
        size, packed, start = _widened(extras, size, packed, start)
        yield ZipEntry(
            name=text,
            flags=flags,
            method=method,
            crc=crc,
            packed=packed,
            size=size,
            start=min(start + shift, end),
            mode=attributes >> 16 if system == _UNIX else 0,
            moment=date << 16 | clock,
            comment=comment,
            other_name=_other_name(extras),
        )
        at = following


def _text(name: bytes, flags: int) -> str:
    """Decode a name like `zipfile`, but with invalid bytes as escapes, and with NUL."""
    return name.decode("utf-8" if flags & _UTF8 else "cp437", "backslashreplace")


def _extras(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(_MOST_EXTRAS):
        if at + 4 > len(data):
            break
        kind, length = struct.unpack_from("<HH", data, at)
        found.setdefault(kind, data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


def _widened(extras: Mapping[int, bytes], *values: int) -> tuple[int, ...]:
    """The values with those too large for four bytes taken from the ZIP64 field, in header order."""
    wide, at = extras.get(_ZIP64, b""), 0
    found = list(values)
    for number, value in enumerate(values):
        if value == _FULL[4] and at + 8 <= len(wide):
            (found[number],) = struct.unpack_from("<Q", wide, at)
            at += 8
    return tuple(found)


def _other_name(extras: Mapping[int, bytes]) -> str:
    """The name in an extra field, after a version and a CRC-32."""
    return extras.get(_UNICODE_PATH, b"")[5:].decode("utf-8", "backslashreplace")


# ---- the headers before the members ---------------------------------------------------------------------------


def _header(stream: BinaryIO, start: int) -> tuple[int, ...] | None:
    stream.seek(start)
    data = stream.read(_LOCAL.size)
    return _LOCAL.unpack(data)[1:] if len(data) == _LOCAL.size and data.startswith(_LOCAL_MAGIC) else None


def _doubts(stream: BinaryIO, archive: Archive) -> Iterator[Doubt]:
    end, described_late = archive.shift, []
    for entry in sorted(archive.entries, key=lambda entry: entry.start):
        header = _header(stream, entry.start)
        if header is None:
            yield Doubt("no header where the directory says", "a header before each member", entry.name)
            continue
        if entry.start < end:
            yield Doubt("bytes shared with another member", "separate bytes", entry.name)
        if entry.start > end:
            yield Doubt(f"{entry.start - end} bytes before it that are in no member", "only members", entry.name)
        *_, name, extra = header
        rest = stream.read(name + extra)
        yield from _differences(entry, header, rest)
        end = max(end, entry.start + _LOCAL.size + name + extra + entry.packed)
        if header[1] & _DESCRIPTOR:
            described_late.append(entry.name)
            end += _descriptor(stream, min(end, archive.directory), entry)
    if end != archive.directory:
        gap = archive.directory - end
        which = f"that {'is' if gap == 1 else 'are'} in no member"
        yield Doubt(f"{_many(gap, 'byte')} before the directory {which}", "only members")
    if described_late:
        # The length of such a member follows only from its content, which may contain a false end.
        behind = "behind it" if len(described_late) == 1 else "behind them"
        what = f"{_many(len(described_late), 'member')} whose size stands {behind} (data descriptors)"
        yield Doubt(what, "sizes in the header before each member", described_late[0])


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _differences(entry: ZipEntry, header: tuple[int, ...], rest: bytes) -> Iterator[Doubt]:
    _, flags, method, _, _, crc, packed, size, name, _ = header
    extras = _extras(rest[name:])
    size, packed = _widened(extras, size, packed)
    inner = _text(rest[:name], flags)
    stated = {
        "name": (inner, entry.name),
        "name in an extra field": (_other_name(extras) or entry.name, entry.name),
        "compression": (method, entry.method),
        "encryption": (flags & _ENCRYPTED, entry.flags & _ENCRYPTED),
    }
    if not flags & _DESCRIPTOR:
        stated |= {"CRC-32": (crc, entry.crc), "packed size": (packed, entry.packed), "size": (size, entry.size)}
    if entry.other_name:
        stated["name in an extra field of the directory"] = (entry.other_name, entry.name)
    for what, (found, expected) in stated.items():
        if found != expected:
            yield Doubt(f"{what} {found} in its header", f"{expected}, as the directory says", entry.name)
    if entry.comment:
        yield Doubt(f"a comment of {entry.comment} bytes", "no comment", entry.name)
    if entry.is_folder and entry.size:
        yield Doubt(f"a folder of {entry.size} bytes", "folders without content", entry.name)


def _descriptor(stream: BinaryIO, at: int, entry: ZipEntry) -> int:
    """The length of the data descriptor after a member: with or without signature, sizes of four or eight bytes."""
    stream.seek(at)
    data = stream.read(24)
    for sizes in ("II", "QQ"):
        plain = struct.pack(f"<I{sizes}", entry.crc, *_clipped(entry, sizes))
        for form in (_DESCRIPTOR_MAGIC + plain, plain):
            if data.startswith(form):
                return len(form)
    return 0


def _clipped(entry: ZipEntry, sizes: str) -> tuple[int, int]:
    limit = _FULL[4] if sizes == "II" else 1 << 63
    return min(entry.packed, limit), min(entry.size, limit)
