"""Actions are pinned by commit; a newer pin in a user's file stays."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from crosswheel.workflows.pins import Pin, newest_pins, our_pins, use

OURS = {"actions/checkout": Pin("7.0.1", "a" * 40)}


def test_every_pin_is_a_commit_with_a_version() -> None:
    for pin in our_pins().values():
        assert re.fullmatch("[0-9a-f]{40}", pin.commit)
        assert re.fullmatch(r"\d+\.\d+\.\d+", pin.version)


def test_newer_pins_of_a_file_stay_and_older_ones_do_not() -> None:
    newer, older = Pin("7.1.0", "b" * 40), Pin("6.9.9", "c" * 40)
    for pin, expected in ((newer, newer), (older, OURS["actions/checkout"])):
        text = f"      - uses: {use('actions/checkout', {'actions/checkout': pin})}\n"
        assert newest_pins(text, OURS) == {"actions/checkout": expected}


def test_dependabots_spelling_of_the_comment_is_read() -> None:
    assert newest_pins(f"- uses: actions/checkout@{'d' * 40} # v8\n", OURS)["actions/checkout"].version == "8"


def test_pins_of_other_actions_are_left_out() -> None:
    assert newest_pins(f"- uses: other/action@{'d' * 40} # v8\n", OURS) == OURS


TOOLS = Path(__file__).parents[3] / "tools"


@pytest.fixture
def refresh_actions() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh_actions", TOOLS / "refresh_actions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    command = ["git", *own, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_the_pins_are_those_of_the_newest_tags_of_real_repositories(
    refresh_actions: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commits = {}
    for number, action in enumerate(sorted(our_pins())[1:]):
        folder = tmp_path / action
        folder.mkdir(parents=True)
        git(folder, "init", "-q")
        for version in ("v98.9.0", "v98.10.0"):
            git(folder, "commit", "-q", "--allow-empty", "-m", f"{version} {number}")
            git(folder, "tag", *(["-a", "-m", "x"] if number % 2 else []), version)
        git(folder, "tag", "v99.0.0-rc1")
        git(folder, "tag", "v99")
        commits[action] = git(folder, "rev-parse", "HEAD")
    assert refresh_actions.main(f"{tmp_path}/", tmp_path / "actions.toml") == 1
    written = (tmp_path / "actions.toml").read_text()
    for action, commit in commits.items():
        assert f'["{action}"]\nversion = "98.10.0"\ncommit = "{commit}"\n' in written
    left = min(our_pins())
    assert f'["{left}"]\nversion = "{our_pins()[left].version}"\n' in written
    assert f"{left}: {our_pins()[left].version} -> {our_pins()[left].version} (no answer" in capsys.readouterr().out


def test_the_file_is_written_as_it_stands(refresh_actions: ModuleType) -> None:
    assert refresh_actions.file_text(our_pins().items()) == refresh_actions.FILE.read_text()
