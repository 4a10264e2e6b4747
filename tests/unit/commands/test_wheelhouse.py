"""The verb, with uv, an index on this machine, and an engine without a compiler."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crosswheel as cw
from crosswheel.testing import serving_index
from tiny_projects import tar_of
from unit.commands.test_readiness import release

GIVEN: dict[str, Any] = {
    "platforms": ["manylinux_2_34_aarch64"],
    "python": [f"cp3{sys.version_info[1]}"],
    "engine": "cross",
}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "index"
    folder.mkdir()
    release(folder, "app", "1.0", "py3-none-any", requires="missing")
    sdist(folder, "missing")
    with serving_index(folder) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        yield folder


def sdist(folder: Path, name: str, backend: str = "") -> None:
    """A pure package that only has an sdist, with a backend of its own."""
    stem = f"{name}-1.0"
    project = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    project += f'[project]\nname = "{name}"\nversion = "1.0"\n'
    members = {"PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: 1.0\n".encode()}
    members |= {"pyproject.toml": project.encode(), "own.py": (backend or BACKEND).encode()}
    tar_of(members, folder, top=f"{stem}/", name=f"{stem}.tar.gz")


BACKEND = """
import base64, hashlib, pathlib, re, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = re.search('name = "(.*)"', pathlib.Path("pyproject.toml").read_text())[1]
    info = f"{name}-1.0.dist-info"
    members = {f"{name}.py": b"x = 1\\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\\nGenerator: own\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    rows = ""
    with zipfile.ZipFile(pathlib.Path(folder, f"{name}-1.0-py3-none-any.whl"), "w") as wheel:
        for path, data in members.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows += f"{path},sha256={digest},{len(data)}\\n"
            wheel.writestr(path, data)
        wheel.writestr(f"{info}/RECORD", rows + f"{info}/RECORD,,\\n")
    return f"{name}-1.0-py3-none-any.whl"
"""


@pytest.mark.usefixtures("index")
def test_the_folder_has_all_that_an_installer_needs(tmp_path: Path) -> None:
    output = tmp_path / "house"
    report = cw.wheelhouse("app", output=output, test="never", **GIVEN)
    assert report.ok, str(report)
    assert [(one.package.name, one.state) for one in report.outcomes] == [("missing", "built")]
    assert {path.name for path in output.glob("*.whl")} == {"app-1.0-py3-none-any.whl", "missing-1.0-py3-none-any.whl"}
    document = json.loads((output / "wheelhouse.json").read_text())
    assert document["missing"] == []
    (proof,) = document["proof"]
    assert (proof["installs"], proof["reason"]) == (True, "")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--find-links", str(output)]
    subprocess.run([*command, "--target", str(tmp_path / "installed"), "app"], check=True, env=dict(os.environ))
    assert (tmp_path / "installed" / "missing.py").is_file()


def test_a_failure_stops_nothing_but_what_needs_it(index: Path, tmp_path: Path) -> None:
    sdist(index, "broken", "def build_wheel(folder, config_settings=None, metadata_directory=None):\n    raise Oops\n")
    output = tmp_path / "house"
    report = cw.wheelhouse(["app", "broken"], output=output, test="never", **GIVEN)
    assert {one.package.name: one.state for one in report.outcomes} == {"missing": "built", "broken": "failed"}
    (failure,) = report.outcomes[0].failures  # its second try needs a compiler, which this index may not have
    assert report.exit_code == failure.exit_code
    assert failure.kind in {"BuildFailed", "MissingTool"}
    assert [verdict.name for verdict in report.missing] == ["broken"]
    assert re.search(r"^  broken: ", str(report), re.MULTILINE)
    ((cell, reason),) = report.proof.items()
    assert "broken==1.0" in reason
    assert f"{cell} cannot be installed from the folder alone" in str(report)
    assert (output / "missing-1.0-py3-none-any.whl").is_file()


@pytest.mark.usefixtures("index")
def test_a_dry_run_builds_nothing(tmp_path: Path) -> None:
    output = tmp_path / "house"
    report = cw.wheelhouse("app", output=output, dry_run=True, **GIVEN)
    assert report.ok
    assert not output.exists()
    assert "1 package would be built" in str(report)


def test_all_builds_also_what_the_index_has(index: Path, tmp_path: Path) -> None:
    sdist(index, "there")
    release(index, "there", "1.0", f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-manylinux_2_17_aarch64")
    planned = [
        cw.wheelhouse(["app", "there"], output=tmp_path, dry_run=True, all=every, **GIVEN) for every in (False, True)
    ]
    assert [[one.package.name for one in report.outcomes] for report in planned] == [["missing"], ["missing", "there"]]


def test_wheels_in_a_folder_of_this_machine_are_taken_too(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    links, output = tmp_path / "links", tmp_path / "house"
    links.mkdir()
    release(links, "near", "1.0", "py3-none-any")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    report = cw.wheelhouse("near", output=output, test="never", **GIVEN)
    assert report.ok, str(report)
    assert (output / "near-1.0-py3-none-any.whl").is_file()
