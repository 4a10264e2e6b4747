"""What git says, asked of real repositories."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

from crosswheel.errors import NotReleasable
from crosswheel.system.git import Checkout, last_commit, read_checkout, releasable_tag
from crosswheel.system.process import Processes

GIT = {
    "PATH": "/usr/bin:/bin",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    **{f"GIT_{who}_DATE": "1700000000 +0000" for who in ("AUTHOR", "COMMITTER")},
}
Git = Callable[..., None]


@pytest.fixture
def git(tmp_path: Path) -> Git:
    def run(*words: str) -> None:
        subprocess.run(["/usr/bin/env", "git", *words], cwd=tmp_path, env=GIT, check=True, capture_output=True)

    run("init")
    (tmp_path / "a.txt").write_text("a")
    run("add", "a.txt")
    run("commit", "-m", "first")
    return run


def read(folder: Path, *apart: Path) -> Checkout:
    return read_checkout(folder, Processes(), GIT, apart)


def test_commit_time_and_tags(tmp_path: Path, git: Git) -> None:
    git("tag", "v1.0")
    git("tag", "-a", "nightly", "-m", "text")
    checkout = read(tmp_path)
    assert (len(checkout.commit), checkout.committed) == (40, 1_700_000_000)
    assert (checkout.tags, checkout.changes) == (("nightly", "v1.0"), ())
    assert releasable_tag(checkout, Version("1.0.0"), "v{version}") == "v1.0"


def test_the_last_commit_is_of_what_has_something_of_the_folder(tmp_path: Path, git: Git) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "b.txt").touch()
    assert last_commit(tmp_path, Processes(), GIT) == 1_700_000_000
    assert last_commit(tmp_path / "new", Processes(), GIT) is None
    git("add", "new")
    git("commit", "-m", "second")
    assert last_commit(tmp_path / "new", Processes(), GIT) == 1_700_000_000


@pytest.mark.parametrize("environ", [GIT, {}, {"PATH": "/nowhere"}])
def test_without_a_repository_or_git_there_is_no_commit(environ: dict[str, str], tmp_path: Path) -> None:
    assert last_commit(tmp_path, Processes(), environ) is None


def test_tags_of_other_commits_do_not_count(tmp_path: Path, git: Git) -> None:
    git("tag", "v1.0")
    git("commit", "--allow-empty", "-m", "second")
    assert read(tmp_path).tags == ()


def test_changes_and_new_files_are_seen_from_below_too(tmp_path: Path, git: Git) -> None:
    (tmp_path / "a.txt").write_text("b")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "new.txt").touch()
    assert read(tmp_path / "below").changes == (" M a.txt", "?? below/")


def test_what_was_built_is_no_change(tmp_path: Path, git: Git) -> None:
    for folder in ("wheelhouse", "src"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.whl").touch()
    assert read(tmp_path, tmp_path / "wheelhouse", Path("/elsewhere")).changes == ("?? src/",)
    assert read(tmp_path / "src", tmp_path / "wheelhouse").changes == ("?? src/",)


def test_no_token_reaches_what_git_may_start(tmp_path: Path, git: Git) -> None:
    (tmp_path / "spy").write_text(f"#!/bin/sh\nenv > {tmp_path}/.git/seen\n")
    (tmp_path / "spy").chmod(0o755)
    git("config", "core.fsmonitor", str(tmp_path / "spy"))
    read_checkout(tmp_path, Processes(), {**GIT, "TWINE_PASSWORD": "canary"})
    seen = (tmp_path / ".git" / "seen").read_text()
    assert "GIT_TERMINAL_PROMPT=0" in seen
    assert "canary" not in seen


def test_a_folder_without_repository_or_commit(tmp_path: Path) -> None:
    with pytest.raises(NotReleasable, match="is not in a git repository") as caught:
        read(tmp_path)
    assert caught.value.exit_code == 25
    subprocess.run(["/usr/bin/env", "git", "init"], cwd=tmp_path, env=GIT, check=True, capture_output=True)
    with pytest.raises(NotReleasable, match="has no commit yet"):
        read(tmp_path)


def test_a_machine_without_git(tmp_path: Path) -> None:
    with pytest.raises(NotReleasable, match="git is not installed"):
        read_checkout(tmp_path, Processes(), {"PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("checkout", "complaint"),
    [
        (Checkout("c" * 40, 0, ("v1.0",), ("?? new",)), "uncommitted changes: new"),
        (Checkout("c" * 40, 0), "the commit cccccccccccc has no tag v1.0"),
        (Checkout("c" * 40, 0, ("1.0",)), "the commit cccccccccccc has no tag v1.0, only 1.0"),
        (Checkout("c" * 40, 0, ("v1.1",)), "the tag on this commit is v1.1, but the files have version 1.0"),
        (
            Checkout("c" * 40, 0, (), tuple(f" M {number}" for number in range(7))),
            "uncommitted changes: 0, 1, 2, 3, 4 and 2 more\nthe commit cccccccccccc has no tag v1.0",
        ),
    ],
)
def test_what_stands_against_a_release_is_said_at_once(checkout: Checkout, complaint: str) -> None:
    with pytest.raises(NotReleasable) as caught:
        releasable_tag(checkout, Version("1.0"), "v{version}")
    assert caught.value.message == complaint
    assert caught.value.hint


@pytest.mark.parametrize(
    ("tag", "tag_format"),
    [("1.0", "{version}"), ("tiny-v1.0.0", "tiny-v{version}"), ("v1.0/final", "v{version}/final")],
)
def test_tags_of_another_form(tag: str, tag_format: str) -> None:
    assert releasable_tag(Checkout("c" * 40, 0, ("x", tag)), Version("1.0"), tag_format) == tag


def test_what_a_users_settings_change_of_gits_answers_is_not_heard_of(tmp_path: Path, git: Git) -> None:
    git("config", "log.showSignature", "true")
    git("config", "status.showUntrackedFiles", "no")
    (tmp_path / "new.txt").touch()
    assert last_commit(tmp_path, Processes(), GIT) == 1_700_000_000
    assert read(tmp_path).changes == ("?? new.txt",)
