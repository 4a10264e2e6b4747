"""cibuildwheel's own reader, installed from the index, asked in a process of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crosswheel.cibuildwheel import reader
from crosswheel.cibuildwheel.reader import Question, resolve
from crosswheel.cibuildwheel.release import Release
from crosswheel.cibuildwheel.resolution import Build
from crosswheel.errors import CrosswheelError, IndexUnreachable, MissingTool, UsageError
from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag, load_table
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from tiny_projects import tiny_host

pytestmark = pytest.mark.index

_NEWEST = Release(f"=={load_table('cibuildwheel.toml')['version']}")
_OLDER = Release("==3.4.1", ".github/workflows/wheels.yml")
_QUESTION = Question("aarch64", "aarch64", {})
_SOME = ("contourpy", "pandas", "pillow", "pybase64", "pymssql", "scipy")


@pytest.fixture(scope="module")
def host(debian_cache: Path) -> LocalHost:
    """This machine, with environments that are kept between runs."""
    folder = debian_cache / "cibuildwheel-readers"
    folder.mkdir(parents=True, exist_ok=True)
    found = replace(local_host(offline=False, listener=deaf), cache=folder)
    if max(found.interpreters) < PythonTag(11):
        pytest.skip("cibuildwheel needs CPython 3.11, which this machine does not have")
    return found


@pytest.fixture(scope="module")
def tables() -> Path:
    """The tables of real projects, which are no part of this repository."""
    place = os.environ.get("CROSSWHEEL_CIBW_TABLES") or Path(__file__).parents[4] / "shared" / "cibw-tables"
    if not Path(place).is_dir():
        pytest.skip("set CROSSWHEEL_CIBW_TABLES to a folder with pyproject.toml files of real projects, as NAME.toml")
    return Path(place)


def project(folder: Path, table: str, name: str = "demo") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text(f'{table}\n[project]\nname = "{name}"\nversion = "1.0"\n')
    return folder


# ---- the same as cibuildwheel itself --------------------------------------------------------------------------


@pytest.mark.parametrize("release", [_NEWEST, _OLDER], ids=["newest", "3.4.1"])
@pytest.mark.parametrize("names", [_SOME, pytest.param((), id="all", marks=[pytest.mark.slow, pytest.mark.daily(1)])])
def test_tables_of_real_projects_say_the_same_as_to_cibuildwheel_itself(
    names: Sequence[str], release: Release, tables: Path, host: LocalHost, tmp_path: Path
) -> None:
    folders = []
    for table in sorted(tables.glob("*.toml")):
        if not names or table.stem in names:
            (tmp_path / table.stem).mkdir()
            (tmp_path / table.stem / "pyproject.toml").write_bytes(table.read_bytes())
            folders.append(tmp_path / table.stem)
    assert folders
    python = reader._environment(release, host, deaf)
    program = str(Path(__file__).with_name("direct.py"))
    environ = {"PATH": os.defpath, "HOME": str(tmp_path)}
    text = host.processes.run([str(python), "-I", program, *map(str, folders)], env=environ)
    expected = json.loads(text.splitlines()[-1])
    for folder in folders:
        assert ours(folder, release, host) == expected[str(folder)], folder.name


def ours(folder: Path, release: Release, host: LocalHost) -> Any:
    try:
        resolution = resolve(folder, release, _QUESTION, host, deaf)
    except UsageError as error:
        refused = error.message.partition("\n")[2]
        return refused.partition(": ")[2] if refused.startswith("KeyError: ") else refused
    return {build.identifier: described(build) for build in resolution.builds}


def described(build: Build) -> dict[str, Any]:
    """In the shape of direct.py."""
    return {
        "before_all": build.before_all,
        "before_build": build.before_build,
        "before_test": build.before_test,
        "test_command": build.test_command,
        "repair_command": build.repair,
        "config_settings": list(build.config_settings),
        "test_requires": list(build.test_requires),
        "test_sources": list(build.test_sources),
        "image": build.image,
        "extras": build.test_extras and f"[{build.test_extras}]",
        "tested": build.tested,
        # Asked without an environment, cibuildwheel has nothing to pass.
        "environment": {
            one.name: None if one.runs or one.needs else one.value for one in build.environment if not one.passed
        },
        "create_args": list(build.create_args),
        "front_end": list(build.front_end),
    }


# ---- what counts ----------------------------------------------------------------------------------------------


def identifiers(folder: Path, host: LocalHost, question: Question = _QUESTION) -> list[str]:
    return [build.identifier for build in resolve(folder, _NEWEST, question, host, deaf).builds]


def test_variables_of_the_caller_win_over_the_table(host: LocalHost, tmp_path: Path) -> None:
    folder = project(tmp_path, "[tool.cibuildwheel]\nbuild = 'cp312-*'\n")
    assert identifiers(folder, host) == ["cp312-manylinux_aarch64", "cp312-musllinux_aarch64"]
    question = replace(_QUESTION, variables={"CIBW_BUILD": "cp313-manylinux*"})
    assert identifiers(folder, host, question) == ["cp313-manylinux_aarch64"]
    (build,) = resolve(folder, _NEWEST, question, host, deaf).builds
    assert build.written == ("build",)


def test_a_changed_file_is_read_again_and_another_file_counts_where_it_is_named(
    host: LocalHost, tmp_path: Path
) -> None:
    folder = project(tmp_path, "[tool.cibuildwheel]\nbuild = 'cp312-manylinux*'\n")
    assert identifiers(folder, host) == ["cp312-manylinux_aarch64"]
    project(tmp_path, "[tool.cibuildwheel]\nbuild = 'cp313-manylinux*'\n")
    assert identifiers(folder, host) == ["cp313-manylinux_aarch64"]
    (tmp_path / "own.toml").write_text("[tool.cibuildwheel]\nbuild = 'cp311-manylinux*'\n")
    question = replace(_QUESTION, variables={"CIBW_CONFIG_FILE": "own.toml"})
    assert identifiers(folder, host, question) == ["cp311-manylinux_aarch64"]


def test_without_architectures_those_of_the_project_count_and_auto_is_the_machine(
    host: LocalHost, tmp_path: Path
) -> None:
    folder = project(tmp_path, "[tool.cibuildwheel]\nbuild = 'cp312-manylinux*'\narchs = 'auto x86_64'\n")
    question = Question("", "riscv64", {})
    assert identifiers(folder, host, question) == ["cp312-manylinux_x86_64", "cp312-manylinux_riscv64"]


def test_what_only_a_container_knows_is_said(host: LocalHost, tmp_path: Path) -> None:
    table = ["[tool.cibuildwheel]", "build = 'cp312-manylinux*'", "environment-pass = ['HIS']"]
    values = ['A = "x"', 'B = "$A/$HOME"', 'C = "$(nproc)"', 'D = "$A-${AUDITWHEEL_ARCH}"']
    folder = project(tmp_path, "\n".join([*table, "[tool.cibuildwheel.environment]", *values]))
    (build,) = resolve(folder, _NEWEST, _QUESTION, host, deaf).builds
    his, a, b, c, d = build.environment
    assert (his.name, his.passed, his.value) == ("HIS", True, "")
    assert (a.value, b.needs, c.runs, d.value) == ("x", ("HOME",), True, "x-aarch64")


# ---- bad input ------------------------------------------------------------------------------------------------


def refused(folder: Path, release: Release, host: LocalHost) -> CrosswheelError:
    with pytest.raises(CrosswheelError) as caught:
        resolve(folder, release, _QUESTION, host, deaf)
    assert caught.value.hint
    return caught.value


def test_a_table_that_cibuildwheel_refuses_is_refused_in_its_words(host: LocalHost, tmp_path: Path) -> None:
    folder = project(tmp_path, "[tool.cibuildwheel]\nbild = '*'\n")
    error = refused(folder, _OLDER, host)
    assert isinstance(error, UsageError)
    assert "cibuildwheel 3.4.1, which .github/workflows/wheels.yml pins, refuses the configuration" in error.message
    assert "Option 'bild' not supported in a config file. Perhaps you meant 'build'?" in error.message


def test_a_pin_that_does_not_exist_is_named_with_its_file(host: LocalHost, tmp_path: Path) -> None:
    error = refused(project(tmp_path, ""), Release("==3.99.9", "requirements.txt"), host)
    assert isinstance(error, MissingTool)
    assert "cibuildwheel==3.99.9, which requirements.txt pins" in error.message
    assert "cannot be installed: Because there is no version of cibuildwheel==3.99.9" in error.message
    assert error.hint == "correct the pin in requirements.txt"


def test_a_release_that_is_too_old_to_be_asked_is_named(host: LocalHost, tmp_path: Path) -> None:
    error = refused(project(tmp_path, ""), Release("==1.12.0", "requirements.txt"), host)
    assert isinstance(error, MissingTool)
    assert "cibuildwheel==1.12.0, which requirements.txt pins, cannot be asked" in error.message


def test_a_python_that_is_too_old_for_the_release_is_named(host: LocalHost, tmp_path: Path) -> None:
    old = {tag: found for tag, found in host.interpreters.items() if tag <= PythonTag(10)}
    if not old:
        pytest.skip("no CPython 3.10 or older on this machine")
    error = refused(project(tmp_path, ""), _NEWEST, replace(host, interpreters=old))
    assert isinstance(error, MissingTool)
    assert "needs a newer Python" in error.message


def test_offline_it_must_have_been_installed_before(host: LocalHost, tmp_path: Path) -> None:
    index = Index(PipSettings(), tmp_path / "cache", offline=True)
    there = replace(host, index=replace(host.index, offline=True))
    folder = project(tmp_path / "demo", "[tool.cibuildwheel]\nbuild = 'cp312-manylinux*'\n")
    resolve(folder, _NEWEST, _QUESTION, host, deaf)
    assert identifiers(folder, there) == ["cp312-manylinux_aarch64"]
    elsewhere = {**host.environ, "UV_CACHE_DIR": str(tmp_path / "uv")}
    error = refused(folder, _NEWEST, replace(host, cache=tmp_path / "cache", index=index, environ=elsewhere))
    assert isinstance(error, IndexUnreachable)
    assert "reads this project's configuration" in error.message


def test_without_any_python_there_is_nothing_to_ask(tmp_path: Path) -> None:
    host = replace(tiny_host(tmp_path), interpreters={})
    assert isinstance(refused(project(tmp_path, ""), _NEWEST, host), MissingTool)
