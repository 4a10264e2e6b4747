"""Takes symbol tables and debug information out of an ELF file of any architecture; what the loader reads stays.

Nothing that a segment covers moves, and every section that stays keeps its number, for symbols name sections by number.
What is taken out from between segments leaves zeros, of which a wheel's compression makes nothing.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO

from elftools.elf.elffile import ELFFile

from crosswheel.formats.elf import MAGIC, BadElf, symbols_of_a_wheel
from crosswheel.formats.elf_tables import Tables

# Program or shared object: of an object file, for a linker or for the kernel, the symbols are what it is there for.
_LOADABLE = {"ET_DYN", "ET_EXEC"}
_DEBUG = (b".debug_", b".zdebug_", b".stab", b".gdb_index", b".gnu_debugaltlink")
_SYMTAB, _STRTAB, _RELA, _NOBITS, _REL, _SYMTAB_SHNDX = 2, 3, 4, 8, 9, 18  # sh_type
_WIDEST = 4096  # alignment of what no segment holds, and more than any tool asks for
_LONGEST_NAME = 4096
_ALLOC = 2  # sh_flags: it is in memory at run time


@dataclass(frozen=True)
class _Section:
    """A row of the section header table, in the order of its fields."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry: int

    @property
    def end(self) -> int:
        return self.offset + (0 if self.kind == _NOBITS else self.size)

    @property
    def allocated(self) -> bool:
        return bool(self.flags & _ALLOC)

    @property
    def row(self) -> tuple[int, ...]:
        return (self.name, self.kind, self.flags, self.address, self.offset, self.size, self.link, self.info,
                self.align, self.entry)  # fmt: skip


_NO_SECTION = _Section(*[0] * 10)


def stripped(data: bytes) -> bytes:
    """The file without what only linkers and debuggers read, unchanged where there is none of that.

    So is a file that holds more than ELF knows of: a program may carry its payload there. Raises BadElf.
    """
    if not data.startswith(MAGIC):
        raise BadElf("not an ELF file")
    try:
        image = _Image(data, ELFFile(BytesIO(data)))
        return image.without(image.superfluous) if image.may_shrink else data
    except Exception as error:
        # On broken input pyelftools fails in any way that Python code can fail.
        raise BadElf(f"broken ELF file: {str(error) or type(error).__name__}") from error


@dataclass(frozen=True)
class _Image:
    """An ELF file as its segments and its sections cut it up."""

    data: bytes
    file: ELFFile

    @property
    def may_shrink(self) -> bool:
        known = self.file["e_type"] in _LOADABLE and self.file["e_shnum"] and self.file["e_shstrndx"]
        return bool(known and self.superfluous and not self._payload)

    @property
    def _payload(self) -> bytes:
        """What lies behind all that the headers know of; zeros are patchelf's."""
        ends = (section.end for section in self.sections)
        return self.data[max(self.end, self._headers[1], *ends) :].strip(b"\0")

    @functools.cached_property
    def sections(self) -> list[_Section]:
        start, end = self._headers
        if end > len(self.data):
            raise BadElf("it has no room for the headers it promises")
        return [_Section(*row) for row in self._layout.iter_unpack(self.data[start:end])]

    @functools.cached_property
    def superfluous(self) -> frozenset[int]:
        """The numbers of the sections that hold symbols for linkers, and debug information."""
        outside = {number: section for number, section in enumerate(self.sections) if not section.allocated}
        tables = {number for number, section in outside.items() if section.kind == _SYMTAB}
        strings = {self.sections[number].link for number in tables} - {self.file["e_shstrndx"]}
        others = {
            number
            for number, section in outside.items()
            if section.kind in {_SYMTAB_SHNDX, _REL, _RELA} or self.data.startswith(_DEBUG, self._name_at(section))
        }
        return frozenset(tables | (strings & outside.keys()) | others)

    @functools.cached_property
    def segments(self) -> list[tuple[int, int]]:
        """Where each begins and ends in the file."""
        # pyelftools would read the names of all sections for it.
        segments = Tables(self.data, symbols_of_a_wheel()).segments
        return [(segment.offset, segment.offset + segment.size) for segment in segments if segment.type]

    @functools.cached_property
    def end(self) -> int:
        """Where all ends that the loader may read, the headers at the file's beginning among it."""
        header = self.file["e_ehsize"]
        segment_headers = self.file["e_phoff"] + self.file["e_phnum"] * self.file["e_phentsize"]
        allocated = (section.end for section in self.sections if section.allocated)
        return int(max(header, segment_headers, *(end for _, end in self.segments), *allocated))

    def without(self, dropped: frozenset[int]) -> bytes:
        gone = {*dropped, self.file["e_shstrndx"]}
        body = bytearray(self.data[: self.end])
        if len(body) < self.end:
            raise BadElf("it ends before its segments do")
        for section in self._holes(dropped):
            body[section.offset : section.end] = bytes(min(section.end, self.end) - section.offset)
        kept = [_NO_SECTION if number in gone else section for number, section in enumerate(self.sections)]
        while len(kept) > 1 and kept[-1] == _NO_SECTION:
            kept.pop()
        names = bytearray(b"\0")
        rows = [replace(row, link=0) if row.link in gone else row for row in self._placed(kept, body, names)]
        name = len(names)
        names += b".shstrtab\0"
        rows.append(_Section(name, _STRTAB, 0, 0, len(body), len(names), 0, 0, 1, 0))
        body += names
        body += bytes(-len(body) % 8)
        self._write_header(body, rows)
        return bytes(body) + b"".join(self._layout.pack(*row.row) for row in rows)

    def _placed(self, kept: list[_Section], body: bytearray, names: bytearray) -> Iterator[_Section]:
        """The sections where they are now, their contents and names being appended to the two."""
        for section in kept:
            if section == _NO_SECTION:
                yield section
                continue
            name, offset = len(names), section.offset
            names += self._name(section) + b"\0"
            if not section.allocated and section.end > self.end:
                body += bytes(-len(body) % min(max(1, section.align), _WIDEST))
                offset = len(body)
                body += self.data[section.offset : section.end]
            if len(body) + len(names) > len(self.data) + _WIDEST:
                raise BadElf("its sections overlap")
            yield replace(section, name=name, offset=offset)

    def _holes(self, dropped: frozenset[int]) -> Iterator[_Section]:
        """Those that begin before the image ends, and that nothing else shares."""
        used = [(0, self.file["e_ehsize"]), *self.segments]
        used += [(row.offset, row.end) for number, row in enumerate(self.sections) if number not in dropped]
        used = sorted((start, end) for start, end in used if start < end)
        starts = [start for start, _ in used]
        # How far all reach that begin no later than one does.
        ends = list(itertools.accumulate((end for _, end in used), max))
        for number in sorted(dropped):
            section = self.sections[number]
            before = bisect.bisect_left(starts, section.end)
            if section.offset < self.end and not (before and ends[before - 1] > section.offset):
                yield section

    def _write_header(self, body: bytearray, rows: list[_Section]) -> None:
        """The table of sections comes last, and their names before it."""
        wide = self.file.elfclass == 64  # noqa: PLR2004
        struct.pack_into(self._order + ("Q" if wide else "I"), body, 40 if wide else 32, len(body))
        struct.pack_into(self._order + "HH", body, 60 if wide else 48, len(rows), len(rows) - 1)

    def _name(self, section: _Section) -> bytes:
        start = self._name_at(section)
        # A longer one was made to be copied again and again.
        return self.data[start : self.data.index(b"\0", start, start + _LONGEST_NAME)]

    def _name_at(self, section: _Section) -> int:
        return self._names + section.name

    @functools.cached_property
    def _names(self) -> int:
        return self.sections[int(self.file["e_shstrndx"])].offset

    @property
    def _headers(self) -> tuple[int, int]:
        start = self.file["e_shoff"]
        return start, start + self.file["e_shnum"] * self._layout.size

    @property
    def _layout(self) -> struct.Struct:
        return struct.Struct(self._order + ("IIQQQQIIQQ" if self.file.elfclass == 64 else "10I"))  # noqa: PLR2004

    @property
    def _order(self) -> str:
        return "<" if self.file.little_endian else ">"
