"""The console command, before it knows what it is asked."""

from __future__ import annotations

import sys

import pytest

from crosswheel import __main__, __version__, tasks


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_is_told_without_the_tasks(
    flag: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["crosswheel", flag])
    monkeypatch.setitem(sys.modules, "crosswheel.tasks", None)
    monkeypatch.setitem(sys.modules, "invoke", None)
    __main__.main()
    assert capfd.readouterr().out == f"crosswheel {__version__}\n"


@pytest.mark.parametrize("words", [[], ["plan"], ["--version", "plan"]])
def test_all_else_is_for_the_tasks(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["crosswheel", *words])
    monkeypatch.setattr(tasks, "main", lambda: heard.append(sys.argv[1:]))
    __main__.main()
    assert heard == [words]
