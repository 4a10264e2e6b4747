"""What was noted in a build of extensions that were not compiled, and what is made of it."""

from __future__ import annotations

import json
from pathlib import Path

from crosswheel.formats.uncompiled import NOT_RUN, NOT_THERE, Uncompiled, read_uncompiled

LOG = """\
building 'p.a' extension
a.c:1:10: fatal error: 'a.h' file not found
building 'p.b' extension
zigcc: error: unsupported option '-fopenmp': no OpenMP runtime for this target
building 'p.c' extension
"""


def read(folder: Path, *rows: object, log: str = LOG, members: tuple[str, ...] = ()) -> tuple[Uncompiled, ...]:
    notes, path = folder / "uncompiled", folder / "log"
    notes.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    path.write_text(log)
    return read_uncompiled(notes, path, members, "cross", "aarch64")


def row(name: str, why: str = "command 'cc' failed with exit code 1") -> dict[str, str]:
    return {"name": name, "why": why}


def test_each_has_the_reason_that_the_log_gives_for_it(tmp_path: Path) -> None:
    a, b = read(tmp_path, row("p.a"), row("p.b"))
    assert (a.name, a.reason) == ("p.a", "the header a.h was not found: a.c:1:10: fatal error: 'a.h' file not found")
    assert (b.name, b.hint[:20]) == ("p.b", "--engine accelerated")
    assert b.reason.startswith("the project needs OpenMP: zigcc: error")


def test_where_the_log_tells_nothing_the_error_does(tmp_path: Path) -> None:
    *_, last = read(tmp_path, row("p.a"), row("p.c"))
    assert last == Uncompiled("p.c", "command 'cc' failed with exit code 1")
    (taken_off,) = read(tmp_path, row("p.c", ""), log="")
    assert taken_off.reason == "the project's build removed it from its list of extensions"


def test_of_several_that_failed_side_by_side_none_gets_the_reason_of_another(tmp_path: Path) -> None:
    log = "building 'p.a' extension\nbuilding 'p.b' extension\nb.c:1:10: fatal error: 'b.h' file not found\n"
    a, b = read(tmp_path, row("p.a"), row("p.b"), log=log)
    assert a.reason == "command 'cc' failed with exit code 1"
    assert b.reason.startswith("the header b.h was not found")


def test_one_that_the_wheel_has_is_not_missing(tmp_path: Path) -> None:
    members = ("p/a.cpython-313-aarch64-linux-gnu.so", "p/b.py", "c.abi3.so")
    found = read(tmp_path, row("p.a"), row("p.b"), row("c"), members=members)
    assert [each.name for each in found] == ["p.b"]


def test_a_program_that_did_not_run_is_told_once(tmp_path: Path) -> None:
    a, sniff = read(tmp_path, {"program": "sniff"}, {"program": "sniff"}, row("p.a"))
    assert (a.name, sniff.name, sniff.rule) == ("p.a", "sniff", NOT_RUN)
    assert sniff.reason == "a program of aarch64, and none runs here"


def test_what_else_is_written_there_is_passed_over(tmp_path: Path) -> None:
    rows = ("{", "[]", '"a"', "1", '{"name": "x"}', "[" * 100_000, row("p.a"))
    assert [each.name for each in read(tmp_path, *rows)] == ["p.a"]
    many = read(tmp_path, *(row(f"p.x{number}") for number in range(5000)), log="")
    assert len(many) == 100


def test_without_notes_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(json.dumps(row("p.a")))
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("none", "link"):
        assert read_uncompiled(tmp_path / name, tmp_path / "log", (), "cross", "aarch64") == ()


def test_a_header_that_only_this_machine_has_is_told_once(tmp_path: Path) -> None:
    rows = [{"lacks": "zlib.h"}, {"lacks": "z"}, {"lacks": "zlib.h"}, {"program": "z"}, ["lacks"], 7, {}]
    assert [(each.name, each.rule) for each in read(tmp_path, *rows)] == [
        ("zlib.h", NOT_THERE),
        ("z", NOT_THERE),
        ("z", NOT_RUN),
    ]
