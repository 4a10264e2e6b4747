"""Two builds of one job that differ on purpose, and what is said of each."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from crosswheel.formats.wheel_diff import compare_wheels
from crosswheel.model.job import Difference
from crosswheel.testing import tiny_elf, tiny_wheel

FIRST, SECOND = Path("/made/first"), Path("/made/again")
Compile = Callable[..., bytes]
RECORD = "tiny-1.0.dist-info/RECORD"


def differences(folder: Path, first: dict[str, bytes], second: dict[str, bytes]) -> list[Difference]:
    for name in ("first", "second"):
        (folder / name).mkdir()
    one, two = tiny_wheel(folder / "first", members=first), tiny_wheel(folder / "second", members=second)
    return list(compare_wheels(one, two, FIRST, SECOND))


def cause_of(folder: Path, first: bytes, second: bytes, name: str = "built.py") -> str:
    """What is said of the one member that differs; of RECORD, that it follows."""
    one, record = differences(folder, {name: first}, {name: second})
    assert (one.member, one.kind) == (name, "bytes")
    assert (record.member, record.cause) == (RECORD, "follows from the other members")
    return one.cause


def repacked(folder: Path, **changes: object) -> tuple[Path, Path]:
    """A wheel, and the same one with something changed in the header of its module."""
    (folder / "second").mkdir()
    first = tiny_wheel(folder, members={"module.py": b"x" * 1000, "other.py": b""})
    second = folder / "second" / first.name
    with zipfile.ZipFile(first) as given, zipfile.ZipFile(second, "w") as made:
        for info in sorted(given.infolist(), key=lambda info: info.filename, reverse=bool(changes.get("reverse"))):
            data = given.read(info)
            for field, value in changes.items() if info.filename == "module.py" else ():
                if field != "reverse":
                    setattr(info, field, value)
            made.writestr(info, data)
    return first, second


# ---- archives -------------------------------------------------------------------------------------------------


def test_the_same_bytes_differ_in_nothing(tmp_path: Path) -> None:
    assert differences(tmp_path, {"module.py": b"x"}, {"module.py": b"x"}) == []


def test_a_member_of_one_wheel_only_is_missing(tmp_path: Path) -> None:
    one, other, record = differences(tmp_path, {"a.py": b""}, {"b.py": b""})
    assert (one.member, one.kind, one.where) == ("a.py", "missing", "only in the first wheel")
    assert (other.member, other.kind, other.where) == ("b.py", "missing", "only in the second wheel")
    assert record.cause == "follows from the other members"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("date_time", (2024, 2, 29, 12, 0, 0), ("time", "1980-01-01 00:00:00 and 2024-02-29 12:00:00")),
        ("external_attr", 0o755 << 16, ("mode", "600 and 755")),
        ("compress_type", zipfile.ZIP_DEFLATED, ("compression", "1000 and ")),
    ],
)
def test_headers_are_compared(field: str, value: object, expected: tuple[str, str], tmp_path: Path) -> None:
    first, second = repacked(tmp_path, **{field: value})
    found = [it for it in compare_wheels(first, second, FIRST, SECOND) if it.member]
    kind, where = expected
    assert [(it.member, it.kind) for it in found] == [("module.py", kind)]
    assert found[0].where.startswith(where)
    assert found[0].cause.startswith("likely ")


def test_the_order_of_members_is_compared(tmp_path: Path) -> None:
    first, second = repacked(tmp_path, reverse=True)
    (found,) = compare_wheels(first, second, FIRST, SECOND)
    assert (found.member, found.kind) == ("", "order")
    assert "file system" in found.cause


# ---- causes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        (b"HOME = '/made/first/source'", b"HOME = '/made/again/source'", "it contains the build folder's path"),
        (b"on Nov 22 2026 at 09:00:01", b"on Nov 22 2026 at 09:00:07", "a time stamp like __DATE__ or __TIME__"),
        (b"built = '2026-11-22'", b"built = '2026-11-23'", "a time stamp (2026-11-22 and 2026-11-23)"),
        (b"built = 1795389220.25", b"built = 1795389225.5", "a time stamp, likely in seconds since 1970"),
        (b"built = 1795389220250111222", b"built = 1795389225500111222", "a time stamp, likely in seconds since 1970"),
        (b"x = ['b', 'a', 'c']", b"x = ['a', 'c', 'b']", "the same words in a different order: likely a set's"),
        (b"import a\nimport b\n", b"import b\nimport a\n", "the same lines in a different order: likely a set's"),
        (b"key = '9f8a7b6c5d4e3f2a'", b"key = '0a1b2c3d4e5f6a7b'", "a hexadecimal number, likely random or a hash"),
        (rb"key = b'\xfdD\xdd'", rb"key = b'@\xdfv'", "binary data, likely random"),
        (b"x = 0.8444218515250481", b"x = 0.7579544029403025", "a long number, likely random"),
        (b"# from /tmp/tmpabcd1234/x.c", b"# from /tmp/tmp5678efgh/x.c", "a temporary name"),
        (b"<F at 0x7f00aa11bb>", b"<F at 0x7f00cc22bb>", "an address in memory"),
        (b"x = 1", b"x = 22", ""),
        (b"x = 1234567890", b"x = 1795389220", ""),  # too far apart for two builds
    ],
)
def test_causes_are_told_apart(first: bytes, second: bytes, cause: str, tmp_path: Path) -> None:
    said = cause_of(tmp_path, first, second)
    assert said.startswith(cause)
    assert bool(said) == bool(cause)


def test_random_bytes_have_no_pattern(tmp_path: Path) -> None:
    first = bytes(range(128, 160))
    second = bytes(byte ^ (number * 7 + 1) for number, byte in enumerate(first))
    assert cause_of(tmp_path, first, second).startswith("32 bytes without a pattern: likely random")


@pytest.mark.no_cover
def test_a_large_member_is_read_where_it_differs(tmp_path: Path) -> None:
    data = os.urandom(30_000_000)
    began = time.process_time()
    said = cause_of(tmp_path, data + b" /made/first/x " + data, data + b" /made/again/x " + data, "data.bin")
    assert said == "it contains the build folder's path"
    assert time.process_time() - began < 10


def test_many_random_bytes_have_no_pattern_either(tmp_path: Path) -> None:
    assert "bytes without a pattern" in cause_of(tmp_path, os.urandom(100_000), os.urandom(100_000), "data.bin")


def test_all_causes_are_named(tmp_path: Path) -> None:
    first, second = b"# /made/first\nat = 1795389220\n", b"# /made/again\nat = 1795389230\n"
    assert cause_of(tmp_path, first, second) == (
        "it contains the build folder's path; a time stamp, likely in seconds since 1970 (1795389220 and 1795389230)"
    )


def test_bytecode_says_when_its_source_was_written(tmp_path: Path) -> None:
    first, second = (b"\xa7\r\r\n" + bytes(4) + time + b"\1\0\0\0code" for time in (b"abcd", b"abce"))
    assert "leave out .pyc files" in cause_of(tmp_path, first, second, "__pycache__/x.cpython-313.pyc")


def test_the_first_line_that_differs_is_shown(tmp_path: Path) -> None:
    one, _ = differences(tmp_path, {"x.py": b"a\nb\nc\n"}, {"x.py": b"a\nB\nC\n"})
    assert one.where == "line 2: b and B"


def test_of_bytes_the_first_that_differs_is_told(tmp_path: Path) -> None:
    data = bytes(200_000)
    one, _ = differences(tmp_path, {"x.dat": data + b"\0\xff"}, {"x.dat": data + b"\0\xfe"})
    assert one.where == "at 0x30d41"


# ---- binaries -------------------------------------------------------------------------------------------------


@pytest.fixture
def compiled(tmp_path: Path) -> Compile:
    compiler = shutil.which("gcc")
    if not compiler:
        pytest.skip("no gcc on this machine")
    numbers = count()

    def compile_(text: str, *flags: str, folder: Path | None = None) -> bytes:
        where = folder or tmp_path / f"compile{next(numbers)}"
        where.mkdir(exist_ok=True)
        (where / "fast.c").write_text(text)
        command = [compiler, "-shared", "-fPIC", *flags, str(where / "fast.c"), "-o", "fast.so"]
        environ = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
        subprocess.run(command, cwd=where, env=environ, check=True)
        return (where / "fast.so").read_bytes()

    return compile_


def said_of(folder: Path, first: bytes, second: bytes, folders: tuple[Path, Path]) -> Difference:
    for name in ("one", "two"):
        (folder / name).mkdir()
    one = tiny_wheel(folder / "one", members={"fast.so": first})
    two = tiny_wheel(folder / "two", members={"fast.so": second})
    return compare_wheels(one, two, *folders)[0]


def test_the_time_of_the_compiler_is_found_in_its_section(tmp_path: Path, compiled: Compile) -> None:
    first, second = (
        compiled(f'const char *built(void) {{ return "{clock}"; }}\n') for clock in ("09:00:01", "09:00:07")
    )
    said = said_of(tmp_path, first, second, (FIRST, SECOND))
    assert said.where.startswith(".rodata at 0x") or ", .rodata at 0x" in said.where
    assert said.cause == "a time stamp like __DATE__ or __TIME__ (09:00:01 and 09:00:07)"


@pytest.mark.parametrize(
    ("text", "flags", "how"),
    [
        ("const char *where(void) { return __FILE__; }\n", (), "likely __FILE__ or a configured path"),
        ("int one(void) { return 1; }\n", ("-g",), "debug information: -ffile-prefix-map"),
        ("int one(void) { return 1; }\n", ("-Wl,-rpath,{folder}",), "a run path, or the name of a library"),
    ],
)
def test_how_the_build_folder_came_in_is_told(
    text: str, flags: tuple[str, ...], how: str, tmp_path: Path, compiled: Compile
) -> None:
    folders = tmp_path / "first", tmp_path / "again"
    first, second = (
        compiled(text, *(flag.format(folder=folder) for flag in flags), folder=folder) for folder in folders
    )
    said = said_of(tmp_path, first, second, folders)
    assert said.cause.startswith("it contains the build folder's path")
    assert how in said.cause


def test_a_build_id_alone_points_to_what_was_stripped(tmp_path: Path, compiled: Compile) -> None:
    text = "int one(void) { return 1; }\n"
    first, second = (compiled(text, f"-Wl,--build-id=0x{digits}") for digits in ("00112233", "44556677"))
    said = said_of(tmp_path, first, second, (FIRST, SECOND))
    assert said.where.startswith(".note.gnu.build-id at 0x")
    assert said.cause.startswith("only the build id: likely a stripped part differs")


def test_an_elf_file_that_is_broken_is_compared_as_bytes(tmp_path: Path) -> None:
    broken = tiny_elf()[:100]
    said = said_of(tmp_path, broken + b"\0\1", broken + b"\0\2", (FIRST, SECOND))
    assert said.where == f"at {len(broken) + 1:#x}"


def test_a_literal_that_never_ends_is_searched_in_no_time(tmp_path: Path) -> None:
    endless = b"data = b'" + rb"\x00" * 100_000
    began = time.monotonic()
    cause_of(tmp_path, endless + b"1", endless + b"2")
    assert time.monotonic() - began < 10
