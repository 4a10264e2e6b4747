from __future__ import annotations

import struct

import pytest

from crosswheel.formats.build_attributes import OF_ARM, OF_RISCV, Vendor, attributes
from crosswheel.formats.elf_tables import BadElf, Tables
from crosswheel.testing import tiny_elf

_CPU_ARCH = b"\x06\x0e"


class Given(Tables):
    """Tables with nothing but one section of build attributes."""

    def __init__(self, section: bytes) -> None:
        super().__init__(tiny_elf(), budget=None)  # type: ignore[arg-type]  # nothing is counted here
        object.__setattr__(self, "build_attributes", lambda: [section])


def section(*parts: bytes) -> bytes:
    return b"A" + b"".join(parts)


def vendor(name: bytes, *scopes: bytes) -> bytes:
    content = name + b"\0" + b"".join(scopes)
    return struct.pack("<I", 4 + len(content)) + content


def about(scope: int, values: bytes) -> bytes:
    return bytes([scope]) + struct.pack("<I", 5 + len(values)) + values


@pytest.mark.parametrize(
    ("values", "whose", "tag", "found"),
    [
        (_CPU_ARCH, OF_ARM, 6, [14]),
        (b"\x04cortex\0\x05A72\0" + _CPU_ARCH, OF_ARM, 6, [14]),
        (b"\x20\x01gnu\0\x43\x32.09\0" + _CPU_ARCH, OF_ARM, 6, [14]),
        (b"\x04\x10\x05rv64i2p1_v1p0\0\x0e\x01", OF_RISCV, 5, ["rv64i2p1_v1p0"]),
        (b"\x06\x80\x01", OF_ARM, 6, [128]),
        (_CPU_ARCH, OF_ARM, 8, []),
    ],
)
def test_reads_numbers_and_texts(values: bytes, whose: Vendor, tag: int, found: list[int | str]) -> None:
    data = section(
        vendor(b"gnu", about(1, b"\x06\x01")), vendor(whose.name, about(2, b"\x00\x06\x01"), about(1, values))
    )
    assert list(attributes(Given(data), whose, tag)) == found


@pytest.mark.parametrize(
    "data",
    [
        section(bytes(8)),
        section(vendor(b"aeabi", bytes(5))),
        section(vendor(b"aeabi", about(1, b"\x06" + b"\xff" * 99))),
    ],
    ids=["a vendor of no size", "a scope of no size", "a number without end"],
)
def test_damaged_attributes_end(data: bytes) -> None:
    with pytest.raises(BadElf):
        list(attributes(Given(data), OF_ARM, 6))
