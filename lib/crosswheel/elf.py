"""What one ELF file says to the dynamic loader: for which machine it is, what it needs, what it offers.

Everything is read the way the loader reads it, from the dynamic segment; section headers may be stripped. The symbol
table is unpacked here and not by pyelftools, which makes an object per symbol: seconds for a library such as OpenBLAS.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO, Literal

from elftools.elf.elffile import ELFFile

_SMALLEST_HEADER = 32
MAGIC = b"\x7fELF"

Bits = Literal[32, 64]
ByteOrder = Literal["little", "big"]


class BadElf(ValueError):  # noqa: N818 - reads as what it is
    """Not an ELF file, or one that ends too early or contradicts itself."""


@dataclass(frozen=True)
class Undefined:
    """A symbol that another library has to bring; a weak one may stay missing."""

    name: str
    weak: bool = False


@dataclass(frozen=True)
class Elf:
    """One ELF file; `versions_needed` maps a library to the symbol versions wanted of it, such as ``GLIBC_2.17``."""

    machine: str
    bits: Bits
    byteorder: ByteOrder
    type: str = "ET_DYN"
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions_needed: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    defined: frozenset[str] = frozenset()
    undefined: tuple[Undefined, ...] = ()


def read_elf(source: bytes | BinaryIO) -> Elf:
    data = source if isinstance(source, bytes) else source.read()
    if not data.startswith(MAGIC):
        raise BadElf("not an ELF file")
    try:
        return _read(ELFFile(BytesIO(data)), data)
    except Exception as error:
        # On broken input pyelftools fails in any way that Python code can fail, assertions included.
        raise BadElf(f"broken ELF file: {str(error) or type(error).__name__}") from error


def _read(file: ELFFile, data: bytes) -> Elf:
    if _SMALLEST_HEADER * (file.num_sections() + file.num_segments()) > len(data):
        raise BadElf("it has no room for the headers it promises")
    bits: Bits = 64 if file.elfclass == 64 else 32  # noqa: PLR2004
    byteorder: ByteOrder = "little" if file.little_endian else "big"
    kind = str(file["e_type"])
    dynamic: Any = next(file.iter_segments("PT_DYNAMIC"), None)
    if dynamic is None:
        return Elf(str(file["e_machine"]), bits, byteorder, kind)
    tables = _Tables(dynamic, data, "<" if file.little_endian else ">")
    symbols = list(tables.symbols(_symbol_count(file, dynamic), bits))
    return Elf(
        machine=str(file["e_machine"]),
        bits=bits,
        byteorder=byteorder,
        type=kind,
        soname=next((tag.soname for tag in dynamic.iter_tags("DT_SONAME")), ""),
        needed=tuple(tag.needed for tag in dynamic.iter_tags("DT_NEEDED")),
        rpath=_paths(tag.rpath for tag in dynamic.iter_tags("DT_RPATH")),
        runpath=_paths(tag.runpath for tag in dynamic.iter_tags("DT_RUNPATH")),
        versions_needed=dict(tables.versions_needed()),
        defined=frozenset(name for name, is_defined, _ in symbols if is_defined),
        undefined=tuple(Undefined(name, weak) for name, is_defined, weak in symbols if not is_defined),
    )


def _paths(texts: Iterator[str]) -> tuple[str, ...]:
    """The loader ignores a path that is empty as a whole, while an empty item in a list means the current folder."""
    return tuple(path for text in texts if text for path in text.split(":"))


def _symbol_count(file: ELFFile, dynamic: Any) -> int:
    """The loader never counts symbols, so no tag says how many: without section headers, the hash table knows."""
    section: Any = next(file.iter_sections("SHT_DYNSYM"), None)
    return int(section.num_symbols() if section else dynamic.num_symbols())


_SYMBOL = {32: "IIIBBH", 64: "IBBHQQ"}  # Elf32_Sym: name value size info other shndx; Elf64_Sym in another order
_LOCAL, _WEAK = 0, 2
_LONGEST_CHAIN = 4096


@dataclass(frozen=True)
class _Tables:
    """The tables that the dynamic segment points to."""

    dynamic: Any
    data: bytes
    order: str

    @functools.cached_property
    def _strings(self) -> int:
        return self._offset("DT_STRTAB")

    def symbols(self, count: int, bits: Bits) -> Iterator[tuple[str, bool, bool]]:
        """Name, defined or not, weak or not."""
        start = self._offset("DT_SYMTAB")
        layout = struct.Struct(self.order + _SYMBOL[bits])
        end = start + count * layout.size
        if end > len(self.data):
            raise BadElf("its symbol table runs past its end")
        for row in layout.iter_unpack(self.data[start:end]):
            name, info, section = (row[0], row[3], row[5]) if bits == 32 else (row[0], row[1], row[3])  # noqa: PLR2004
            if name and info >> 4 != _LOCAL:
                yield self._text(name), section != 0, info >> 4 == _WEAK

    def versions_needed(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        if next(self.dynamic.iter_tags("DT_VERNEED"), None) is None:
            return
        # Verneed: version, count, file, first version, next. Vernaux: hash, flags, other, name, next.
        for at, (_, _, library, first, _) in self._chain(self._offset("DT_VERNEED"), "HHIII"):
            versions = (self._text(row[3]) for _, row in self._chain(at + first, "IHHII"))
            yield self._text(library), tuple(versions)

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
        return self.data[start : self.data.index(b"\0", start)].decode("utf-8", "replace")

    def _offset(self, tag: str) -> int:
        _, offset = self.dynamic.get_table_offset(tag)
        if offset is None:
            raise BadElf(f"its dynamic segment has no usable {tag}")
        return int(offset)
