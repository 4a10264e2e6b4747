"""crosswheel released with crosswheel: a dry run, the release to an index, and an installation from there by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from own_tree import VERSION, OwnTree, released_tree, run
from real_indexes.releases import Project, write_pypirc
from real_indexes.servers import PypiServer

pytestmark = [pytest.mark.real_indexes, pytest.mark.index]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> OwnTree:
    return released_tree(tmp_path_factory.mktemp("own") / "tree")


def test_crosswheel_releases_itself(tree: OwnTree, pypiserver: PypiServer, tmp_path: Path) -> None:
    served = pypiserver.new_index()
    write_pypirc(tmp_path / "home", {"home": served})
    project = Project(shutil.copytree(tree.folder, tmp_path / "tree"), {"home": served})
    rehearsed = project.run("release", "--dry-run", "--repository", "home")
    assert rehearsed.returncode == 0, rehearsed.stdout
    assert "2 files to send to home, 0 already there" in rehearsed.stdout
    released = project.run("release", "--yes", "--repository", "home")
    assert released.returncode == 0, released.stdout
    assert f"crosswheel {VERSION} is released" in released.stdout
    # By its name, and what it requires from the usual index.
    environment = tmp_path / "environment"
    run("uv", "venv", "--quiet", str(environment), cwd=tmp_path)
    install = (
        "uv",
        "pip",
        "install",
        "--quiet",
        "--no-cache-dir",
        "--python",  # nox names its own environment in UV_PYTHON
        str(environment),
        "--index",
        served.simple_url,
        f"crosswheel=={VERSION}",
    )
    run(*install, cwd=tmp_path)
    assert run(str(environment / "bin" / "crosswheel"), "--version", cwd=tmp_path) == f"crosswheel {VERSION}\n"
    told = run(str(environment / "bin" / "crosswheel"), "plan", "--python", "cp312", str(tree.sdist), cwd=tmp_path)
    assert "cp312-manylinux2014_aarch64" in told
