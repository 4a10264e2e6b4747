"""Reads ELF files like the kernel and the dynamic loader: file header, program headers, dynamic segment, tables.

The files are untrusted, so they are read with `struct`: pyelftools makes an object of every record, which takes
minutes for many small files or a few huge tables. Section headers may be stripped, and are used only if nothing else
has the information. The layouts are in the System V ABI, chapters on object files and dynamic linking.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from mmap import MADV_DONTNEED, mmap
from typing import NamedTuple

from elftools.common.exceptions import ELFError

from crosswheel.system.budget import Budget

MAGIC = b"\x7fELF"

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_TLS, PT_GNU_STACK, PT_GNU_PROPERTY = 1, 2, 3, 7, 0x6474E551, 0x6474E553
DT_NEEDED, DT_SONAME, DT_RPATH, DT_TEXTREL, DT_RUNPATH, DT_FLAGS, DT_RELR = 1, 14, 15, 22, 29, 30, 36
_DT_RELA, _DT_RELASZ, _DT_REL, _DT_RELSZ = 7, 8, 17, 18
_DT_HASH, _DT_STRTAB, _DT_SYMTAB = 4, 5, 6
_DT_GNU_HASH, _DT_VERSYM, _DT_VERNEED = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFE
_SHT_PROGBITS, _SHT_DYNSYM = 1, 11
_SHF_EXECINSTR = 4
_EM_S390 = 22

_SYMBOL = {False: "IIIBBH", True: "IBBHQQ"}  # Elf32_Sym: name value size info other shndx; Elf64_Sym in another order
_LOCAL, _WEAK = 0, 2
_VERSION_NUMBER = 0x7FFF  # the highest bit hides a symbol from linkers
_LONGEST_CHAIN = 4096
_MOST_SYMBOLS = 2_000_000
_MOST_TAGS = 100_000
_LONGEST_NAMES = 256 << 20
_LONGEST_SEGMENT = 4 << 20
"""Bytes read of an interpreter's path, a dynamic segment or a note."""
_STEP = 4 << 20
"""Bytes of a table or of a file that are looked at together; a multiple of every page size."""
_LONGEST_TEXT = 100
_ENDLESS_NAMES = "its names run past its end"
_IN_MEMORY = 200
"""Memory of a symbol in bytes, without its name."""


class BadElf(ValueError):  # noqa: N818 - reads as what it is
    """The file is not ELF, is truncated, or contradicts itself."""

    @classmethod
    def broken(cls, error: Exception) -> BadElf:
        """For any error of a reader: what Python says of an index or a number would tell a user nothing."""
        why = str(error) if isinstance(error, (BadElf, ELFError)) else ""
        return cls(f"broken ELF file: {why or 'a number in it points at nothing'}")


class Segment(NamedTuple):
    """A program header: a part of the file, and its place in memory, where it may be larger (`room`)."""

    type: int
    flags: int
    offset: int
    address: int
    size: int
    room: int
    alignment: int


class Header(NamedTuple):
    type: int
    machine: int
    flags: int


class Section(NamedTuple):
    """A section header: a part of the file, and the size of each entry if it is a table."""

    type: int
    flags: int
    offset: int
    size: int
    entry: int


class Symbol(NamedTuple):
    """A dynamic symbol; `version` is the index of its version in this file, 0 and 1 mean none."""

    name: str
    defined: bool
    weak: bool
    version: int


class NeededVersion(NamedTuple):
    library: str
    version: str
    number: int


@dataclass(frozen=True)
class Tables:
    """The tables of a file; every access may raise BadElf, or struct.error for a truncated file."""

    data: bytes | mmap
    budget: Budget

    @cached_property
    def wide(self) -> bool:
        """Whether addresses have 64 bits."""
        return self._of_two(4)

    @cached_property
    def big_endian(self) -> bool:
        return self._of_two(5)

    @property
    def os_abi(self) -> int:
        return self.data[7]

    @cached_property
    def header(self) -> Header:
        kind, machine, _, _, _, _, flags, *_ = self._file_header
        return Header(kind, machine, flags)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        _, _, _, _, start, _, _, _, size, count, *_ = self._file_header
        layout = "IIWWWWWW" if self.wide else "IIIIIIII"
        if count and size != struct.calcsize(self._layout(layout)):
            raise BadElf(f"its program headers have {size} bytes each")
        rows = (self.unpack(layout, start + number * size) for number in range(count))
        if self.wide:
            return tuple(Segment(row[0], row[1], row[2], row[3], row[5], row[6], row[7]) for row in rows)
        return tuple(Segment(row[0], row[6], row[1], row[2], row[4], row[5], row[7]) for row in rows)

    def check_ends(self) -> None:
        """Raise BadElf for a truncated file: it lacks a part of a segment, or the section headers."""
        _, _, _, _, _, sections, _, _, _, _, size, count, _ = self._file_header
        loaded = (segment.offset + segment.size for segment in self.segments if segment.type == PT_LOAD)
        if max(sections + size * count if sections else 0, *loaded, 0) > len(self.data):
            raise BadElf("it ends before its segments or section headers do")

    def content(self, segment: Segment) -> bytes:
        if segment.offset + segment.size > len(self.data):
            raise BadElf("a segment runs past its end")
        return self.data[segment.offset : segment.offset + min(segment.size, _LONGEST_SEGMENT)]

    def contains(self, texts: Iterable[bytes]) -> bool:
        """Whether any of these short texts is in the file. Of a mapped file, what was looked at leaves memory."""
        wanted = tuple(texts)
        for start in range(0, len(self.data), _STEP):
            if any(self.data.find(text, start, start + _STEP + _LONGEST_TEXT) >= 0 for text in wanted):
                return True
            self._release(range(start, min(start + _STEP, len(self.data))))
        return False

    @cached_property
    def tags(self) -> Mapping[int, tuple[int, ...]]:
        """The dynamic segment: the values of each tag in order; empty for a static program."""
        segment = next((segment for segment in self.segments if segment.type == PT_DYNAMIC), None)
        found: dict[int, list[int]] = {}
        if segment:
            content = self.content(segment)
            layout = struct.Struct(self._layout("WW"))
            rows = layout.iter_unpack(content[: len(content) // layout.size * layout.size])
            for number, (tag, value) in enumerate(itertools.takewhile(lambda row: row[0], rows)):
                if number == _MOST_TAGS:
                    raise BadElf(f"its dynamic segment has more than {_MOST_TAGS} tags, which is the limit")
                found.setdefault(tag, []).append(value)
        return {tag: tuple(values) for tag, values in found.items()}

    def texts(self, tag: int) -> tuple[str, ...]:
        """The texts that the values of a tag refer to."""
        return tuple(self._name(value) for value in self.tags.get(tag, ()))

    def symbols(self) -> Iterator[Symbol]:
        """The symbols that the file exports or imports."""
        if _DT_SYMTAB not in self.tags:
            return
        count = self._symbol_count()
        if count > _MOST_SYMBOLS:
            raise BadElf(f"it has {count} symbols, and {_MOST_SYMBOLS} is the limit")
        self.budget.spend(_IN_MEMORY * count)
        layout = struct.Struct(self._layout(_SYMBOL[self.wide]))
        table = self._table(_DT_SYMTAB, count * layout.size)
        info_at, section_at = (1, 3) if self.wide else (3, 5)
        room = min(len(self.data), _LONGEST_NAMES)
        # Large libraries have a hundred thousand: what is called for each of them counts.
        data, find, names = self.data, self.data.find, self._names if count else 0
        for row, version in zip(layout.iter_unpack(table), self._version_numbers(count), strict=True):
            binding = row[info_at] >> 4
            if row[0] and binding != _LOCAL:
                start = names + row[0]
                end = find(b"\0", start)
                if end < 0:
                    raise BadElf(_ENDLESS_NAMES)
                room -= end - start
                if room < 0:  # malicious: each name is a part of the one before
                    raise BadElf("the names of its symbols are longer than itself")
                name = data[start:end].decode("utf-8", "replace")
                yield Symbol(name, row[section_at] != 0, binding == _WEAK, version & _VERSION_NUMBER)
        self.budget.spend(min(len(self.data), _LONGEST_NAMES) - room)

    def versions_needed(self) -> Iterator[NeededVersion]:
        if _DT_VERNEED not in self.tags:
            return
        # Verneed: version, count, file, first version, next. Vernaux: hash, flags, number, name, next.
        count = 0
        for at, (_, _, library, first, _) in self._chain(self._place(_DT_VERNEED), "HHIII"):
            for _, (_, _, number, version, _) in self._chain(at + first, "IHHII"):
                count += 1
                if count > _LONGEST_CHAIN:
                    raise BadElf("its list of symbol versions does not end")
                yield NeededVersion(self._name(library), self._name(version), number & _VERSION_NUMBER)

    def relocation_types(self) -> frozenset[int]:
        """The relocation types in this file."""
        found: set[int] = set()
        for tag, tag_of_size, words in ((_DT_RELA, _DT_RELASZ, 3), (_DT_REL, _DT_RELSZ, 2)):
            (size, *_) = self.tags.get(tag_of_size, (0,))
            if size and tag in self.tags:
                row = words * (8 if self.wide else 4)
                # The type is the lower part of the second word: 32 of 64 bits, or 8 of 32.
                width = 8 if self.wide else 4
                low, high = (2 * width - 1, 2 * width - 2) if self.big_endian else (width, width + 1)
                for table in self._parts(tag, size // row * row, _STEP // row * row):
                    highs = table[high::row] if self.wide else bytes(len(table) // row)
                    found |= {upper << 8 | lower for lower, upper in set(zip(table[low::row], highs, strict=True))}
        return frozenset(found)

    def code(self) -> Iterator[range]:
        """The file offsets of sections with instructions; empty if section headers were stripped."""
        for section in self.sections:
            end = section.offset + section.size
            if section.type == _SHT_PROGBITS and section.flags & _SHF_EXECINSTR and end <= len(self.data):
                yield range(section.offset, end)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The section headers; none if they were stripped."""
        _, _, _, _, _, start, _, _, _, _, size, count, _ = self._file_header
        rows = (self.unpack("IIWWWWIIWW", start + number * size) for number in range(count if start else 0))
        return tuple(Section(row[1], row[2], row[4], row[5], row[9]) for row in rows)

    def unpack(self, layout: str, at: int) -> tuple[int, ...]:
        """Like `struct.unpack_from`, with W for a word as wide as an address."""
        if at < 0:
            raise BadElf("it points before its beginning")
        return struct.unpack_from(self._layout(layout), self.data, at)

    @cached_property
    def _file_header(self) -> tuple[int, ...]:
        """Type machine version entry phoff shoff flags ehsize phentsize phnum shentsize shnum shstrndx."""
        return self.unpack("HHIWWWIHHHHHH", 16)

    def _layout(self, layout: str) -> str:
        return (">" if self.big_endian else "<") + layout.replace("W", "Q" if self.wide else "I")

    def _of_two(self, at: int) -> bool:
        if self.data[at] not in {1, 2}:
            raise BadElf("its first bytes state no valid class or byte order")
        return self.data[at] == 2  # noqa: PLR2004 - ELFCLASS64, ELFDATA2MSB

    def _symbol_count(self) -> int:
        """The number of symbols, from the hash table, because no tag states it."""
        if _DT_HASH in self.tags:
            # Two words, then one per bucket and symbol. On s390x they have 64 bits, against the ABI, but LLVM's linker
            # and Zig's follow the ABI: in the 64-bit form the upper half of the number of buckets is 0.
            at = self._place(_DT_HASH)
            first, second = self.unpack("II", at)
            return self.unpack("QQ", at)[1] if self.header.machine == _EM_S390 and not first else second
        if _DT_GNU_HASH in self.tags:
            return self._symbols_in_gnu_hash(self._place(_DT_GNU_HASH))
        return 0

    def _symbols_in_gnu_hash(self, at: int) -> int:
        """The number of symbols: the last symbol ends the last bucket's chain; undefined symbols come first."""
        buckets, first, words, _ = self.unpack("IIII", at)
        start = at + 16 + words * (8 if self.wide else 4)
        if buckets > min(len(self.data), _MOST_SYMBOLS):
            raise BadElf(f"its hash table has {buckets} buckets, and {_MOST_SYMBOLS} is the limit")
        last = max(self.unpack(f"{buckets}I", start), default=0)
        if last < first:  # no exported symbols, as in programs
            return max(first, self._symbols_in_section())
        chains = start + 4 * buckets
        while not self.unpack("I", chains + 4 * (last - first))[0] & 1:
            self.budget.spend(_IN_MEMORY)  # a chain of a malicious file need not end
            last += 1
        return last + 1

    def _symbols_in_section(self) -> int:
        """The number of symbols from the section headers, if they were not stripped."""
        tables = (section for section in self.sections if section.type == _SHT_DYNSYM and section.entry)
        return next((table.size // table.entry for table in tables), 0)

    def _version_numbers(self, count: int) -> Iterable[int]:
        if _DT_VERSYM not in self.tags:
            return itertools.repeat(0, count)
        return struct.unpack(self._layout(f"{count}H"), self._table(_DT_VERSYM, 2 * count))

    def _chain(self, at: int, layout: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Linked records: the last word of each is the distance to the next, 0 at the end."""
        for _ in range(_LONGEST_CHAIN):
            row = self.unpack(layout, at)
            yield at, row
            if not row[-1]:
                return
            at += row[-1]
        raise BadElf("its list of symbol versions does not end")

    @cached_property
    def _names(self) -> int:
        return self._place(_DT_STRTAB)

    def _name(self, offset: int) -> str:
        start = self._names + offset
        end = self.data.find(b"\0", start)
        if end < 0:
            raise BadElf(_ENDLESS_NAMES)
        self.budget.spend(end - start)
        return self.data[start:end].decode("utf-8", "replace")

    def _table(self, tag: int, size: int) -> bytes:
        start = self._place(tag)
        if start + size > len(self.data):
            raise BadElf("a table runs past its end")
        return self.data[start : start + size]

    def _parts(self, tag: int, size: int, each: int) -> Iterator[bytes]:
        """A table in parts."""
        start = self._place(tag)
        if start + size > len(self.data):
            raise BadElf("a table runs past its end")
        for at in range(start, start + size, each):
            yield self.data[at : min(at + each, start + size)]
            self._release(range(at - at % _STEP, at))

    def _release(self, place: range) -> None:
        """Give back the memory of a part that begins at a page; a later access reads it from the file again."""
        if isinstance(self.data, mmap) and place:
            self.data.madvise(MADV_DONTNEED, place.start, len(place))

    def _place(self, tag: int) -> int:
        """The file offset of the address in a tag."""
        (address, *_) = self.tags.get(tag) or (None,)
        for segment in self.segments:
            if address is not None and segment.type == PT_LOAD and 0 <= address - segment.address < segment.size:
                return segment.offset + address - segment.address
        raise BadElf(f"its dynamic segment has no usable tag {tag:#x}")
