"""The verb, with uv and an index on this machine."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import jsonschema  # type: ignore[import-untyped]
import pytest

import crosswheel as cw
from crosswheel.commands import run_verb
from crosswheel.errors import IndexUnreachable, SourceError, UsageError, WheelsMissing
from crosswheel.system.interpreters import uv
from crosswheel.system.local_host import LocalHost
from crosswheel.testing import serving_index, tiny_wheel
from schemas import schema_of
from tiny_projects import tar_of

PLATFORMS = ["manylinux_2_34_aarch64", "musllinux_1_2_aarch64"]
GIVEN: dict[str, Any] = {"platforms": PLATFORMS, "python": ["cp312"]}


def release(folder: Path, name: str, version: str, *tags: str, requires: str = "", python: str = ">=3.9") -> None:
    """Wheels and an sdist of a release."""
    requirement = f"Requires-Dist: {requires}\n" if requires else ""
    metadata = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\nRequires-Python: {python}\n{requirement}"
    for tag in tags:
        members = {f"{name}-{version}.dist-info/METADATA": metadata.encode(), f"{name}.py": b""}
        tiny_wheel(folder, name=name, version=version, tag=tag, members=members)
    stem = f"{name}-{version}"
    project = f'[build-system]\nrequires = []\n[project]\nname = "{name}"\nversion = "{version}"\n'.encode()
    tar_of({"PKG-INFO": metadata.encode(), "pyproject.toml": project}, folder, top=f"{stem}/", name=f"{stem}.tar.gz")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An index with an application of three packages; `engine` has an older version with a wheel for aarch64."""
    folder = tmp_path / "index"
    folder.mkdir()
    release(folder, "app", "1.0", "py3-none-any", requires="engine")
    release(folder, "engine", "2.0", "cp312-cp312-manylinux_2_28_x86_64", requires="fast")
    release(folder, "engine", "1.0", "cp312-cp312-manylinux_2_28_aarch64", "cp312-cp312-musllinux_1_2_aarch64")
    release(folder, "fast", "1.0", "cp39-abi3-manylinux2014_aarch64", "cp39-abi3-manylinux2014_x86_64")
    with serving_index(folder) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        yield folder


def test_a_tree_is_judged_for_each_platform(index: Path, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("app\n")
    report = cw.readiness([requirements], json=tmp_path / "x.json", markdown=tmp_path / "x.md", **GIVEN)
    (tree,) = report.trees
    assert {(one.name, one.version, one.cell.policy.libc, one.state) for one in tree.verdicts} == {
        ("app", "1.0", "glibc", "pure"),
        ("app", "1.0", "musl", "pure"),
        ("engine", "2.0", "glibc", "to build"),
        ("engine", "2.0", "musl", "to build"),
        ("fast", "1.0", "glibc", "wheel"),
        ("fast", "1.0", "musl", "to build"),
    }
    assert tree.required_by == {"engine": ("app",), "fast": ("engine",)}
    assert {told.newest for one, told in tree.explanations.items() if one.name == "engine"} == {"1.0"}
    text = str(report)
    assert "build it; the last version with a wheel is 1.0" in text
    assert "on manylinux_2_34_aarch64: 2 of 3 packages ready · 1 to build" in text
    assert "on musllinux_1_2_aarch64: 1 of 3 packages ready · 2 to build" in text
    document = json.loads((tmp_path / "x.json").read_text())
    jsonschema.validate(document, schema_of("readiness"))
    assert "| engine 2.0 | ✘ build | ✘ build | app |" in (tmp_path / "x.md").read_text()
    assert report.ok  # nobody asked it to fail


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(("fail_on", "ok"), [("missing", False), ("impossible", True), ("never", True)])
def test_the_exit_code_is_for_ci(fail_on: Literal["missing", "impossible", "never"], ok: bool) -> None:
    report = cw.readiness("app", fail_on=fail_on, **GIVEN)
    assert (report.ok, report.exit_code) == (ok, 0 if ok else WheelsMissing.exit_code)


@pytest.mark.usefixtures("index")
def test_the_same_tree_again_asks_uv_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the lock; who requires what is known of the same lock."""
    asked: list[list[str]] = []
    resolve = LocalHost.resolve

    def counted(host: LocalHost, command: list[str], *places: Any) -> str:
        asked.append(command)
        return resolve(host, command, *places)

    monkeypatch.setattr(LocalHost, "resolve", counted)
    (first,), (again,) = (cw.readiness("app", **GIVEN).trees for _ in range(2))
    assert len(asked) == 3
    assert again.required_by == first.required_by == {"engine": ("app",), "fast": ("engine",)}


@pytest.mark.usefixtures("index")
def test_what_the_other_architecture_lacks_too_is_left_out() -> None:
    (tree,) = cw.readiness("app", compare="x86_64", **GIVEN).trees
    assert [(one.name, one.cell.policy.libc) for one in tree.missing] == [("engine", "glibc")]
    assert {(one.name, one.cell.policy.libc) for one in tree.left_out} == {("engine", "musl"), ("fast", "musl")}


@pytest.mark.usefixtures("index")
def test_advice_names_versions_that_install_from_wheels_alone() -> None:
    (tree,) = cw.readiness("app", advice=True, **GIVEN).trees
    assert [(str(one.cell), dict(one.pins), one.reason) for one in tree.advice] == [
        ("cp312-manylinux_2_34_aarch64", {"engine": "1.0"}, ""),
        ("cp312-musllinux_1_2_aarch64", {"engine": "1.0"}, ""),
    ]
    (tree,) = cw.readiness("engine==2.0", advice=True, **GIVEN).trees
    assert all("engine==2.0" in one.reason for one in tree.advice)


def test_a_lock_is_judged_as_it_stands(index: Path, tmp_path: Path) -> None:
    """The lock has the older engine; its newer release would have no wheel."""
    wheel = "engine-1.0-cp312-cp312-manylinux_2_28_aarch64.whl"
    lock = tmp_path / "pylock.toml"
    lock.write_text(
        'lock-version = "1.0"\ncreated-by = "test"\n[[packages]]\nname = "engine"\nversion = "1.0"\n'
        f'[[packages.wheels]]\nurl = "https://x/{wheel}"\nhashes = {{sha256 = "{"0" * 64}"}}\n'
    )
    (tree,) = cw.readiness(lock, **GIVEN).trees
    assert [one.state for one in tree.verdicts] == ["wheel", "impossible"]
    assert index.is_dir()


def test_a_python_that_is_too_old_is_told_and_the_others_are_judged(index: Path) -> None:
    release(index, "modern", "1.0", "py3-none-any", python=">=3.12")
    report = cw.readiness("modern", python=["cp311", "cp312"], platforms=PLATFORMS[:1], fail_on="missing")
    (tree,) = report.trees
    assert [str(one.cell.python) for one in tree.verdicts] == ["cp312"]
    assert [str(python) for python in tree.unsolved] == ["cp311"]
    assert "fit cp311" in str(report)
    assert not report.ok


@pytest.mark.usefixtures("index")
def test_what_cannot_be_resolved_is_said_in_the_words_of_uv(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"(?s)could not be resolved: .*nothing-of-that-name"):
        cw.readiness("nothing-of-that-name", **GIVEN)
    with pytest.raises(SourceError, match="could not be resolved"):
        cw.readiness(["engine==1.0", "engine==2.0"], **GIVEN)
    (tmp_path / "pylock.toml").write_text("lock-version = [")
    with pytest.raises(SourceError, match="is not TOML"):
        cw.readiness(tmp_path / "pylock.toml", **GIVEN)
    (tmp_path / "pylock.toml").write_text('lock-version = "1.0"\n')
    with pytest.raises(SourceError, match="is not a lock file of PEP 751"):
        cw.readiness(tmp_path / "pylock.toml", **GIVEN)
    with pytest.raises(UsageError, match="platforms: unknown platform 'arm'"):
        cw.readiness("app", platforms="arm")


def test_an_index_that_does_not_answer_has_its_own_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(IndexUnreachable, match="could not be resolved"):
        cw.readiness("app", **GIVEN)


def test_uv_lock_is_exported_and_not_resolved(index: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "p"\nversion = "0"\nrequires-python = ">=3.10"\ndependencies = ["engine<2"]\n'
    )
    here = {"UV_DEFAULT_INDEX": os.environ["PIP_INDEX_URL"], "UV_PYTHON": sys.executable}
    environ = {**os.environ, **here, "UV_PYTHON_DOWNLOADS": "never"}
    subprocess.run([uv(), "lock", "--quiet", "--project", str(project)], check=True, env=environ)
    release(index, "engine", "1.5", "py3-none-any")
    (tree,) = cw.readiness(project, **GIVEN).trees
    assert {(one.name, one.version, one.state) for one in tree.verdicts} == {("engine", "1.0", "wheel")}
    assert tree.required_by["engine"] == ("p",)


@pytest.mark.usefixtures("index")
def test_the_command_shows_the_same(tmp_path: Path) -> None:
    stream = io.StringIO()
    options = {"requirements": ["app"], "platforms": PLATFORMS, "python": ["cp312"], "fail-on": "missing"}
    assert run_verb("readiness", tmp_path, options, stream) == WheelsMissing.exit_code
    assert "engine 2.0" in stream.getvalue()


# ---- projects in folders ------------------------------------------------------------------------------------------


OLDEST = sys.version_info[1]  # uv locks with this Python


def project(folder: Path, name: str, *requires: str, more: str = "") -> None:
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "0"\nrequires-python = ">=3.{OLDEST}"\n'
        f"dependencies = {json.dumps(requires)}\n{more}"
    )


def test_paths_in_requirements_count_from_the_current_folder_as_with_pip(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package on the index has the name of the project by chance."""
    release(index, "own", "3.0", "py3-none-any")
    project(tmp_path / "here" / "own", "own", "fast")
    (tmp_path / "here" / "requirements.txt").write_text("-e ./own\n-c limits.txt\n-r more/further.in\n")
    (tmp_path / "here" / "limits.txt").write_text("fast<2\n")
    (tmp_path / "here" / "more").mkdir()
    (tmp_path / "here" / "more" / "further.in").write_text("./own\n-r also.in\n")
    (tmp_path / "here" / "more" / "also.in").write_text("engine<2\n")
    monkeypatch.chdir(tmp_path / "here")
    report = cw.readiness("requirements.txt", python="cp312", platforms=PLATFORMS[0])
    (tree,) = report.trees
    assert {one.name: one.state for one in tree.verdicts} == {"own": "to build", "fast": "wheel", "engine": "wheel"}
    assert tree.explanations == {}
    assert tree.required_by["fast"] == ("own",)
    assert "build it" in str(report)


def test_a_workspace_is_judged_without_its_own_members(index: Path, tmp_path: Path) -> None:
    """Their sources are here, on every platform; what they require counts. The lock says for which Pythons."""
    release(index, "old", "1.0", "py3-none-any", python=f"<3.{OLDEST + 1}")
    project(tmp_path / "ws" / "member", "member", "fast", f"old; python_version < '3.{OLDEST + 1}'")
    (tmp_path / "ws" / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["member"]\n')
    here = {"UV_DEFAULT_INDEX": os.environ["PIP_INDEX_URL"], "UV_PYTHON": sys.executable}
    command = [uv(), "lock", "--quiet", "--project", str(tmp_path / "ws")]
    subprocess.run(command, check=True, env={**os.environ, **here})
    (tree,) = cw.readiness(tmp_path / "ws", platforms=PLATFORMS[0]).trees
    assert {one.name: one.state for one in tree.verdicts} == {"fast": "wheel", "old": "pure"}
    assert min(cell.python for cell in tree.cells).minor == OLDEST
