"""The differences between two wheels of the same job, and their likely causes.

A cause is only reported if the bytes show it: its traces are searched in both wheels and removed from both, and the
remaining differences are searched for the next cause.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from crosswheel.formats.elf import MAGIC
from crosswheel.formats.zips import Archive, ZipEntry, open_archive
from crosswheel.model.job import Difference

_SHOWN = 4
_LONGEST = 60
_BUILD_ID = ".note.gnu.build-id"
_PYC_HEADER = 16
_DAY = 86400
_MARGIN, _MOST = 1 << 12, 1 << 20

_MONTHS = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_CLOCK = rb"[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d+)?"
_MACRO = re.compile(rb"%s [ 0-3]\d \d{4}|\b%s" % (_MONTHS, _CLOCK))
_DATE = re.compile(rb"\b\d{4}-[01]\d-[0-3]\d(?:[T ]%s)?" % _CLOCK)
_SECONDS = re.compile(rb"(?<![\d.])1\d{9}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?(?![\d.])")
_TEMPORARY = re.compile(rb"/tmp/[\w./+-]+|\btmp[a-z0-9_]{8}\b|\bcc[A-Za-z0-9]{6}\.[os]\b|-[0-9a-f]{6}\.o\b")
_IDENTIFIER = re.compile(rb"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_ADDRESS = re.compile(rb"\bat 0x[0-9a-f]{6,16}\b")
_HEXADECIMAL = re.compile(rb"(?<![0-9A-Za-z])(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{12,}(?![0-9A-Za-z])")
# Each position is tried once, even if the closing quote is missing.
_LITERAL = re.compile(
    rb"""\bb(?:'(?:[^'\n\\]|\\[^x\n'])*\\x[0-9a-f]{2}[^'\n]*'|"(?:[^"\n\\]|\\[^x\n"])*\\x[0-9a-f]{2}[^"\n]*")"""
)
_NUMBER = re.compile(rb"(?<![\w.])(?:\d{12,}|\d\.\d{9,})(?![\w.])")
_WORD = re.compile(rb"[^\s,;:(){}\[\]]+")


def compare_wheels(first: Path, second: Path, first_folder: Path, second_folder: Path) -> tuple[Difference, ...]:
    """The differences; empty for identical wheels. The folders are the two build folders."""
    if first.name == second.name and first.read_bytes() == second.read_bytes():
        return ()
    comparison = _Comparison(open_archive(first), open_archive(second), (first_folder, second_folder))
    return tuple(comparison.differences())


@dataclass(frozen=True)
class _Comparison:
    first: Archive
    second: Archive
    folders: tuple[Path, Path]

    def differences(self) -> Iterator[Difference]:
        """Differences of members, then of the whole archive, which mostly follow from the members."""
        names = list(self.first.files), list(self.second.files)
        found = [*self._of_members()]
        yield from found
        if self.first.path.name != self.second.path.name:
            yield Difference("", "name", _both(self.first.path.name, self.second.path.name))
        if names[0] != names[1] and sorted(names[0]) == sorted(names[1]):
            cause = "likely the order of files in a file system"
            yield Difference("", "order", _first_pair(*names), cause)
        elif not found:
            yield Difference("", "compression", "", "likely a different zlib, or a different packing tool")

    def _of_members(self) -> Iterator[Difference]:
        changed: set[str] = set()
        for name in sorted({**self.first.files, **self.second.files}, key=_record_last):
            first, second = self.first.files.get(name), self.second.files.get(name)
            if first and second:
                for difference in self._of_entries(first, second, changed):
                    changed.add(name)
                    yield difference
            else:
                changed.add(name)
                yield Difference(name, "missing", f"only in the {'first' if first else 'second'} wheel")

    def _of_entries(self, first: ZipEntry, second: ZipEntry, changed: set[str]) -> Iterator[Difference]:
        before, after = self.first.read(first), self.second.read(second)
        if before != after:
            yield self._of_bytes(first.name, before, after, changed)
        elif (first.method, first.packed) != (second.method, second.packed):
            sizes = f"{first.packed} and {second.packed} bytes"
            yield Difference(first.name, "compression", sizes, "likely a different zlib, or a different packing tool")
        if first.moment != second.moment:
            cause = "the backend dates members to the build time instead of SOURCE_DATE_EPOCH"
            yield Difference(first.name, "time", _both(str(first.time), str(second.time)), f"likely {cause}")
        if first.mode != second.mode:
            yield Difference(first.name, "mode", f"{first.mode:o} and {second.mode:o}", "likely the umask")

    def _of_bytes(self, name: str, first: bytes, second: bytes, changed: set[str]) -> Difference:
        if name.endswith(".dist-info/RECORD"):
            rows = set(first.splitlines()) ^ set(second.splitlines())
            if {row.decode("utf-8", "replace").rpartition(",sha256=")[0].strip('"') for row in rows} <= changed:
                return Difference(name, "bytes", _first_line(first, second), "follows from the other members")
        if first.startswith(MAGIC) and second.startswith(MAGIC) and (pair := _sections(first, second)):
            return _of_elves(name, *pair, self.folders)
        if name.endswith(".pyc") and first[_PYC_HEADER:] == second[_PYC_HEADER:]:
            cause = "a .pyc file names the time or the hash of its source: leave out .pyc files"
            return Difference(name, "bytes", "header", cause)
        where = _first_line(first, second) if _is_text(first) and _is_text(second) else _first_offset(first, second)
        return Difference(name, "bytes", where, _cause(first, second, self.folders))


# ---- binaries -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Section:
    name: str
    offset: int
    data: bytes


def _sections(first: bytes, second: bytes) -> tuple[list[_Section], list[_Section]] | None:
    """Pairs of differing sections; None if the files differ only outside of sections."""
    ours, theirs = ({section.name: section for section in _sections_of(data)} for data in (first, second))
    pairs = [(ours[name], theirs[name]) for name in ours if name in theirs and ours[name].data != theirs[name].data]
    if not pairs:
        return None
    befores, afters = zip(*pairs, strict=True)
    return list(befores), list(afters)


def _sections_of(data: bytes) -> list[_Section]:
    from elftools.elf.elffile import ELFFile

    try:
        return [
            _Section(section.name, section["sh_offset"], section.data())
            for section in ELFFile(BytesIO(data)).iter_sections()
            if section["sh_type"] != "SHT_NOBITS"
        ]
    except Exception:  # noqa: BLE001 - on broken input pyelftools fails in any way; it is compared as bytes then
        return []


def _of_elves(name: str, first: list[_Section], second: list[_Section], folders: tuple[Path, Path]) -> Difference:
    pairs = list(zip(first, second, strict=True))
    places = [f"{ours.name} at {ours.offset + _offset(ours.data, theirs.data):#x}" for ours, theirs in pairs]
    more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
    where = ", ".join(places[:_SHOWN]) + more
    told = [pair for pair in pairs if pair[0].name != _BUILD_ID]
    if not told:
        cause = "only the build id: likely a stripped part differs, such as debug information with the build folder"
        return Difference(name, "bytes", where, cause)
    holders = [
        ours.name
        for ours, theirs in told
        if bytes(folders[0]) in ours.data and bytes(folders[1]) in theirs.data and folders[0] != folders[1]
    ]
    ours, theirs = (b"\0".join(section.data for section in side) for side in zip(*told, strict=True))
    return Difference(name, "bytes", where, _cause(ours, theirs, folders, _reason(holders)))


def _reason(sections: Iterable[str]) -> str:
    """The reason why sections of these names contain a path."""
    reasons: dict[str, None] = {}
    for name in sections:
        if name.startswith((".debug", ".zdebug", ".line")):
            reasons["debug information: -ffile-prefix-map"] = None
        elif name == ".dynstr":
            reasons["a run path, or the name of a library"] = None
        else:
            reasons[f"{name}: likely __FILE__ or a configured path; -fmacro-prefix-map"] = None
    return "; ".join(reasons)


# ---- causes ---------------------------------------------------------------------------------------------------


def _cause(first: bytes, second: bytes, folders: tuple[Path, Path], how: str = "") -> str:
    """The causes found one after the other, then the look of the rest; `how` explains a build folder's path."""
    found: list[str] = []
    first, second = _around(first, second)
    if folders[0] != folders[1] and bytes(folders[0]) in first and bytes(folders[1]) in second:
        found.append("it contains the build folder's path" + (f" ({how})" if how else ""))
        first, second = first.replace(bytes(folders[0]), b"\1"), second.replace(bytes(folders[1]), b"\1")
    for text, pattern, told in _TRACES:
        if first == second:
            break
        pair = _told_apart(pattern, first, second)
        if pair and told(*pair):
            found.append(f"{text} ({_both(*map(_shown, pair))})")
            first, second = pattern.sub(b"\2", first), pattern.sub(b"\2", second)
    if first != second:
        found.append(_look(first, second))
    return "; ".join(filter(None, found))


def _around(first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """The bytes from shortly before the first difference to shortly after the last, limited in length."""
    start = max(0, _offset(first, second) - _MARGIN)
    alike = _offset(first[start:][::-1], second[start:][::-1]) - _MARGIN
    ours, theirs = (data[start : len(data) - max(0, alike)] for data in (first, second))
    return ours[:_MOST], theirs[:_MOST]


def _told_apart(pattern: re.Pattern[bytes], first: bytes, second: bytes) -> tuple[bytes, bytes] | None:
    """The matches of the pattern that only one of the two has."""
    ours, theirs = (Counter(match.group() for match in pattern.finditer(data)) for data in (first, second))
    only, other = ours - theirs, theirs - ours
    return (next(iter(only)), next(iter(other))) if only and other else None


def _close(first: bytes, second: bytes) -> bool:
    """Whether two numbers may be the times of two builds."""
    ours, theirs = (float(number[:10]) for number in (first, second))
    return abs(ours - theirs) < _DAY


def _any(_first: bytes, _second: bytes) -> bool:
    return True


_TRACES: tuple[tuple[str, re.Pattern[bytes], Callable[[bytes, bytes], bool]], ...] = (
    ("a time stamp like __DATE__ or __TIME__", _MACRO, _any),
    ("a time stamp", _DATE, _any),
    ("a time stamp, likely in seconds since 1970", _SECONDS, _close),
    ("a temporary name", _TEMPORARY, _any),
    ("an address in memory, as repr() prints it", _ADDRESS, _any),
    ("a random identifier (UUID)", _IDENTIFIER, _any),
    ("a hexadecimal number, likely random or a hash of something else that differs", _HEXADECIMAL, _any),
    ("binary data, likely random or a hash of something else that differs", _LITERAL, _any),
    ("a long number, likely random or a hash of something else that differs", _NUMBER, _any),
)


def _look(first: bytes, second: bytes) -> str:
    """A description of bytes without a recognised cause."""
    for what, parts in _PARTS.items():
        ours, theirs = parts(first), parts(second)
        if ours != theirs and sorted(ours) == sorted(theirs):
            return f"the same {what} in a different order: likely a set's (PYTHONHASHSEED) or a folder's"
    if len(first) != len(second):
        return ""
    bits = [ours ^ theirs for ours, theirs in zip(first, second, strict=True) if ours != theirs]
    if len(bits) >= _RANDOM and len(set(bits)) > min(len(bits), 255) // 2:
        return f"{len(bits)} bytes without a pattern: likely random, uninitialised, or a hash"
    return ""


_RANDOM = 16
_PARTS: Mapping[str, Callable[[bytes], list[bytes]]] = {
    "lines": bytes.splitlines,
    "words": _WORD.findall,
    "strings": lambda data: data.split(b"\0"),
}


# ---- where ----------------------------------------------------------------------------------------------------


def _offset(first: bytes, second: bytes) -> int:
    """The offset of the first differing byte."""
    at, step = 0, 1 << 16
    while step:
        while first[at : at + step] == second[at : at + step] and at < min(len(first), len(second)):
            at += step
        step >>= 1
    return min(at, len(first), len(second))


def _first_offset(first: bytes, second: bytes) -> str:
    return f"at {_offset(first, second):#x}"


def _first_line(first: bytes, second: bytes) -> str:
    ours, theirs = first.splitlines(), second.splitlines()
    number = next((at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
    if number is None:
        return f"line {min(len(ours), len(theirs)) + 1}, where one ends"
    return f"line {number + 1}: {_both(*(_shown(lines[number]) for lines in (ours, theirs)))}"


def _first_pair(first: list[str], second: list[str]) -> str:
    return next((_both(*pair) for pair in zip(first, second, strict=False) if pair[0] != pair[1]), "")


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _both(first: str, second: str) -> str:
    return f"{first} and {second}"


def _shown(data: bytes) -> str:
    text = data.decode("utf-8", "backslashreplace").strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _record_last(name: str) -> tuple[bool, str]:
    return name.endswith(".dist-info/RECORD"), name
