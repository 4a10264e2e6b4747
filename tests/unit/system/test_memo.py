"""What is remembered is true: whatever it rests on is looked at, and what is damaged is forgotten."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crosswheel.system.memo import Answers, answers_in

QUESTION = ("pythons", "sha256:123")


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    return answers_in(tmp_path / "cache")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file that nobody has touched for longer than it takes to ask."""
    path = tmp_path / "file"
    path.write_text("content")
    return path


def later() -> float:
    """As if it were asked when files have been at rest for a while."""
    return time.time() + 10


def only(answers: Answers) -> Path:
    assert answers.folder
    (place,) = answers.folder.glob("*/*")
    return place


def test_an_answer_comes_back_as_it_was_and_only_to_its_question(answers: Answers) -> None:
    assert answers.recall(*QUESTION) is None
    answers.keep([["cp311", 1.5, None]], *QUESTION)
    assert answers.recall(*QUESTION) == [["cp311", 1.5, None]]
    assert answers.recall("pythons", "sha256:124") is None
    assert answers.recall("running", "sha256:123") is None
    assert answers_in(answers.folder.parent if answers.folder else Path()).recall(*QUESTION)


def test_without_a_folder_nothing_is_kept() -> None:
    Answers().keep(1, *QUESTION)
    assert Answers().recall(*QUESTION) is None


def test_another_release_asks_again(answers: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    answers.keep(1, *QUESTION)
    monkeypatch.setattr("crosswheel.system.memo.__version__", "99")
    assert answers.recall(*QUESTION) is None


@pytest.mark.parametrize("damage", ["half", "a digit", "nothing", "no text", "another schema", "a folder"])
def test_what_is_damaged_is_as_good_as_none(answers: Answers, damage: str) -> None:
    answers.keep(12345, *QUESTION)
    place = only(answers)
    text = place.read_text()
    place.unlink()
    if damage == "a folder":
        place.mkdir()
    elif damage == "no text":
        place.write_bytes(b"\xff\xfe\x00")
    else:
        changed = {"half": text[: len(text) // 2], "a digit": text.replace("12345", "12354"), "nothing": ""}
        place.write_text(changed.get(damage, json.dumps({"schema": 0})))
    assert answers.recall(*QUESTION) is None
    if damage != "a folder":
        answers.keep(67, *QUESTION)
        assert answers.recall(*QUESTION) == 67


@pytest.mark.parametrize("change", ["touched", "replaced", "gone", "of the same size and time"])
def test_an_answer_ends_with_what_it_rests_on(answers: Answers, old: Path, change: str) -> None:
    answers.keep(1, *QUESTION, asked=later(), rests_on=[old])
    assert answers.recall(*QUESTION) == 1
    was = old.stat()
    if change == "touched":
        os.utime(old, ns=(was.st_atime_ns, was.st_mtime_ns + 1))
    elif change == "gone":
        old.unlink()
    else:
        other = old.with_name("other")
        other.write_text("CONTENT")
        os.utime(other, ns=(was.st_atime_ns, was.st_mtime_ns))
        other.replace(old)
    assert answers.recall(*QUESTION) is None


def test_that_a_file_is_not_there_may_be_what_an_answer_rests_on(answers: Answers, tmp_path: Path) -> None:
    answers.keep(1, *QUESTION, asked=later(), rests_on=[tmp_path / "pip.conf"])
    assert answers.recall(*QUESTION) == 1
    (tmp_path / "pip.conf").touch()
    assert answers.recall(*QUESTION) is None


def test_what_has_just_changed_may_have_changed_while_it_was_asked(answers: Answers, old: Path) -> None:
    answers.keep(1, *QUESTION, asked=time.time(), rests_on=[old])
    assert answers.recall(*QUESTION) is None


def test_a_cache_that_cannot_be_written_is_no_reason_to_fail(answers: Answers) -> None:
    assert answers.folder
    answers.folder.parent.mkdir()
    answers.folder.write_text("a file where the folder should be")
    answers.keep(1, *QUESTION)
    assert answers.recall(*QUESTION) is None


def test_many_may_keep_and_recall_at_once_and_nobody_sees_half_of_it(answers: Answers) -> None:
    long = ["x" * 1000] * 100

    def both(number: int) -> bool:
        answers.keep([number, *long], *QUESTION)
        return bool(answers.recall(*QUESTION)[1:] == long)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(both, range(200)))
    assert only(answers).parent.name == "pythons"


def test_use_is_noted_for_whoever_trims(answers: Answers) -> None:
    answers.keep(1, *QUESTION)
    os.utime(only(answers), (0, 0))
    answers.recall(*QUESTION)
    assert time.time() - only(answers).stat().st_mtime < 60
