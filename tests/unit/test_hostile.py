"""Whatever one hands to it, an audit ends with findings or with AuditFailed: soon, and without all the memory.

The few examples of `nox -s tests` are always the same; `nox -s tests-slow` tries many more, others each time. Its cases
take turns by the day.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crosswheel.auditing.run import audit_wheel
from crosswheel.errors import AuditFailed
from crosswheel.formats.elf import BadElf, read_elf
from crosswheel.testing import tiny_elf, tiny_wheel

# Which lines random bytes reach is chance, which a floor cannot stand on.
pytestmark = pytest.mark.no_cover

SECONDS = 5
MEMORY = 512 << 20
TAG = "cp313-cp313-manylinux_2_17_aarch64"
SUFFIX = ".cpython-313-aarch64-linux-gnu.so"
DIST_INFO = "tiny-1.0.dist-info"
FORMS: list[dict[str, Any]] = [
    {"machine": "EM_AARCH64"},
    {"machine": "EM_386", "bits": 32},
    {"machine": "EM_S390", "byteorder": "big"},
]
ELVES = [
    tiny_elf(
        **form,
        soname="fast",
        needed=["libc.so.6", "libfoo.so"],
        runpath="$ORIGIN",
        exports=["PyInit_fast"],
        undefined=["malloc"],
        weak=["other"],
        versions_needed={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.18"]},
    )
    for form in FORMS
]
MEMBERS = {f"fast{SUFFIX}": ELVES[0], "tiny/__init__.py": b"", "tiny/täny.py": b"answer = 42\n"}

EDGES = [0, 1, 2, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 63, (1 << 64) - 1]
NUMBERS = st.sampled_from(EDGES) | st.integers(0, (1 << 64) - 1)
"""A place, a width, and what is written there."""
CHANGES = st.lists(st.tuples(st.integers(0), st.sampled_from([1, 2, 4, 8]), NUMBERS), min_size=1, max_size=6)
LINES = st.lists(
    st.sampled_from(
        [
            b"Name: tiny",
            b"Version: 1.0",
            b"Metadata-Version: 2.4",
            b"License-File: ../../x",
            b"Tag: cp313-cp313-any",
            b"Tag: a.b.c-d-e",
            b"Tag: x",
            b"Root-Is-Purelib: true",
            b"Wheel-Version: 1.0",
            b"tiny/__init__.py,,",
            b'"tiny/__init__.py,sha256=x,1',
            b",,,,,,,",
            b"x,sha256,-1",
            b"Import-Name: tiny",
            b"Import-Namespace: tiny; private",
            b"[console_scripts]",
            b"[DEFAULT]",
            b"run = tiny:main [extra]",
            b"  .:.",
            b"import tiny",
        ]
    )
    | st.binary(max_size=60),
    max_size=12,
).map(b"\n".join)

few_or_many = pytest.mark.parametrize(
    "examples", [50, pytest.param(500, marks=[pytest.mark.slow, pytest.mark.daily(4, of="hostile")])]
)


class Hang(BaseException):
    """Not an Exception, which whoever reads broken files may catch."""


def hold(check: Callable[[Any], None], examples: st.SearchStrategy[Any], count: int) -> None:
    """The check holds for so many examples; each has its time, and all of them the same memory."""

    def timed(example: Any) -> None:
        with time_limit():
            check(example)

    quiet = settings(
        max_examples=count,
        derandomize=count < 100,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    with memory_limit():
        quiet(given(examples)(timed))()


@contextmanager
def time_limit() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def memory_limit() -> Iterator[None]:
    """So much more than this process has already."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def survives(path: Path) -> None:
    try:
        findings = audit_wheel(path)
    except AuditFailed as error:
        str(error).encode()  # what cannot be encoded cannot be shown
        return
    for finding in findings:
        "".join(astuple(finding)).encode()
        assert "MemoryError" not in finding.found


def changed(data: bytes, changes: list[tuple[int, int, int]], length: int = 0) -> bytes:
    """`length` is of the part at the end that is changed, 0 for all of it."""
    out = bytearray(data)
    for place, width, value in changes:
        at = len(out) - length + place % length if length else place % len(out)
        out[at : at + width] = struct.pack("<Q", value)[:width]
    return bytes(out[: len(data)])


@few_or_many
@pytest.mark.parametrize("tail", [0, 400, 22], ids=["all", "directory", "end"])
def test_an_archive_that_was_changed(tail: int, examples: int, tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, tag=TAG, members=MEMBERS)
    data = path.read_bytes()

    def check(changes: list[tuple[int, int, int]]) -> None:
        path.write_bytes(changed(data, changes, tail))
        survives(path)

    hold(check, CHANGES, examples)


@few_or_many
def test_an_archive_of_which_parts_are_missing(examples: int, tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, tag=TAG, members=MEMBERS)
    data = path.read_bytes()

    def check(cut: tuple[int, int]) -> None:
        path.write_bytes(data[: cut[0]] + data[sum(cut) :])
        survives(path)

    hold(check, st.tuples(st.integers(0, len(data)), st.integers(0, len(data))), examples)


@few_or_many
@pytest.mark.parametrize("text", ["METADATA", "WHEEL", "RECORD", "entry_points.txt", "../tiny.pth", "../tiny.start"])
def test_texts(text: str, examples: int, tmp_path: Path) -> None:
    member = f"{DIST_INFO}/{text}".replace(f"{DIST_INFO}/../", "")

    def check(data: bytes) -> None:
        survives(tiny_wheel(tmp_path, tag=TAG, members={**MEMBERS, member: data}))

    hold(check, LINES, examples)


@few_or_many
def test_bills_of_materials(examples: int, tmp_path: Path) -> None:
    """Documents of the right words in the wrong places, and one that is grafted beside them."""
    grafted = {**MEMBERS, "tiny.libs/libfoo-01234567.so": ELVES[0]}

    def check(example: tuple[Any, str]) -> None:
        document, encoding = example
        data = json.dumps(document, ensure_ascii=False).encode(encoding, "replace")
        survives(tiny_wheel(tmp_path, tag=TAG, members={**grafted, f"{DIST_INFO}/sboms/a.cdx.json": data}))

    words = st.sampled_from(["components", "packages", "metadata", "component", "libfoo", "\ud800", "é", ""])
    values = st.none() | st.booleans() | st.integers() | st.floats() | words
    documents = st.recursive(values, lambda inner: st.lists(inner) | st.dictionaries(words, inner))
    hold(check, st.tuples(documents, st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "latin-1"])), examples)


@few_or_many
def test_names_of_members(examples: int, tmp_path: Path) -> None:
    def check(names: list[str]) -> None:
        survives(tiny_wheel(tmp_path, tag=TAG, members={**MEMBERS, **dict.fromkeys(names, ELVES[0])}))

    parts = ["..", "/", "tiny", DIST_INFO, "x.dist-info", "tiny-1.0.data/platlib", ".so", SUFFIX, "RECORD"]
    paths = st.lists(st.sampled_from(parts), min_size=1, max_size=4).map("/".join)
    names = paths | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
    hold(check, st.lists(names, max_size=4), examples)


@few_or_many
@pytest.mark.parametrize("elf", ELVES, ids=["64", "32", "big"])
def test_elf_files(elf: bytes, examples: int, tmp_path: Path) -> None:
    def check(changes: list[tuple[int, int, int]]) -> None:
        data = changed(elf, changes)
        with contextlib.suppress(BadElf):
            read_elf(data)
        survives(tiny_wheel(tmp_path, tag=TAG, members={**MEMBERS, f"fast{SUFFIX}": data}))

    hold(check, CHANGES, examples)
