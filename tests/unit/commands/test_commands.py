from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crosswheel.commands import run_verb
from crosswheel.errors import CrosswheelError, DiskFull, UsageError


def instead_of_looking_around(monkeypatch: pytest.MonkeyPatch, look_around: Callable[..., None]) -> None:
    """Instead of looking around, the verbs do this."""
    for verb in ("plan", "wheels"):
        monkeypatch.setattr(f"crosswheel.commands.{verb}.look_around", look_around)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that nobody has looked at yet: a verb that does so has missed its mistake."""

    def look_around(*_given: Any) -> None:
        raise AssertionError("looked around on the machine first")

    instead_of_looking_around(monkeypatch, look_around)
    (tmp_path / "setup.py").touch()
    return tmp_path


@pytest.mark.parametrize("output", ["taken", "taken/below"])
def test_an_output_folder_that_cannot_be_one_is_found_out_before_the_work(project: Path, output: str) -> None:
    (project / "taken").write_text("a file")
    with pytest.raises(UsageError) as caught:
        run_verb("wheels", project, {"output": output}, io.StringIO())
    assert str(caught.value) == f"--output: {project}/taken is not a folder\n  try: --output FOLDER"
    assert sorted(path.name for path in project.iterdir()) == ["setup.py", "taken"]


def test_an_output_folder_that_is_read_only_is_found_out_before_the_work(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, as which tests may run, can write anywhere
    with pytest.raises(UsageError, match=rf"--output: no permission to write to {project}\n"):
        run_verb("wheels", project, {"output": "wheelhouse"}, io.StringIO())


@pytest.mark.parametrize("verb", ["plan", "wheels"])
@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [(errno.ENOSPC, DiskFull, "no space left: /cache"), (errno.EROFS, CrosswheelError, "/cache: the system's words")],
)
def test_the_systems_own_trouble_is_an_error_of_ours_and_no_traceback(
    project: Path, monkeypatch: pytest.MonkeyPatch, verb: str, code: int, kind: type[CrosswheelError], message: str
) -> None:
    def look_around(*_given: Any) -> None:
        raise OSError(code, "the system's words", "/cache")

    instead_of_looking_around(monkeypatch, look_around)
    with pytest.raises(CrosswheelError) as caught:
        run_verb(verb, project, {}, io.StringIO())
    assert (type(caught.value), caught.value.message) == (kind, message)
