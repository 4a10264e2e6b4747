"""Readiness of trees on private, further and misbehaving indexes, and of inputs that are none."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import crosswheel as cw
from crosswheel.errors import (
    Conflict,
    CrosswheelError,
    IndexUnreachable,
    NoCredentials,
    PythonTooOld,
    SourceError,
    TooManyRequests,
    UnknownPackage,
    UsageError,
    WrongHash,
)
from index_server import IndexServer, index_server
from tiny_projects import tar_of
from unit.commands.test_readiness import release

GIVEN: dict[str, Any] = {"platforms": "manylinux_2_34_aarch64", "python": "cp312"}
LOGIN = "user:p@ss/w:r%d #1"


def fill(server: IndexServer, folder: Path) -> None:
    """Serve the files of a folder, and the metadata of its wheels (PEP 658)."""
    for path in folder.iterdir():
        server.files.setdefault(path.name.split("-")[0], {})[path.name] = path.read_bytes()
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                name = next(name for name in archive.namelist() if name.endswith("/METADATA"))
                server.metadata[path.name] = archive.read(name)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """`app` requires `engine`, which only has an older wheel for aarch64."""
    folder = tmp_path / "files"
    folder.mkdir()
    release(folder, "app", "1.0", "py3-none-any", requires="engine")
    release(folder, "engine", "2.0", "cp312-cp312-manylinux_2_28_x86_64")
    release(folder, "engine", "1.0", "cp312-cp312-manylinux_2_28_aarch64")
    return folder


@pytest.fixture
def server(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    with index_server() as running:
        fill(running, files)
        monkeypatch.setenv("PIP_INDEX_URL", running.url)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        yield running


def newest(*requirements: Path | str) -> str:
    """The newest version of the engine that has a wheel, as the explanation has it."""
    (tree,) = cw.readiness(requirements, **GIVEN).trees
    ((verdict, told),) = tree.explanations.items()
    assert verdict.name == "engine"
    return told.newest


def test_an_index_with_a_login(server: IndexServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.login = LOGIN
    with pytest.raises(NoCredentials, match="could not be resolved"):
        cw.readiness("app", **GIVEN)
    user, _, password = LOGIN.partition(":")
    address = server.url.replace("http://", f"http://{user}:{quote(password, safe='')}@")
    monkeypatch.setenv("PIP_INDEX_URL", address)
    assert newest("app") == "1.0"


def test_a_login_in_netrc(server: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.login = "user:secret"
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert newest("app") == "1.0"


@pytest.mark.parametrize("variable", ["PIP_EXTRA_INDEX_URL", "UV_INDEX"])
def test_every_index_of_the_installer_explains(
    variable: str, server: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with index_server() as further:
        for name in ("files", "metadata"):
            getattr(further, name).update(getattr(server, name))
        further.files = {"engine": server.files.pop("engine")}
        monkeypatch.setenv(variable, further.url)
        assert newest("app") == "1.0"


def refusal(*requirements: Path | str, **more: Any) -> CrosswheelError:
    with pytest.raises(CrosswheelError) as caught:
        cw.readiness(requirements, **{**GIVEN, **more})
    return caught.value


def test_each_kind_of_bad_input_has_its_error_and_its_next_command(
    server: IndexServer, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "README.md"
    text.write_text("# Title\n\nThis is a text.\n")
    assert (type(refusal(text)), refusal(text).hint[:20]) == (UsageError, "crosswheel readiness")
    text.write_bytes(bytes(range(256)))
    assert isinstance(refusal(text), UsageError)
    unknown = refusal("nothing-of-that-name")
    assert (type(unknown), unknown.hint[:18]) == (UnknownPackage, "check the spelling")
    assert {type(refusal(name)) for name in ("engine==3.0", "engine>2", "app>=2")} == {UnknownPackage}
    conflict = refusal("engine==1.0", "engine==2.0")
    assert (type(conflict), conflict.hint[:6]) == (Conflict, "loosen")
    release(files, "other", "1.0", "py3-none-any", requires="engine<2")
    release(files, "modern", "1.0", "py3-none-any", python=">=3.14")
    fill(server, files)
    assert isinstance(refusal("other", "engine>=2"), Conflict)
    older = refusal("modern")
    assert (type(older), older.hint[:8]) == (PythonTooOld, "--python")
    monkeypatch.setattr(server, "errors", 100)
    monkeypatch.setenv("UV_NO_CACHE", "1")
    assert isinstance(refusal("app"), IndexUnreachable)


def test_an_index_that_limits_requests_is_asked_again_later(server: IndexServer) -> None:
    server.errors, server.failing, server.retry_after = 1, 429, 1
    limited = refusal("app")
    assert (type(limited), limited.hint[:22]) == (TooManyRequests, "the same command again")
    assert newest("app") == "1.0"


def test_an_index_that_is_slow_is_waited_for_as_long_as_uv_waits(
    server: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.delay = 0.3
    assert newest("app") == "1.0"
    server.delay = 3.0
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    slow = refusal("app")
    assert (type(slow), slow.hint[:22]) == (IndexUnreachable, "export UV_HTTP_TIMEOUT")


def test_an_index_without_metadata_files_is_read_by_its_wheels(server: IndexServer) -> None:
    server.metadata.clear()
    assert newest("app") == "1.0"


def test_an_index_whose_metadata_are_not_what_it_says(server: IndexServer) -> None:
    server.promised["app-1.0-py3-none-any.whl.metadata"] = "0" * 64
    lie = refusal("app")
    assert (type(lie), lie.hint[:23]) == (WrongHash, "ask the operator of the")


@pytest.mark.usefixtures("server")
def test_groups_and_extras_of_projects_elsewhere(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "0"\n[project.optional-dependencies]\nfast = ["engine"]\n'
        '[dependency-groups]\ndev = ["app"]\n'
    )
    wanted: tuple[dict[str, Any], ...] = ({"extra": "fast"}, {"group": "dev"})
    names = [{one.name for one in cw.readiness(project, **given, **GIVEN).trees[0].verdicts} for given in wanted]
    assert names == [{"engine"}, {"app", "engine"}]
    assert isinstance(refusal(project, group="absent"), UsageError)
    assert isinstance(refusal(project, extra="absent"), UsageError)


def test_a_package_whose_metadata_cannot_be_built_is_named(server: IndexServer, files: Path) -> None:
    """Its requirements stay unknown, and the rest is judged."""
    project = b'[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    broken = {"PKG-INFO": b"Metadata-Version: 2.1\nName: odd\nVersion: 1.0\n", "own.py": b"raise Oops\n"}
    tar_of({**broken, "pyproject.toml": project}, files, top="odd-1.0/", name="odd-1.0.tar.gz")
    fill(server, files)
    report = cw.readiness(["odd", "app"], **GIVEN)
    (tree,) = report.trees
    assert tree.unknown == ("odd",)
    assert {verdict.name: verdict.state for verdict in tree.verdicts}["odd"] == "to build"
    assert "the requirements of odd are not known" in str(report)


@pytest.mark.usefixtures("server")
def test_of_several_inputs_those_that_can_be_are_judged(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").write_text("no lock")
    report = cw.readiness(["app", tmp_path / "pylock.toml"], **GIVEN)
    assert [tree.named for tree in report.trees] == ["app"]
    assert report.exit_code == SourceError.exit_code
    assert "is not TOML" in str(report)
    assert "is not TOML" in report.markdown()
    assert report.document()["refused"][0]["kind"] == "SourceError"


def test_a_wheelhouse_tells_of_wrong_hashes_and_keeps_the_rest(
    server: IndexServer, files: Path, tmp_path: Path
) -> None:
    """The index promises another sha256 for one sdist and one wheel than their bytes have."""
    release(files, "good", "1.0", "py3-none-any")
    fill(server, files)
    server.promised["app-1.0-py3-none-any.whl"] = "0" * 64
    server.promised["engine-2.0.tar.gz"] = "1" * 64
    output = tmp_path / "house"
    python = f"cp3{sys.version_info[1]}"
    report = cw.wheelhouse(["app", "good"], output=output, test="never", platforms=GIVEN["platforms"], python=python)
    assert report.exit_code == WrongHash.exit_code
    assert "wrong sha256" in str(report)
    assert {verdict.name for verdict in report.missing} == {"app", "engine"}
    assert (output / "good-1.0-py3-none-any.whl").is_file()


@pytest.mark.usefixtures("server")
def test_a_project_in_a_folder_is_built_from_there(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
        '[project]\nname = "here"\nversion = "1.0"\n'
    )
    report = cw.wheelhouse(f"here @ file://{project}", dry_run=True, output=tmp_path / "house", **GIVEN)
    (outcome,) = report.outcomes
    assert Path(outcome.package.verdict.file) == project
