"""What is taken out of an ELF file, and that the loader finds everything else where it was."""

from __future__ import annotations

import contextlib
import ctypes
import io
import random
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from crosswheel.formats.elf import BadElf, read_elf
from crosswheel.formats.stripping import stripped
from crosswheel.model.targets import architectures
from crosswheel.testing import tiny_elf
from debug_info import DEBUG_INFO, with_debug_info

ARCHITECTURES = [
    pytest.param({"machine": arch.machine, "bits": arch.bits, "byteorder": arch.byteorder}, id=name)
    for name, arch in architectures().items()
]
SOURCE = "static int twice(int number) { return 2 * number; } int answer(int number) { return twice(number); }"
LONG = "a_name_that_does_not_fit_into_the_old_place.so"


def which(program: str) -> str:
    return shutil.which(program) or pytest.skip(f"no {program} on this machine")


def sections(elf: bytes) -> list[str]:
    return [section.name for section in ELFFile(io.BytesIO(elf)).iter_sections()]


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_symbols_and_debug_information_go_and_all_else_stays(arch: dict[str, Any]) -> None:
    plain = tiny_elf(**arch, needed=("libc.so.6",), exports=("PyInit_fast",), undefined=("PyLong_FromLong",))
    full = with_debug_info(plain)
    made = stripped(full)
    assert DEBUG_INFO not in made
    assert {".debug_info", ".symtab", ".strtab"} <= set(sections(full))
    assert set(sections(made)) == set(sections(plain))
    assert read_elf(made) == read_elf(full)
    assert len(made) < len(full)


def test_sections_keep_their_numbers() -> None:
    """A symbol says by number which section it is in."""
    full = with_debug_info(tiny_elf(exports=("PyInit_fast",)))
    numbers = {name: number for number, name in enumerate(sections(stripped(full))) if name != ".shstrtab"}
    assert numbers.items() <= {name: number for number, name in enumerate(sections(full))}.items()


def test_a_file_is_stripped_once_and_for_all() -> None:
    made = stripped(with_debug_info(tiny_elf()))
    assert stripped(made) == made
    assert stripped(tiny_elf()) == tiny_elf()


def test_what_patchelf_put_behind_the_symbols_stays(tmp_path: Path) -> None:
    path = tmp_path / "fast.so"
    path.write_bytes(with_debug_info(tiny_elf(exports=("PyInit_fast",))))
    subprocess.run([which("patchelf"), "--set-soname", LONG, path], check=True)
    made = stripped(path.read_bytes())
    assert DEBUG_INFO not in made
    assert read_elf(made).soname == LONG
    assert read_elf(made).defined == {"PyInit_fast"}


def test_a_program_keeps_its_payload() -> None:
    program = with_debug_info(tiny_elf()) + b"a payload that the program reads from its own file"
    assert stripped(program) == program


def test_an_object_file_keeps_its_symbols() -> None:
    """They are what a linker, or the kernel's own virtual machine, takes from it."""
    relocatable = bytearray(with_debug_info(tiny_elf()))
    struct.pack_into("<H", relocatable, 16, 1)
    assert stripped(bytes(relocatable)) == relocatable


@pytest.mark.parametrize("size", [4, 40, 64, 200, 500, 900])
def test_half_a_file_is_a_bad_one(size: int) -> None:
    with pytest.raises(BadElf):
        stripped(with_debug_info(tiny_elf(exports=("PyInit_fast",)))[:size])


def test_damaged_files_are_bad_ones_or_not_much_larger_than_before() -> None:
    chance = random.Random(1)  # noqa: S311
    full = with_debug_info(tiny_elf(exports=("PyInit_fast",)))
    for _ in range(1000):
        damaged = bytearray(full)
        for _ in range(4):
            damaged[chance.choice([chance.randrange(64), chance.randrange(len(full))])] = chance.randrange(256)
        with contextlib.suppress(BadElf):
            assert len(stripped(bytes(damaged))) < len(full) + 10_000


@pytest.mark.no_cover
def test_tens_of_thousands_of_sections_take_no_time() -> None:
    """Whether two of them share bytes, and what each is called, is a question about every pair, or every byte."""
    began = time.process_time()
    assert b".debug_a" not in stripped(with_sections(b"\0.debug_a\0", names=(1, 0)))
    with pytest.raises(BadElf):
        stripped(with_sections(b"\0.debug_a\0" + b"a" * (8 << 20) + b"\0", names=(1, 10)))
    assert len(stripped(with_sections(b"\0.debug_a\0", names=(1,)))) < 2000
    assert time.process_time() - began < 10


def with_sections(texts: bytes, *, names: tuple[int, ...]) -> bytes:
    elf = bytearray(tiny_elf())
    table = struct.Struct("<IIQQQQIIQQ")
    start = len(elf) + len(texts)
    rows = [(0,) * 10, (0, 3, 0, 0, len(elf), len(texts), 0, 0, 1, 0)]
    rows += [(names[number % len(names)], 1, 0, 0, 200, 8, 0, 0, 1, 0) for number in range(60_000)]
    struct.pack_into("<Q", elf, 40, start)
    struct.pack_into("<HH", elf, 60, len(rows), 1)
    return bytes(elf) + texts + b"".join(table.pack(*row) for row in rows)


def test_no_file_at_all_is_a_bad_one() -> None:
    with pytest.raises(BadElf, match="not an ELF file"):
        stripped(b"INPUT(-lfoo)")


@pytest.mark.parametrize("flag", ["-g", "-gz", "-Wl,--emit-relocs"])
def test_a_library_of_this_machine_still_loads(tmp_path: Path, flag: str) -> None:
    source, library = tmp_path / "answer.c", tmp_path / "libanswer.so"
    source.write_text(SOURCE)
    subprocess.run([which("gcc"), "-g", flag, "-shared", "-fPIC", "-o", library, source], check=True)
    full = library.read_bytes()
    library.write_bytes(stripped(full))
    assert not [name for name in sections(library.read_bytes()) if name.startswith((".debug", ".symtab"))]
    assert ctypes.CDLL(str(library)).answer(21) == 42
