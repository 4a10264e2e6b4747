"""What stops a release before its first stage; with real indexes it is tried in tests/real_indexes."""

from __future__ import annotations

import importlib
import io
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import filelock
import pytest

from crosswheel.commands import border, run_verb
from crosswheel.commands import release as command
from crosswheel.commands.release import ReleaseWork, fold
from crosswheel.errors import CheckFailed, NothingToDo, NotReleasable, UsageError
from crosswheel.model.job import Event, Fact, Stage
from crosswheel.steps import Steps
from crosswheel.testing import tiny_wheel
from tiny_projects import tar_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With nobody at the terminal."""
    monkeypatch.setattr(border, "is_interactive", lambda: False)
    (tmp_path / "wheelhouse").mkdir()
    tiny_wheel(tmp_path / "wheelhouse")
    return tmp_path


def release(project: Path, **options: Any) -> str:
    stream = io.StringIO()
    assert run_verb("release", project, options, stream) == 0
    return stream.getvalue()


def test_nobody_is_asked_who_is_not_there(project: Path) -> None:
    with pytest.raises(UsageError, match="there is no terminal to confirm on") as caught:
        release(project)
    assert caught.value.hint == "crosswheel release --yes; or --dry-run, to see what it would do"


def test_of_two_at_a_time_the_second_stops(project: Path) -> None:
    with (
        filelock.FileLock(project / "wheelhouse" / ".crosswheel-release.lock"),
        pytest.raises(NotReleasable, match=r"another release from .*wheelhouse is in progress") as caught,
    ):
        release(project, yes=True)
    assert caught.value.hint == "wait for its end; crosswheel status shows its progress"


def test_a_rehearsal_is_elsewhere(project: Path) -> None:
    with pytest.raises(UsageError, match="staging: it is pypi itself"):
        release(project, yes=True, staging="pypi")


def test_without_files_there_is_nothing_to_release(project: Path) -> None:
    next((project / "wheelhouse").iterdir()).unlink()
    with pytest.raises(NothingToDo):
        release(project, yes=True)


def test_a_release_begins_with_the_commit(project: Path) -> None:
    """Which is told before it is looked for."""
    stream = io.StringIO()
    with pytest.raises(NotReleasable, match="is not in a git repository"):
        run_verb("release", project, {"dry-run": True}, stream)
    assert stream.getvalue() == "1/6 commit: looking whether the working tree is clean and tagged v1.0\n"
    assert [path.name for path in (project / "wheelhouse").iterdir()] == ["tiny-1.0-py3-none-any.whl"]


def test_what_is_released_and_the_locks_beside_it_are_no_changes(project: Path) -> None:
    """In a second folder, of which everything else is the commit's."""
    (project / "dist").mkdir()
    tar_of({"PKG-INFO": b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"}, project / "dist")
    (project / ".gitignore").write_text("/wheelhouse/\n")
    git = ["git", "-c", "user.name=tester", "-c", "user.email=tester"]
    for words in (["init"], ["add", ".gitignore"], ["commit", "-m", "first"], ["tag", "v1.0"]):
        subprocess.run([*git, *words], cwd=project, check=True, capture_output=True)
    named = [str(project / "wheelhouse"), str(project / "dist")]
    with pytest.raises(NotReleasable, match="changelog"):  # which is the next stage
        release(project, yes=True, wheels=named)
    (project / "dist" / "more.txt").touch()
    with pytest.raises(NotReleasable, match="uncommitted changes: dist/"):
        release(project, yes=True, wheels=named)


def test_one_error_and_several_are_told_in_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, said in ((1, "1 error in these files"), (2, "2 errors in these files")):
        findings = [Mock(is_error=True)] * count
        monkeypatch.setattr(command, "checked", lambda *_, findings=findings: Mock(findings=findings))
        with pytest.raises(CheckFailed, match=f"^{said}\n"):
            command.check(Mock())


def folded(steps: Steps[ReleaseWork], events: list[Event], **config: Any) -> ReleaseWork:
    """A release whose files and indexes nobody has looked at."""
    given = Mock(**{"config.output.dry_run": False, **config}, listener=events.append)
    return fold(steps, ReleaseWork(given, (Mock(version="1.0"),), Mock(), None))


def test_own_steps_run_where_they_were_put_and_not_in_a_dry_run() -> None:
    def announce(work: ReleaseWork) -> ReleaseWork:
        """Tell everybody."""
        return replace(work, tag="told")

    steps = Steps((announce,))
    events: list[Event] = []
    assert folded(steps, events).tag == "told"
    assert events == [Stage("announce", "Tell everybody.", 1, 1)]
    assert folded(steps, events, **{"config.output.dry_run": True}).tag == ""
    assert events[-1] == Fact("skipped: a dry run sends nothing", holds=False)
    assert command.RELEASE.after("verify", announce).names.index("announce") == 7


def test_what_no_step_has_checked_is_not_sent() -> None:
    assert command.RELEASE.without("check").names == (
        "commit", "changelog", "upload-staging", "verify-staging", "upload", "verify", "manifest",
    )  # fmt: skip
    with pytest.raises(CheckFailed, match="no step has checked these files"):
        folded(Steps((command.upload,)), [])


def test_the_functions_of_the_page_are_there() -> None:
    text = (Path(__file__).parents[3] / "docs" / "release.md").read_text("utf-8")
    named = re.findall(r"`(crosswheel(?:\.\w+)*)\.(\w+)`", text)
    assert len(named) >= 7
    assert [name for module, name in named if not callable(getattr(importlib.import_module(module), name))] == []
