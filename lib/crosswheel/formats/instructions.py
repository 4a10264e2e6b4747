"""Reads the instruction sets that an ELF file declares to need beyond the baseline of its architecture.

Most files declare nothing. Compilers write the declaration for x86 (the psABI's GNU_PROPERTY_X86_ISA_1_NEEDED), for
32-bit Arm (build attributes of the ELF addenda) and for RISC-V. On x86, code that checks the processor first is not
declared; the attributes of the other two do not distinguish it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from crosswheel.formats.elf_tables import PT_GNU_PROPERTY, Tables

_EM_386, _EM_ARM, _EM_X86_64, _EM_RISCV = 3, 40, 62, 243
_X86_ISA_1_NEEDED = 0xC0008002
_X86_LEVELS = {2: "x86-64-v2", 4: "x86-64-v3", 8: "x86-64-v4"}
_NOTE_OF_PROPERTIES = 5
_ARM_V8 = 14  # Tag_CPU_arch; the numbers between v7 and v8 are microcontrollers

# RV64GC in full: the extensions in "general", and those that were later split from it.
_RISCV_BASE = frozenset(
    ("i", "m", "a", "f", "d", "g", "c", "zicsr", "zifencei", "zmmul", "zaamo", "zalrsc", "zca", "zcd")
)


def needed_instructions(tables: Tables) -> frozenset[str]:
    """The declared instruction sets: names such as ``x86-64-v3``, ``ARMv8``, ``v`` (RISC-V)."""
    if tables.header.machine in {_EM_X86_64, _EM_386}:
        notes = (tables.content(segment) for segment in tables.segments if segment.type == PT_GNU_PROPERTY)
        return frozenset(level for note in notes for level in _x86_levels(note, 8 if tables.wide else 4))
    if tables.header.machine == _EM_ARM:
        numbers = _attributes(tables, ".ARM.attributes", "TAG_CPU_ARCH")
        return frozenset({"ARMv8"} if any(number >= _ARM_V8 for number in numbers) else ())
    if tables.header.machine == _EM_RISCV:
        return frozenset().union(*map(_riscv_extensions, _attributes(tables, ".riscv.attributes", "TAG_ARCH")))
    return frozenset()


def _x86_levels(note: bytes, width: int) -> Iterator[str]:
    name_size, size, kind = struct.unpack_from("<III", note)
    if kind != _NOTE_OF_PROPERTIES:
        return
    at = 12 + name_size
    end = min(at + size, len(note))
    while at + 8 <= end:
        property_type, property_size = struct.unpack_from("<II", note, at)
        if property_type == _X86_ISA_1_NEEDED:
            bits = int.from_bytes(note[at + 8 : at + 8 + property_size], "little")
            yield from (name for bit, name in _X86_LEVELS.items() if bits & bit)
        at += 8 + property_size + -property_size % width


def _attributes(tables: Tables, section_name: str, tag: str) -> Iterator[Any]:
    from elftools.elf.elffile import ELFFile

    stream: Any = BytesIO(tables.data) if isinstance(tables.data, bytes) else tables.data
    section: Any = ELFFile(stream).get_section_by_name(section_name)
    for vendor in section.iter_subsections() if section else ():
        for scope in vendor.iter_subsubsections():
            yield from (attribute.value for attribute in scope.iter_attributes(tag))


def _riscv_extensions(text: str) -> frozenset[str]:
    """``rv64i2p1_m2p0_v1p0`` -> ``{"v"}``."""
    names = (re.sub(r"\d+p\d+$", "", part) for part in re.sub(r"^rv\d+", "", text).split("_"))
    return frozenset(names) - _RISCV_BASE - {""}
