"""The output of a verb while it works: what comes in between ends the display first."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from crosswheel.model.job import Fact, Note, Stage, Told
from crosswheel.reporting.narrator import Narrator


@dataclass
class Result:
    """With a text of its own."""

    def text(self, _console: Any = None) -> str:
        return "a result\n"


def test_stages_facts_and_results_stand_between_what_happens() -> None:
    stream = io.StringIO()
    with Narrator(stream, {}) as narrator:
        narrator(Stage("check", "checking 3 files", 1, 2))
        narrator(Note("looking"))
        narrator(Told(Result()))
        narrator(Fact("tiny 1.0 is released"))
        narrator(Fact("skipped", holds=False))
    assert stream.getvalue().splitlines() == [
        "1/2 check: checking 3 files",
        "looking",
        "a result",
        "✔ tiny 1.0 is released",
        "- skipped",
    ]


@pytest.mark.parametrize(
    ("typed", "answer"), [("y\n", True), ("YES\n", True), ("\n", False), ("no\n", False), ("", False)]
)
def test_only_yes_is_yes(monkeypatch: pytest.MonkeyPatch, typed: str, answer: bool) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    monkeypatch.setattr("crosswheel.reporting.narrator.forget_typed", lambda: None)
    stream = io.StringIO()
    with Narrator(stream, {}) as narrator:
        assert narrator.ask("Send them? ") is answer
    assert stream.getvalue() == "Send them? "
