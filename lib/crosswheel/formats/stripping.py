"""Strips symbol tables and debug information from ELF files of any architecture; loadable content stays.

Content of segments does not move, and remaining sections keep their numbers, because symbols refer to sections by
number. Removed parts between segments become zeros, which a wheel's compression shrinks to almost nothing.
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

# Programs and shared objects only: object files need their symbols for the linker or the kernel.
_LOADABLE = {"ET_DYN", "ET_EXEC"}
_DEBUG = (b".debug_", b".zdebug_", b".stab", b".gdb_index", b".gnu_debugaltlink")
_SYMTAB, _STRTAB, _RELA, _NOBITS, _REL, _SYMTAB_SHNDX = 2, 3, 4, 8, 9, 18  # sh_type
_WIDEST = 4096  # alignment of content outside of segments; more than any tool requires
_LONGEST_NAME = 4096
_ALLOC = 2  # sh_flags: loaded at run time


@dataclass(frozen=True)
class _Section:
    """A section header, with its fields in order."""

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
    """The file without content for linkers and debuggers; unchanged if there is none.

    Also unchanged if it contains data outside of the ELF structure, as some programs do. Raises BadElf.
    """
    if not data.startswith(MAGIC):
        raise BadElf("not an ELF file")
    try:
        image = _Image(data, ELFFile(BytesIO(data)))
        return image.without(image.superfluous) if image.may_shrink else data
    except Exception as error:
        # For broken input pyelftools raises any exception.
        raise BadElf.broken(error) from error


@dataclass(frozen=True)
class _Image:
    """An ELF file divided into segments and sections."""

    data: bytes
    file: ELFFile

    @property
    def may_shrink(self) -> bool:
        known = self.file["e_type"] in _LOADABLE and self.file["e_shnum"] and self.file["e_shstrndx"]
        return bool(known and self.superfluous and not self._payload)

    @property
    def _payload(self) -> bytes:
        """The data after everything in the headers, except zeros, which patchelf adds."""
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
        """The numbers of sections with symbols for linkers and with debug information."""
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
        """The start and end of each segment in the file."""
        # pyelftools would read the names of all sections first.
        segments = Tables(self.data, symbols_of_a_wheel()).segments
        return [(segment.offset, segment.offset + segment.size) for segment in segments if segment.type]

    @functools.cached_property
    def end(self) -> int:
        """The end of the part that the loader may read, including the headers at the start."""
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
        """The sections at their new places; appends contents and names to the two buffers."""
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
        """The removed sections that begin before the end of the image and overlap with nothing else."""
        used = [(0, self.file["e_ehsize"]), *self.segments]
        used += [(row.offset, row.end) for number, row in enumerate(self.sections) if number not in dropped]
        used = sorted((start, end) for start, end in used if start < end)
        starts = [start for start, _ in used]
        # the running maximum of the ends
        ends = list(itertools.accumulate((end for _, end in used), max))
        for number in sorted(dropped):
            section = self.sections[number]
            before = bisect.bisect_left(starts, section.end)
            if section.offset < self.end and not (before and ends[before - 1] > section.offset):
                yield section

    def _write_header(self, body: bytearray, rows: list[_Section]) -> None:
        """Write the header; the section table comes last, after the section names."""
        wide = self.file.elfclass == 64  # noqa: PLR2004
        struct.pack_into(self._order + ("Q" if wide else "I"), body, 40 if wide else 32, len(body))
        struct.pack_into(self._order + "HH", body, 60 if wide else 48, len(rows), len(rows) - 1)

    def _name(self, section: _Section) -> bytes:
        start = self._name_at(section)
        # A longer name is malicious: it would be copied many times.
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
