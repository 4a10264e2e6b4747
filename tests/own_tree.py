"""This very tree as the maintainer releases it: committed, with its changelog written, tagged, and built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import crosswheel

ROOT = Path(__file__).parents[1]
VERSION = crosswheel.__version__
_GIT = ("git", "-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false")
_LONGEST = 900  # seconds


@dataclass(frozen=True)
class OwnTree:
    """A copy of the tree in a repository of its own, and what `crosswheel wheels` makes of it."""

    folder: Path

    @property
    def wheelhouse(self) -> Path:
        return self.folder / "wheelhouse"

    @property
    def wheel(self) -> Path:
        return self.wheelhouse / f"crosswheel-{VERSION}-py3-none-any.whl"

    @property
    def sdist(self) -> Path:
        return self.wheelhouse / f"crosswheel-{VERSION}.tar.gz"

    @property
    def epoch(self) -> str:
        """The time of its commit, in seconds since 1970."""
        return run(*_GIT, "log", "-1", "--format=%ct", cwd=self.folder).strip()


def released_tree(folder: Path) -> OwnTree:
    """The tree with all that a release of it needs. Skips where nobody knows which files belong to the tree."""
    if not (ROOT / ".git").exists():
        pytest.skip("only a checkout can be released: this folder has no .git")
    tree = OwnTree(folder)
    names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    run(*_GIT, "init", "--quiet", cwd=folder)
    run(*_GIT, "add", ".", cwd=folder)
    run(*_GIT, "commit", "--quiet", "--message", "The tree", cwd=folder)
    run(sys.executable, "-m", "towncrier", "build", "--yes", "--version", VERSION, cwd=folder)
    run(*_GIT, "commit", "--quiet", "--all", "--message", f"Changelog of {VERSION}", cwd=folder)
    run(*_GIT, "tag", f"v{VERSION}", cwd=folder)
    run(sys.executable, "-m", "crosswheel", "wheels", cwd=folder)
    return tree


def run(*command: str, cwd: Path, **environ: str) -> str:
    """The standard output of a command that has to succeed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=_LONGEST,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
