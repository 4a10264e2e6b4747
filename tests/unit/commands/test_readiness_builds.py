"""Packages that uv builds for their metadata: what they see of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import crosswheel as cw
from crosswheel.model.job import deaf
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.namespace_support import Allowed
from crosswheel.system.refusal import Refusal
from crosswheel.testing import serving_index
from tiny_projects import tar_of
from unit.commands.test_readiness import GIVEN, release

# Its metadata say what the build can read.
SPY = """
import os, pathlib
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = pathlib.Path(folder, "spy-1.0.dist-info")
    info.mkdir()
    seen = [f"seen{number}" for number, path in enumerate(PLACES) if os.access(path, os.R_OK)]
    seen += ["seenvariable" for value in os.environ.values() if "canary" in value]
    lines = [f"Requires-Dist: {name}" for name in ["harmless", *seen]]
    head = ["Metadata-Version: 2.1", "Name: spy", "Version: 1.0"]
    (info / "METADATA").write_text("\\n".join([*head, *lines, ""]))
    (info / "WHEEL").write_text("Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return info.name
def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise SystemExit("only metadata")
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home with secrets, and an index with a package whose metadata have to be built."""
    home, index = tmp_path / "home", tmp_path / "index"
    for folder in (home / ".ssh", home / "project", index):
        folder.mkdir(parents=True)
    (home / ".ssh" / "id").write_text("canary")
    places = [str(home / ".ssh" / "id"), str(home / "project" / "secret.txt")]
    (home / "project" / "secret.txt").write_text("canary")
    project = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    project += '[project]\nname = "spy"\nversion = "1.0"\ndynamic = ["dependencies"]\n'
    members = {"PKG-INFO": b"Metadata-Version: 2.1\nName: spy\nVersion: 1.0\n", "pyproject.toml": project.encode()}
    members["own.py"] = f"PLACES = {places!r}\n{SPY}".encode()
    tar_of(members, index, top="spy-1.0/", name="spy-1.0.tar.gz")
    for name in ("harmless", "seen0", "seen1", "seenvariable"):
        release(index, name, "1.0", "py3-none-any")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("UPLOAD_TOKEN", "canary")
    monkeypatch.setenv("UV_PUBLISH_TOKEN", "canary")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path / "cache"))
    with serving_index(index) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        yield home


@pytest.mark.parametrize("sandboxed", [True, False])
def test_a_build_of_metadata_sees_no_secrets(home: Path, sandboxed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without namespaces it sees files, and no variables."""
    if not sandboxed:
        no = Refusal("not here", "nothing")
        monkeypatch.setattr(LocalHost, "allowed", Allowed(no, no, no))
    elif refusal := local_host(offline=False, listener=deaf).allowed.namespaces:
        pytest.skip(refusal.reason)
    requirements, more = home / "project" / "requirements.txt", home / "project" / "more"
    more.mkdir()
    requirements.write_text("-r more/base.txt\n")
    (more / "base.txt").write_text("spy\n")
    (tree,) = cw.readiness(requirements, **GIVEN).trees
    seen = [] if sandboxed else ["seen0", "seen1"]
    assert sorted({verdict.name for verdict in tree.verdicts}) == ["harmless", *seen, "spy"]
    assert tree.unknown == ()


def test_a_project_whose_metadata_are_built_stays_as_it_was(home: Path) -> None:
    """It writes where the build is, as setuptools does."""
    project = home / "project"
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
        '[project]\nname = "mine"\nversion = "1.0"\ndynamic = ["dependencies"]\n'
    )
    spy = SPY.replace("spy", "mine").replace(
        "    info.mkdir()\n", '    info.mkdir()\n    open("egg-info", "w").close()\n'
    )
    (project / "own.py").write_text(f"PLACES = []\n{spy}")
    (tree,) = cw.readiness(project, **GIVEN).trees
    assert {verdict.name for verdict in tree.verdicts} == {"harmless"}
    if not local_host(offline=False, listener=deaf).allowed.overlay:
        assert not (project / "egg-info").exists()
