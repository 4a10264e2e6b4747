"""Reads the build attributes of an ELF file: what the compiler states about its code, on Arm and RISC-V.

A section is the letter A, then a part per vendor: its size, the vendor's name, and smaller parts about the whole file,
about a section or about a symbol, each with a tag and a size. An attribute is a tag with a number or a text.
(Addenda to the ABI for the Arm architecture; the psABI of RISC-V has the same form.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from crosswheel.formats.elf_tables import BadElf, Tables

_OF_THE_FILE = 1
_COMPATIBILITY = 32  # the last tag of a fixed form: a number, then a text; above it, odd tags have a text
_LARGEST = 1 << 64


@dataclass(frozen=True)
class Vendor:
    """The name in the section, and the tags up to 32 that have a text."""

    name: bytes
    texts: frozenset[int]


OF_ARM = Vendor(b"aeabi", frozenset({4, 5}))
OF_RISCV = Vendor(b"riscv", frozenset(range(5, _COMPATIBILITY, 2)))


def attributes(tables: Tables, vendor: Vendor, wanted: int) -> Iterator[int | str]:
    """The values of the tag `wanted` about the whole file. Raises BadElf."""
    size_of = struct.Struct(">I" if tables.big_endian else "<I")
    for data in tables.build_attributes():
        for part in _parts(data[1:], size_of, 0):
            name, _, rest = part.partition(b"\0")
            for scope in _parts(rest, size_of, 1) if name == vendor.name else ():
                if scope[0] == _OF_THE_FILE:
                    yield from (value for tag, value in _values(scope[1:], vendor) if tag == wanted)


def _parts(data: bytes, size_of: struct.Struct, before: int) -> Iterator[bytes]:
    """Parts with a size each, which counts itself and the `before` bytes in front of it; the part is without it."""
    at = 0
    while at < len(data):
        (size,) = size_of.unpack_from(data, at + before)
        if size <= before + size_of.size:
            raise BadElf("its build attributes have an empty part")
        yield data[at : at + before] + data[at + before + size_of.size : at + size]
        at += size


def _values(data: bytes, vendor: Vendor) -> Iterator[tuple[int, int | str]]:
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        value: int | str
        if tag in vendor.texts or (tag > _COMPATIBILITY and tag % 2):
            value, at = _text(data, at)
        else:
            value, at = _number(data, at)
            at = _text(data, at)[1] if tag == _COMPATIBILITY else at
        yield tag, value


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("utf-8", "replace"), end + 1


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number in seven bits a byte, the lowest first (ULEB128), and the offset behind it."""
    number, unit = 0, 1
    while True:
        number += (data[at] & 0x7F) * unit
        at, unit = at + 1, unit * 0x80
        if not data[at - 1] & 0x80:
            return number, at
        if unit > _LARGEST:
            raise BadElf("its build attributes have a number of more than 64 bits")
