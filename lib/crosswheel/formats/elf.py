"""Reads an ELF file like the dynamic loader: machine, needed libraries, symbols."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from mmap import mmap
from typing import Literal, NamedTuple

from crosswheel.formats.code import Code, look_at
from crosswheel.formats.elf_tables import (
    DT_FLAGS,
    DT_NEEDED,
    DT_RELR,
    DT_RPATH,
    DT_RUNPATH,
    DT_SONAME,
    DT_TEXTREL,
    MAGIC,
    PT_DYNAMIC,
    PT_GNU_STACK,
    PT_INTERP,
    PT_LOAD,
    PT_TLS,
    BadElf,
    NeededVersion,
    Segment,
    Tables,
)
from crosswheel.formats.instructions import needed_instructions
from crosswheel.system.budget import Budget, OverBudget

__all__ = ["MAGIC", "BadElf", "Bits", "ByteOrder", "Elf", "Undefined", "read_elf"]

Bits = Literal[32, 64]
ByteOrder = Literal["little", "big"]

_UNSEEN = Code()
_DF_TEXTREL = 0x4
_DF_STATIC_TLS = 0x10
# R_*_TPREL*, R_*_TPOFF*: the loader stores the offset of thread-local storage from the thread pointer.
_TPREL = {
    "EM_386": {14, 37},
    "EM_X86_64": {18},
    "EM_ARM": {19},
    "EM_AARCH64": {1030},
    "EM_PPC64": {73},
    "EM_S390": {56},
    "EM_RISCV": {10, 11},
}
_PF_X = 0x1


class Undefined(NamedTuple):
    """A symbol that another library must define; a weak one may be missing.

    If it has a `version` such as ``GLIBC_2.17``, the file also names its `library`.
    """

    name: str
    weak: bool = False
    version: str = ""
    library: str = ""


@dataclass(frozen=True)
class Elf:
    """One ELF file.

    `flags` is the header's e_flags. `alignment` is the largest page size in bytes for which every loadable segment is
    aligned; 0 without segments.
    `executable_stack` is None without PT_GNU_STACK; then the processor's default applies.
    `packed_relocations`: whether it has relocations in the format DT_RELR.
    `instructions` has instruction sets beyond the baseline by their names in `instructions.py`; `code` is the result of
    scanning the machine code. `static_tls` is the size in bytes of thread-local storage of the model initial-exec.
    `versions_needed` maps a library to the symbol versions needed from it.
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
    packed_relocations: bool = False
    instructions: frozenset[str] = frozenset()
    code: Code = _UNSEEN
    static_tls: int = 0
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions_needed: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    defined: frozenset[str] = frozenset()
    undefined: tuple[Undefined, ...] = ()

    @property
    def is_program(self) -> bool:
        """Whether it is a program; a library that can also be started, like libc, is not."""
        return self.type == "ET_EXEC" or bool(self.interpreter and not self.soname)

    @property
    def is_object(self) -> bool:
        """Whether it is an object file for a linker (``crt1.o``): it is never loaded and has no program headers."""
        return self.type == "ET_REL"


def symbols_of_a_wheel() -> Budget:
    """The memory budget for symbols and names of all binaries of a wheel."""
    return Budget(160 << 20, "bytes of symbols and names in its binaries")


def read_elf(data: bytes | mmap, budget: Budget | None = None) -> Elf:
    """Read an ELF file; several files may share a budget. Raises BadElf."""
    if data[: len(MAGIC)] != MAGIC:
        raise BadElf("not an ELF file")
    try:
        return _read(Tables(data, budget or symbols_of_a_wheel()))
    except OverBudget as error:
        raise BadElf(str(error)) from error
    except Exception as error:
        # Invalid numbers fail in many ways, here and in pyelftools.
        raise BadElf.broken(error) from error


def _read(tables: Tables) -> Elf:
    tables.check_ends()
    pages = [_largest_page(segment) for segment in tables.segments if segment.type == PT_LOAD]
    stacks = [bool(segment.flags & _PF_X) for segment in tables.segments if segment.type == PT_GNU_STACK]
    programs = (tables.content(segment) for segment in tables.segments if segment.type == PT_INTERP)
    elf = Elf(
        machine=_name_of("E_MACHINE", tables.header.machine),
        bits=64 if tables.wide else 32,
        byteorder="big" if tables.big_endian else "little",
        type=_name_of("E_TYPE", tables.header.type),
        os_abi=_name_of("EI_OSABI", tables.os_abi),
        flags=tables.header.flags,
        interpreter=next(programs, b"").partition(b"\0")[0].decode("utf-8", "replace"),
        alignment=min(pages, default=0),
        executable_stack=stacks[0] if stacks else None,
        instructions=needed_instructions(tables),
        code=look_at(tables),
    )
    return _with_dynamic(elf, tables) if any(segment.type == PT_DYNAMIC for segment in tables.segments) else elf


def _largest_page(segment: Segment) -> int:
    """The largest usable page size: a segment's offset within a page must be equal in file and memory."""
    either = max(1, segment.alignment) | abs(segment.address - segment.offset)
    return either & -either


def _with_dynamic(elf: Elf, tables: Tables) -> Elf:
    needed_versions = list(tables.versions_needed())
    versions = {row.number: (row.version, row.library) for row in needed_versions}
    symbols = list(tables.symbols())
    (flags, *_) = tables.tags.get(DT_FLAGS, (0,))
    storage = sum(segment.room for segment in tables.segments if segment.type == PT_TLS)
    # Not every linker sets the flag.
    static = flags & _DF_STATIC_TLS or (
        storage and not tables.relocation_types().isdisjoint(_TPREL.get(elf.machine, ()))
    )
    return replace(
        elf,
        text_relocations=DT_TEXTREL in tables.tags or bool(flags & _DF_TEXTREL),
        packed_relocations=DT_RELR in tables.tags,
        static_tls=storage if static else 0,
        soname=next(iter(tables.texts(DT_SONAME)), ""),
        needed=tables.texts(DT_NEEDED),
        rpath=_paths(tables.texts(DT_RPATH)),
        runpath=_paths(tables.texts(DT_RUNPATH)),
        versions_needed=_by_library(needed_versions),
        defined=frozenset([symbol.name for symbol in symbols if symbol.defined]),
        undefined=tuple(
            [
                Undefined(symbol.name, symbol.weak, *versions.get(symbol.version, ()))
                for symbol in symbols
                if not symbol.defined
            ]
        ),
    )


def _by_library(rows: Iterable[NeededVersion]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.library, []).append(row.version)
    return {library: tuple(versions) for library, versions in found.items()}


def _paths(texts: Iterable[str]) -> tuple[str, ...]:
    """The search paths; the loader ignores an empty path, but an empty item in a list means the current folder."""
    return tuple(path for text in texts if text for path in text.split(":"))


def _name_of(field: Literal["E_MACHINE", "E_TYPE", "EI_OSABI"], number: int) -> str:
    """The name of a number in a field of the header, or the number."""
    return _names(field).get(number, str(number))


@functools.cache
def _names(field: str) -> Mapping[int, str]:
    from elftools.elf import enums

    numbers = getattr(enums, f"ENUM_{field}")
    return {number: name for name, number in numbers.items() if isinstance(number, int)}
