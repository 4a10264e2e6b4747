"""Releases to real indexes, from a commit to the last look: what a maintainer types, and what is there afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from indexes.releases import Project, make_project
from indexes.servers import Served

pytestmark = pytest.mark.indexes


@pytest.fixture
def project(served: Served, tmp_path: Path) -> Project:
    return make_project(tmp_path, {"real": served}, 'repository = "real"\n')


def test_a_release_is_complete(project: Project, tmp_path: Path) -> None:
    before = project.run("status", "--json", str(tmp_path / "before.json"))
    assert before.returncode == 26, before.stdout
    released = project.run("release", "--yes")
    assert released.returncode == 0, released.stdout
    assert project.served("real", tmp_path) == project.files
    after = project.run("status", "--json", str(tmp_path / "after.json"))
    assert after.returncode == 0, after.stdout
    assert json.loads((tmp_path / "after.json").read_text())["complete"]
