"""What a build may write to, and whom it may look at."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from crosswheel.engines.workspace import HostWorkspace
from crosswheel.system.confinement import Confinement, is_available
from tiny_projects import tiny_host

pytestmark = pytest.mark.skipif(not is_available(), reason="this kernel has no Landlock, or none of Linux 5.19")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """``cache`` is closed, ``cache/open`` is not."""
    for name in ("cache/journal", "cache/open", "project", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "cache" / "journal" / "entry").write_text("kept")
    (tmp_path / "link").symlink_to("cache")
    return tmp_path


def sh(home: Path, command: str) -> int:
    confinement = Confinement(home / "cache", (home / "cache" / "open",))
    return confinement.start(
        lambda: subprocess.run(["/bin/sh", "-c", command], cwd=home, check=False, stderr=subprocess.DEVNULL).returncode
    )


@pytest.mark.parametrize(
    "command",
    [
        "echo more > project/file",
        "echo more > cache/open/file",
        "mkdir -p project/a/b && echo > project/a/b/c && mv project/a other/a && rm -r other/a",
        "ln project/.. other/x 2>/dev/null || ln -s nowhere other/x",
        "cat cache/journal/entry",
        'echo > "$(mktemp -p other)"',
        "echo > /dev/null",
    ],
)
def test_a_build_may_write_wherever_it_could_but_for_what_is_kept(home: Path, command: str) -> None:
    assert sh(home, command) == 0


@pytest.mark.parametrize(
    "command",
    [
        "echo changed > cache/journal/entry",
        ": > cache/journal/entry",
        "rm cache/journal/entry",
        "mv cache/journal cache/open/journal",
        "echo changed > link/journal/entry",
        "mkdir cache/journal/more",
        "touch cache/more",
        "mv cache gone",
        "touch more",
        "sh -c 'sh -c \"rm cache/journal/entry\"'",
    ],
)
def test_what_is_kept_is_out_of_its_reach(home: Path, command: str) -> None:
    assert sh(home, command) != 0
    assert (home / "cache" / "journal" / "entry").read_text() == "kept"


def test_whoever_starts_it_is_not_confined_and_hears_of_errors(home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Confinement(home / "cache").start(lambda: subprocess.run(["/no-such-program"], check=False))
    (home / "cache" / "journal" / "entry").write_text("kept, too")
    (home / "more").touch()


@pytest.mark.parametrize("command", ["exec 3< /proc/{}/mem", "ls /proc/{}/root/"])
def test_a_build_looks_into_no_process_that_is_not_confined_not_even_as_root(home: Path, command: str) -> None:
    assert sh(home, command.format("self")) == 0
    assert sh(home, command.format(os.getpid())) != 0


def test_the_hooks_of_a_project_change_no_journal(tmp_path: Path) -> None:
    host = tiny_host(tmp_path)
    entry = host.cache / "journal" / "another" / "entry.json"
    entry.parent.mkdir(parents=True)
    entry.write_text("{}")
    (tmp_path / "job" / "source").mkdir(parents=True)
    workspace = HostWorkspace(host, tmp_path / "job", Path("python"), tmp_path / "log", None, {"PATH": os.defpath})
    hook = ["sh", "-c", f"echo > {entry} || echo refused; touch ../made"]
    workspace.run_hook(hook, cwd=str(tmp_path / "job" / "source"))
    assert (entry.read_text(), (tmp_path / "job" / "made").exists()) == ("{}", True)
    assert (tmp_path / "log").read_text().splitlines()[-1] == "refused"


def test_a_project_writes_to_its_own_objects_and_to_no_other_projects(tmp_path: Path) -> None:
    host = tiny_host(tmp_path)
    own, other = (host.cache / "zig" / "objects" / name for name in ("own", "other"))
    for folder in (own, other, tmp_path / "job" / "source"):
        folder.mkdir(parents=True)
    environ = {"PATH": os.defpath}
    workspace = HostWorkspace(host, tmp_path / "job", Path("python"), tmp_path / "log", None, environ, kept=(own,))
    workspace.run_hook(
        ["sh", "-c", f"touch {own}/made; touch {other}/made; true"], cwd=str(tmp_path / "job" / "source")
    )
    assert ((own / "made").exists(), (other / "made").exists()) == (True, False)
