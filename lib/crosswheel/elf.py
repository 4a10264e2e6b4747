"""What one ELF file says to the dynamic loader: for which machine it is, what it needs, what it offers.

Everything is read the way the loader reads it, from the program headers and the dynamic segment; section headers may be
stripped. The symbol table is unpacked here and not by pyelftools, which makes an object per symbol: seconds for a
library such as OpenBLAS.
"""

from __future__ import annotations

import functools
import itertools
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from mmap import mmap
from typing import Any, Literal, NamedTuple

from elftools.elf.constants import P_FLAGS
from elftools.elf.elffile import ELFFile

from crosswheel.instructions import needed_instructions

_SMALLEST_HEADER = 32
_DF_TEXTREL = 0x4
MAGIC = b"\x7fELF"

Bits = Literal[32, 64]
ByteOrder = Literal["little", "big"]


class BadElf(ValueError):  # noqa: N818 - reads as what it is
    """Not an ELF file, or one that ends too early or contradicts itself."""


@dataclass(frozen=True)
class Undefined:
    """A symbol that another library has to bring; a weak one may stay missing.

    Where it is bound to a `version` such as ``GLIBC_2.17``, the file also says which `library` is to have it.
    """

    name: str
    weak: bool = False
    version: str = ""
    library: str = ""


@dataclass(frozen=True)
class Elf:
    """One ELF file.

    `flags` is the header's e_flags. `alignment` is the size of the largest memory pages that every loadable segment
    fits, in bytes; 0 without any.
    `executable_stack` is None where the file has no word on it, and the processor's own default holds.
    `instructions` are sets of them beyond the processor's first ones, as `instructions.py` names them.
    `versions_needed` maps a library to the symbol versions wanted of it.
    """

    machine: str
    bits: Bits
    byteorder: ByteOrder
    type: str = "ET_DYN"
    os_abi: str = "ELFOSABI_SYSV"
    flags: int = 0
    interpreter: str = ""
    alignment: int = 0
    executable_stack: bool | None = None
    text_relocations: bool = False
    instructions: frozenset[str] = frozenset()
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions_needed: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    defined: frozenset[str] = frozenset()
    undefined: tuple[Undefined, ...] = ()

    @property
    def is_program(self) -> bool:
        """Whether it is started and not loaded; a library that can be started too, as libc can, is none."""
        return self.type == "ET_EXEC" or bool(self.interpreter and not self.soname)


def read_elf(data: bytes | mmap) -> Elf:
    """Raises BadElf."""
    if data[: len(MAGIC)] != MAGIC:
        raise BadElf("not an ELF file")
    try:
        stream: Any = BytesIO(data) if isinstance(data, bytes) else data
        return _read(ELFFile(stream), data)
    except Exception as error:
        # On broken input pyelftools fails in any way that Python code can fail, assertions included.
        raise BadElf(f"broken ELF file: {str(error) or type(error).__name__}") from error


def _read(file: ELFFile, data: bytes | mmap) -> Elf:
    if _SMALLEST_HEADER * (file.num_sections() + file.num_segments()) > len(data):
        raise BadElf("it has no room for the headers it promises")
    segments: list[Any] = list(file.iter_segments())
    pages = [_largest_page(segment) for segment in segments if segment["p_type"] == "PT_LOAD"]
    stacks = [bool(segment["p_flags"] & P_FLAGS.PF_X) for segment in segments if segment["p_type"] == "PT_GNU_STACK"]
    interpreters = (segment.get_interp_name() for segment in segments if segment["p_type"] == "PT_INTERP")
    elf = Elf(
        machine=str(file["e_machine"]),
        bits=64 if file.elfclass == 64 else 32,  # noqa: PLR2004
        byteorder="little" if file.little_endian else "big",
        type=str(file["e_type"]),
        os_abi=str(file["e_ident"]["EI_OSABI"]),
        flags=int(file["e_flags"]),
        interpreter=next(interpreters, ""),
        alignment=min(pages, default=0),
        executable_stack=stacks[0] if stacks else None,
        instructions=needed_instructions(file, segments),
    )
    dynamic = next((segment for segment in segments if segment["p_type"] == "PT_DYNAMIC"), None)
    return _with_dynamic(elf, file, dynamic, data) if dynamic else elf


def _largest_page(segment: Any) -> int:
    """The kernel maps whole pages: where a segment stands in them must not differ between file and memory."""
    either = max(1, int(segment["p_align"])) | abs(int(segment["p_vaddr"]) - int(segment["p_offset"]))
    return either & -either


def _with_dynamic(elf: Elf, file: ELFFile, dynamic: Any, data: bytes | mmap) -> Elf:
    tables = _Tables(dynamic, data, "<" if file.little_endian else ">")
    needed_versions = list(tables.versions_needed())
    versions = {row.number: (row.version, row.library) for row in needed_versions}
    symbols = list(tables.symbols(_symbol_count(file, dynamic), elf.bits))
    tags = {tag["d_tag"]: tag["d_val"] for tag in dynamic.iter_tags()}
    return replace(
        elf,
        text_relocations="DT_TEXTREL" in tags or bool(tags.get("DT_FLAGS", 0) & _DF_TEXTREL),
        soname=next((tag.soname for tag in dynamic.iter_tags("DT_SONAME")), ""),
        needed=tuple(tag.needed for tag in dynamic.iter_tags("DT_NEEDED")),
        rpath=_paths(tag.rpath for tag in dynamic.iter_tags("DT_RPATH")),
        runpath=_paths(tag.runpath for tag in dynamic.iter_tags("DT_RUNPATH")),
        versions_needed={
            row.library: tuple(other.version for other in needed_versions if other.library == row.library)
            for row in needed_versions
        },
        defined=frozenset(symbol.name for symbol in symbols if symbol.defined),
        undefined=tuple(
            Undefined(symbol.name, symbol.weak, *versions.get(symbol.version, ()))
            for symbol in symbols
            if not symbol.defined
        ),
    )


def _paths(texts: Iterator[str]) -> tuple[str, ...]:
    """The loader ignores a path that is empty as a whole, while an empty item in a list means the current folder."""
    return tuple(path for text in texts if text for path in text.split(":"))


def _symbol_count(file: ELFFile, dynamic: Any) -> int:
    """The loader never counts symbols, so no tag says how many: without section headers, the hash table knows."""
    section: Any = next(file.iter_sections("SHT_DYNSYM"), None)
    return int(section.num_symbols() if section else dynamic.num_symbols())


class _Symbol(NamedTuple):
    """`version` is the number that this file gives to a version, 0 and 1 being none."""

    name: str
    defined: bool
    weak: bool
    version: int


class _NeededVersion(NamedTuple):
    library: str
    version: str
    number: int


_SYMBOL = {32: "IIIBBH", 64: "IBBHQQ"}  # Elf32_Sym: name value size info other shndx; Elf64_Sym in another order
_LOCAL, _WEAK = 0, 2
_VERSION_NUMBER = 0x7FFF  # the highest bit hides a symbol from the linker
_LONGEST_CHAIN = 4096
_MOST_SYMBOLS = 2_000_000
_LONGEST_NAMES = 256 << 20


@dataclass(frozen=True)
class _Tables:
    """The tables that the dynamic segment points to."""

    dynamic: Any
    data: bytes | mmap
    order: str

    @functools.cached_property
    def _strings(self) -> int:
        return self._offset("DT_STRTAB")

    def symbols(self, count: int, bits: Bits) -> Iterator[_Symbol]:
        if count > _MOST_SYMBOLS:
            raise BadElf(f"it has {count} symbols, and {_MOST_SYMBOLS} is the limit")
        layout = struct.Struct(self.order + _SYMBOL[bits])
        room = min(len(self.data), _LONGEST_NAMES)
        rows = layout.iter_unpack(self._table("DT_SYMTAB", count * layout.size))
        for row, version in zip(rows, self._version_numbers(count), strict=True):
            name, info, section = (row[0], row[3], row[5]) if bits == 32 else (row[0], row[1], row[3])  # noqa: PLR2004
            if name and info >> 4 != _LOCAL:
                text = self._text(name)
                room -= len(text)
                if room < 0:  # made to harm: each name a part of the one before
                    raise BadElf("the names of its symbols are longer than itself")
                yield _Symbol(text, section != 0, info >> 4 == _WEAK, version & _VERSION_NUMBER)

    def versions_needed(self) -> Iterator[_NeededVersion]:
        if not self._has("DT_VERNEED"):
            return
        # Verneed: version, count, file, first version, next. Vernaux: hash, flags, number, name, next.
        count = 0
        for at, (_, _, library, first, _) in self._chain(self._offset("DT_VERNEED"), "HHIII"):
            for _, (_, _, number, version, _) in self._chain(at + first, "IHHII"):
                count += 1
                if count > _LONGEST_CHAIN:
                    raise BadElf("its list of symbol versions does not end")
                yield _NeededVersion(self._text(library), self._text(version), number & _VERSION_NUMBER)

    def _version_numbers(self, count: int) -> Iterable[int]:
        if not self._has("DT_VERSYM"):
            return itertools.repeat(0, count)
        return struct.unpack(f"{self.order}{count}H", self._table("DT_VERSYM", 2 * count))

    def _chain(self, at: int, layout: str) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Records that say in their last word how far on the next one is, 0 in the last of them."""
        for _ in range(_LONGEST_CHAIN):
            row = struct.unpack_from(self.order + layout, self.data, at)
            yield at, row
            if not row[-1]:
                return
            at += row[-1]
        raise BadElf("its list of symbol versions does not end")

    def _text(self, offset: int) -> str:
        start = self._strings + offset
        end = self.data.find(b"\0", start)
        if end < 0:
            raise BadElf("its names run past its end")
        return self.data[start:end].decode("utf-8", "replace")

    def _table(self, tag: str, size: int) -> bytes:
        start = self._offset(tag)
        if start + size > len(self.data):
            raise BadElf(f"its {tag} runs past its end")
        return self.data[start : start + size]

    def _has(self, tag: str) -> bool:
        return next(self.dynamic.iter_tags(tag), None) is not None

    def _offset(self, tag: str) -> int:
        _, offset = self.dynamic.get_table_offset(tag)
        if offset is None:
            raise BadElf(f"its dynamic segment has no usable {tag}")
        return int(offset)
