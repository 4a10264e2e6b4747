"""The verb, with uv, an index on this machine, and an engine without a compiler."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from platform import machine
from typing import Any

import pytest

import crosswheel as cw
from crosswheel.errors import BuildCycle, FileClash, NoCredentials, UsageError
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.model.job import Event, JobFinished, Note, Progress, Sdist, StepStarted
from crosswheel.testing import serving_index
from tiny_projects import tar_of
from unit.commands.test_readiness import release
from upload_server import UploadServer, upload_server

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


def sdist(folder: Path, name: str, backend: str = "", *, version: str = "1.0", requires: str = "") -> None:
    """A pure package that only has an sdist, with a backend of its own, which requires `requires`."""
    stem = f"{name}-{version}"
    listed = f'"{requires}"' if requires else ""
    project = f'[build-system]\nrequires = [{listed}]\nbuild-backend = "own"\nbackend-path = ["."]\n'
    project += f'[project]\nname = "{name}"\nversion = "{version}"\n'
    members = {"PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n".encode()}
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
def test_nothing_changed_unpacks_and_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path / "cache"))
    unpacked: list[Path] = []

    def unpack(sdist: Sdist, folder: Path) -> Path:
        unpacked.append(sdist.path)
        return unpack_sdist(sdist, folder)

    monkeypatch.setattr("crosswheel.commands.wheelhouse_builds.unpack_sdist", unpack)
    began: list[Event] = []

    def listen(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "build":
            began.append(event)

    for _ in range(2):
        assert cw.wheelhouse("app", output=tmp_path / "house", test="never", listener=listen, **GIVEN).ok
    assert (len(unpacked), len(began)) == (1, 1)


def test_builds_that_need_each_other_are_named_and_the_rest_is_built(index: Path, tmp_path: Path) -> None:
    """None has a published wheel, so none can be built."""
    sdist(index, "hen", requires="egg")
    sdist(index, "egg", requires="hen")
    notes: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Note):
            notes.append(event.text)

    output = tmp_path / "house"
    report = cw.wheelhouse(["app", "hen", "egg"], output=output, test="never", listener=listen, all=True, **GIVEN)
    assert any(note.startswith("the builds of egg, hen need each other") for note in notes)
    assert {one.package.name: one.state for one in report.outcomes} == {
        "missing": "built",
        "egg": "failed",
        "hen": "failed",
    }
    failures = [failure for outcome in report.outcomes for failure in outcome.failures]
    assert all("whose own build requires" in failure.message for failure in failures)
    assert report.exit_code == BuildCycle.exit_code


SLOW = f"import time\ntime.sleep(2)\n{BACKEND}"


def test_packages_that_need_nothing_of_each_other_are_built_at_the_same_time(index: Path, tmp_path: Path) -> None:
    sdist(index, "one", SLOW)
    sdist(index, "two", SLOW)
    sdist(index, "after", BACKEND, requires="two")
    heard: list[Any] = []
    report = cw.wheelhouse(
        ["one", "after", "two"], output=tmp_path, test="never", jobs=2, listener=heard.append, **GIVEN
    )
    assert report.ok, str(report)
    assert [one.package.name for one in report.outcomes] == ["two", "one", "after"]
    jobs = {event.project: event.outcome for event in heard if isinstance(event, JobFinished)}
    began = {project: outcome.started or 0.0 for project, outcome in jobs.items()}
    ended = {project: outcome.ended or 0.0 for project, outcome in jobs.items()}
    assert max(began["one 1.0"], began["two 1.0"]) < min(ended["one 1.0"], ended["two 1.0"])
    assert began["after 1.0"] >= ended["two 1.0"]
    assert [event.done for event in heard if isinstance(event, Progress)] == [1, 2, 3]


def test_an_interrupt_ends_all_builds(index: Path, tmp_path: Path) -> None:
    sdist(index, "one", SLOW.replace("2", "60"))
    sdist(index, "two", SLOW.replace("2", "60"))
    building: set[str] = set()

    def interrupt(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == "build":
            building.add(event.project)
            if len(building) == 2:
                raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        cw.wheelhouse(["one", "two"], output=tmp_path, test="never", jobs=2, listener=interrupt, **GIVEN)
    assert time.monotonic() - began < 50
    assert not list(tmp_path.glob("*.whl"))


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


def test_build_requirements_come_from_the_folder_first(index: Path, tmp_path: Path) -> None:
    """A newer sdist of the requirement, which cannot be built, would be taken from the index otherwise."""
    sdist(index, "missing", "raise Oops\n", version="2.0")
    sdist(index, "needy", f"import missing\n{BACKEND}", requires="missing")
    report = cw.wheelhouse(["missing==1.0", "needy"], output=tmp_path / "house", test="never", **GIVEN)
    assert {one.package.name: one.state for one in report.outcomes} == {"missing": "built", "needy": "built"}


RUNS_HERE = "import importlib.metadata\nassert importlib.metadata.version('tool') == '1.0'\n"


def test_by_cross_a_build_takes_this_machines_wheel_of_a_requirement_that_failed(index: Path, tmp_path: Path) -> None:
    release(index, "tool", "1.0", f"cp3{sys.version_info[1]}-cp3{sys.version_info[1]}-manylinux_2_17_{machine()}")
    sdist(index, "tool", "raise Oops\n")
    sdist(index, "needy", f"{RUNS_HERE}{BACKEND}", requires="tool")
    report = cw.wheelhouse(["tool", "needy"], output=tmp_path / "house", test="never", **GIVEN)
    assert {one.package.name: one.state for one in report.outcomes} == {"tool": "failed", "needy": "built"}


# ---- the upload to an index -------------------------------------------------------------------------------------

TINY = "tiny-1.0-py3-none-any.whl"


@pytest.fixture
def server(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UploadServer]:
    """An index for the upload, and a package `tiny` to build for it."""
    sdist(index, "tiny")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setenv("TWINE_USERNAME", "me")
    monkeypatch.setenv("TWINE_PASSWORD", "secret")
    with upload_server() as running:
        yield running


def to_index(server: UploadServer, folder: Path, **more: Any) -> cw.WheelhouseReport:
    given = {**GIVEN, "output": folder, "test": "never", "patience": 1, **more}
    return cw.wheelhouse("tiny", repository=server.url, **given)


def test_the_result_goes_to_an_index_which_is_read_back(server: UploadServer, tmp_path: Path) -> None:
    output = tmp_path / "house"
    planned = to_index(server, output, dry_run=True)
    assert (planned.ok, server.sent, planned.uploads) == (True, [], ())  # there is no wheel yet
    report = to_index(server, output)
    assert report.ok, str(report)
    assert [(str(one.release), one.sent) for one in report.uploads] == [("tiny 1.0", (TINY,))]
    assert "serves 1 release of this tree" in str(report)
    assert server.sent == [TINY]
    (uploaded,) = json.loads((output / "wheelhouse.json").read_text())["uploads"]
    assert (uploaded["name"], uploaded["sent"], uploaded["failure"]) == ("tiny", [TINY], None)
    again = to_index(server, output)
    assert again.ok, str(again)
    assert server.sent == [TINY]


def test_a_dry_run_names_what_the_index_lacks(server: UploadServer, tmp_path: Path) -> None:
    cw.wheelhouse("tiny", output=tmp_path / "house", test="never", **GIVEN)
    report = to_index(server, tmp_path / "house", dry_run=True)
    assert [one.sent for one in report.uploads] == [(TINY,)]
    assert "1 file of this folder would be uploaded" in str(report)
    assert server.sent == []


def test_other_bytes_on_the_index_are_told_with_their_exit_code(server: UploadServer, tmp_path: Path) -> None:
    server.files[TINY] = b"other"
    report = to_index(server, tmp_path / "house")
    assert report.exit_code == FileClash.exit_code
    assert "tiny 1.0 is not on" in str(report)
    assert (tmp_path / "house" / TINY).is_file()


def test_public_indexes_and_missing_logins_are_refused_before_anything_is_built(
    server: UploadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="for releases of your own projects"):
        cw.wheelhouse("tiny", repository="pypi", output=tmp_path / "house", **GIVEN)
    monkeypatch.delenv("TWINE_PASSWORD")
    with pytest.raises(NoCredentials):
        to_index(server, tmp_path / "house")
    assert not (tmp_path / "house").exists()


def test_the_index_of_the_projects_releases_is_not_for_the_tree(index: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.crosswheel]\nrepository = "pypi"\n')
    assert index.is_dir()
    report = cw.wheelhouse("missing", project=tmp_path, dry_run=True, **GIVEN)
    assert report.repository == ""
