from __future__ import annotations

import contextlib
import itertools
import mmap
import struct
import time
from pathlib import Path

import pytest
from elftools.elf.enums import ENUM_E_MACHINE

from crosswheel.formats.elf import BadElf, Bits, ByteOrder, Undefined, read_elf, symbols_of_a_wheel
from crosswheel.formats.elf_tables import Tables
from crosswheel.testing import tiny_elf

MACHINES = [("EM_AARCH64", 64, "little"), ("EM_386", 32, "little"), ("EM_S390", 64, "big"), ("EM_PPC", 32, "big")]


@pytest.mark.parametrize(("machine", "bits", "byteorder"), MACHINES)
def test_reads_what_the_loader_reads(machine: str, bits: Bits, byteorder: ByteOrder) -> None:
    data = tiny_elf(
        machine=machine,
        bits=bits,
        byteorder=byteorder,
        soname="libtiny.so.1",
        needed=["libm.so.6", "libc.so.6"],
        rpath="/one:/two",
        runpath="$ORIGIN/../tiny.libs",
        exports=["PyInit_tiny"],
        undefined=["malloc@GLIBC_2.17", "log", "exp@GLIBC_2.29"],
        weak=["__gmon_start__"],
        versions_needed={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.34"], "libm.so.6": ["GLIBC_2.29"]},
    )
    elf = read_elf(data)
    assert (elf.machine, elf.bits, elf.byteorder, elf.type) == (machine, bits, byteorder, "ET_DYN")
    assert elf.soname == "libtiny.so.1"
    assert elf.needed == ("libm.so.6", "libc.so.6")
    assert elf.rpath == ("/one", "/two")
    assert elf.runpath == ("$ORIGIN/../tiny.libs",)
    assert elf.defined == {"PyInit_tiny"}
    assert elf.undefined == (
        Undefined("malloc", version="GLIBC_2.17", library="libc.so.6"),
        Undefined("log"),
        Undefined("exp", version="GLIBC_2.29", library="libm.so.6"),
        Undefined("__gmon_start__", weak=True),
    )
    assert elf.versions_needed == {"libc.so.6": ("GLIBC_2.17", "GLIBC_2.34"), "libm.so.6": ("GLIBC_2.29",)}
    assert hash(elf) == hash(read_elf(data))


def test_counts_the_symbols_of_s390x_in_narrow_words_too() -> None:
    """As lld writes them, and Zig's linker: what it makes for s390x has lost no PyInit."""
    narrow = bytearray(tiny_elf(machine="EM_PPC64", byteorder="big", exports=["PyInit_tiny"], undefined=["log"]))
    struct.pack_into(">H", narrow, 18, ENUM_E_MACHINE["EM_S390"])
    elf = read_elf(bytes(narrow))
    assert elf.machine == "EM_S390"
    assert elf.defined == {"PyInit_tiny"}
    assert elf.undefined == (Undefined("log"),)


@pytest.mark.parametrize(("machine", "bits", "byteorder"), MACHINES)
def test_reads_what_the_kernel_reads(machine: str, bits: Bits, byteorder: ByteOrder) -> None:
    data = tiny_elf(
        machine=machine,
        bits=bits,
        byteorder=byteorder,
        os_abi=9,
        flags=0x5000400,
        interpreter="/lib/ld-linux.so.2",
        alignment=0x4000,
        executable_stack=True,
        text_relocations=True,
    )
    elf = read_elf(data)
    assert (elf.os_abi, elf.flags, elf.interpreter) == ("ELFOSABI_FREEBSD", 0x5000400, "/lib/ld-linux.so.2")
    assert (elf.alignment, elf.executable_stack, elf.text_relocations) == (0x4000, True, True)
    assert elf.is_program


def test_what_a_file_does_not_say() -> None:
    elf = read_elf(tiny_elf(executable_stack=None))
    assert elf.executable_stack is None
    assert (elf.text_relocations, elf.interpreter, list(elf.instructions)) == (False, "", [])
    assert not elf.is_program
    assert read_elf(tiny_elf()).executable_stack is False


@pytest.mark.parametrize(("machine", "bits"), [("EM_X86_64", 64), ("EM_386", 32)])
def test_reads_the_instructions_that_are_needed(machine: str, bits: Bits) -> None:
    assert read_elf(tiny_elf(machine=machine, bits=bits, x86_level=3)).instructions == {"x86-64-v3"}
    assert read_elf(tiny_elf(machine=machine, bits=bits, x86_level=1)).instructions == set()


def test_reads_a_mapped_file(tmp_path: Path) -> None:
    path = tmp_path / "tiny.so"
    path.write_bytes(tiny_elf(exports=["PyInit_tiny"]))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert read_elf(mapped) == read_elf(path.read_bytes())


def test_needs_no_section_headers() -> None:
    data = tiny_elf(exports=["PyInit_tiny"], undefined=["malloc"], versions_needed={"libc.so.6": ["GLIBC_2.17"]})
    stripped = bytearray(data)
    stripped[0x28:0x30] = bytes(8)  # e_shoff
    stripped[0x3A:0x40] = bytes(6)  # e_shentsize, e_shnum, e_shstrndx
    assert read_elf(bytes(stripped)) == read_elf(data)


def test_a_static_program_has_nothing_to_say_to_the_loader() -> None:
    data = bytearray(tiny_elf(needed=["libc.so.6"]))
    data[64 + 56 : 64 + 60] = struct.pack("<I", 0)  # PT_DYNAMIC becomes PT_NULL
    assert read_elf(bytes(data)).needed == ()


def test_an_empty_path_is_no_path_and_an_empty_item_is_one() -> None:
    assert read_elf(tiny_elf(runpath="$ORIGIN:")).runpath == ("$ORIGIN", "")
    assert read_elf(tiny_elf()).runpath == ()


@pytest.mark.parametrize("data", [b"", b"\x7fEL", b"#!/bin/sh\n", b"INPUT(libfoo.so.1)\n"])
def test_other_files_are_no_elf_files(data: bytes) -> None:
    with pytest.raises(BadElf, match=r"^not an ELF file$"):
        read_elf(data)


def test_a_truncated_file_is_bad_wherever_it_ends() -> None:
    data = tiny_elf(exports=["PyInit_tiny"], undefined=["malloc"], versions_needed={"libc.so.6": ["GLIBC_2.17"]})
    for length in range(4, len(data)):
        with pytest.raises(BadElf, match=r"^broken ELF file: [a-z]"):
            read_elf(data[:length])


def test_garbage_raises_bad_elf_or_nothing() -> None:
    data = tiny_elf(needed=["libc.so.6"], exports=["PyInit_tiny"], versions_needed={"libc.so.6": ["GLIBC_2.17"]})
    for at, byte in itertools.product(range(4, len(data), 5), (0x00, 0x7F, 0xFF)):
        with contextlib.suppress(BadElf):
            read_elf(data[:at] + bytes([byte]) + data[at + 1 :])


def test_a_list_of_versions_that_does_not_end_is_bad() -> None:
    names = [f"GLIBC_2.{n}" for n in range(5000)]
    with pytest.raises(BadElf, match="does not end"):
        read_elf(tiny_elf(versions_needed={"libc.so.6": names}))


def test_symbols_whose_names_overlap_are_bad() -> None:
    data = bytearray(tiny_elf(exports=["y" * 10_000, *(f"a{n}" for n in range(1000))]))
    names = struct.unpack_from("<Q", data, data.index(struct.pack("<Q", 5)) + 8)[0]
    symbols = struct.unpack_from("<Q", data, data.index(struct.pack("<QQ", 11, 24)) - 8)[0]
    for number in range(1, 1002):
        struct.pack_into("<I", data, symbols + 24 * number, data.index(b"yyy") - names + number)
    with pytest.raises(BadElf, match="the names of its symbols are longer than itself"):
        read_elf(bytes(data))


def test_lists_of_versions_that_share_their_end_are_bad() -> None:
    versions = {f"lib{n}.so": [f"V{n}_{m}" for m in range(100)] for n in range(50)}
    with pytest.raises(BadElf, match="does not end"):
        read_elf(tiny_elf(versions_needed=versions))


def test_code_that_overlaps_itself_is_read_once_and_no_more() -> None:
    sections, code = 2000, struct.pack("<I", 0x4E829420) * 250_000  # a megabyte of dot products
    data = bytearray(tiny_elf(code=code))
    (start,) = struct.unpack_from("<Q", data, 40)
    size, count = struct.unpack_from("<HH", data, 58)
    text = next(row for row in range(start, start + size * count, size) if data[row + 8] & 4)
    data[40:48] = struct.pack("<Q", len(data))
    struct.pack_into("<H", data, 60, sections)
    began = time.monotonic()
    elf = read_elf(bytes(data) + bytes(data[text : text + size]) * sections)
    assert elf.code.beyond == {"dot product"}
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("mapped", [True, False])
def test_a_text_is_found_where_two_parts_of_a_large_file_meet(tmp_path: Path, *, mapped: bool) -> None:
    path = tmp_path / "large.so"
    path.write_bytes(bytes((4 << 20) - 4) + b"getauxval" + bytes(5 << 20))
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if mapped else file.read()
        tables = Tables(data, symbols_of_a_wheel())
        assert tables.contains([b"/proc/cpuinfo", b"getauxval"])
        assert not tables.contains([b"getauxvals"])


def test_many_bytes_that_look_like_questions_are_not_all_taken_apart() -> None:
    code = bytes.fromhex("c5fb58c1") * 20 + bytes.fromhex("b80fa20fa2") * 200_000
    began = time.process_time()
    assert read_elf(tiny_elf(machine="EM_X86_64", code=code)).code.asks
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("machine", "bits", "byteorder", "kind"),
    [("EM_AARCH64", 64, "little", 1030), ("EM_S390", 64, "big", 56), ("EM_X86_64", 64, "little", 18)],
)
def test_reads_who_wants_storage_from_the_start(machine: str, bits: Bits, byteorder: ByteOrder, kind: int) -> None:
    made = [
        tiny_elf(machine=machine, bits=bits, byteorder=byteorder, static_tls=24, relocations=relocations)
        for relocations in ((), (5, kind), (5,))
    ]
    assert [read_elf(data).static_tls for data in made] == [0, 24, 0]
