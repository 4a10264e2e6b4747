"""The files of all systems, for projects of every kind, are judged by the systems' own schemas, yamllint and zizmor."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from crosswheel.engines import LADDER
from crosswheel.model.ci import parse_settings
from crosswheel.model.config_reader import load_config
from crosswheel.workflows.groups import group
from crosswheel.workflows.places import read_places, write_place
from crosswheel.workflows.systems import SYSTEMS, System
from crosswheel.workflows.text import Project, file_text, is_ours

SCHEMAS = {"github": "github-workflows", "gitlab": "gitlab-ci", "circleci": "circle-ci", "travis": "travis"}
# The places of users are indented as what belongs in them, which is not always as the line below.
LINT = "{extends: default, rules: {line-length: {max: 120}, comments-indentation: disable}}"
PLAIN: dict[str, Any] = {}
FULL: dict[str, Any] = {
    "environment": 'release: the "real" one',
    "runners": {"riscv64": "my riscv #1"},
    "pull-requests": False,
    "branches": ["main", "release/*"],
    "schedule": "17 4 * * 1",
    "install": "python -m pip install 'crosswheel @ git+https://example.org/a: b' # mine",
    "timeout": 30,
}
PROJECTS = [
    Project("pypi", "v{version}", has_submodules=False),
    Project("testpypi", "tiny-{version}", has_submodules=True),
    Project("https://index.example/?a=b: c&d #e", "release/[{version}]", has_submodules=False),
]


def written(system: System, table: dict[str, Any], project: Project, before: str = "", *, chosen: bool = True) -> str:
    mistakes: list[str] = []
    settings = parse_settings(table, mistakes)
    assert not mistakes
    runners = {**system.runners, **settings.runners}
    archs = ["x86_64", "i686", "aarch64", "armv7l", "ppc64le", "s390x", "riscv64"]
    code = {"arch": archs, "python": ["cp312", "cp314t"], "engines": {"cp314t-*": "cross"}}
    config = load_config(Path("/nowhere"), {}, code=code)
    made = group(config.targets(config.build.python), config, LADDER, runners)
    groups = tuple(replace(one, chosen=chosen) for one in made)
    return file_text(system, groups, settings, project, runners, before)


def all_files(system: System) -> Iterator[str]:
    for project in PROJECTS:
        for table in (PLAIN, FULL):
            # Travis knows its architectures by name.
            own = {**table, "runners": {"aarch64": "arm64"}} if system.name == "travis" else table
            yield written(system, own, project)
    yield written(system, PLAIN, PROJECTS[0], chosen=False)


def judge(folder: Path, *command: str) -> None:
    """Fail with what a linter says, if its exit code is not 0."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class Judge:
    """Runs linters in Python as ``python -m`` does, but in this process: to import them takes longer than to lint."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, folder: Path, module: str, *arguments: str) -> None:
        """Fail with what it says, if its exit code is not 0."""
        self._monkeypatch.chdir(folder)
        self._monkeypatch.setattr(sys, "argv", [module, *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_module(module, run_name="__main__")
        assert end.value.code in {0, None}, "".join(self._capsys.readouterr())


@pytest.fixture
def judge_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Judge:
    return Judge(monkeypatch, capsys)


@pytest.fixture(params=list(SYSTEMS.values()), ids=list(SYSTEMS))
def system(request: pytest.FixtureRequest) -> System:
    assert isinstance(request.param, System)
    return request.param


@pytest.mark.no_cover
def test_the_schema_of_the_system_knows_all_that_is_written(system: System, tmp_path: Path, judge_here: Judge) -> None:
    for number, text in enumerate(all_files(system)):
        (tmp_path / f"{number}.yml").write_text(text)
    files = sorted(path.name for path in tmp_path.iterdir())
    schema = f"vendor.{SCHEMAS[system.name]}"
    judge_here(tmp_path, "check_jsonschema", "--builtin-schema", schema, *files)


@pytest.mark.no_cover
def test_yamllint_has_nothing_to_say(system: System, tmp_path: Path, judge_here: Judge) -> None:
    for number, text in enumerate(all_files(system)):
        (tmp_path / f"{number}.yml").write_text(text)
    judge_here(tmp_path, "yamllint", "--strict", "--config-data", LINT, ".")


def test_zizmor_finds_nothing_in_workflows_of_github(tmp_path: Path) -> None:
    for number, text in enumerate(all_files(SYSTEMS["github"])):
        path = tmp_path / str(number) / ".github" / "workflows" / "wheels.yml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    zizmor = str(Path(sys.executable).with_name("zizmor"))
    judge(tmp_path, zizmor, "--offline", "--quiet", "--no-config", "--pedantic", ".")


def test_a_file_is_known_as_ours_and_written_again_as_it_is(system: System) -> None:
    for table in (PLAIN, FULL):
        text = written(system, table, PROJECTS[0])
        assert is_ours(text)
        assert written(system, table, PROJECTS[0], text) == text


def test_every_place_keeps_what_a_user_writes_into_it(system: System) -> None:
    text = written(system, PLAIN, PROJECTS[0])
    places = read_places(text, system.path)
    assert set(places) >= {"before-wheels", "after-wheels", "jobs"}
    for name in places:
        begin = next(line for line in text.splitlines() if f">>> your own: {name} " in line)
        own = f"{begin[: begin.index('#')]}# mine, in {name}\n"
        text = text.replace(begin, f"{begin}\n{own}".rstrip("\n"))
    assert written(system, FULL, PROJECTS[1], text).count("# mine, in ") == len(places)
    assert write_place("jobs", {}, 0, "x") not in text


def test_actions_are_pinned_and_nothing_more_than_needed_is_allowed() -> None:
    workflow = yaml.safe_load(written(SYSTEMS["github"], FULL, PROJECTS[0]))
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"]
    trusted = [name for name, job in jobs.items() if "id-token" in job["permissions"]]
    assert trusted == ["publish"]
    assert jobs["publish"]["environment"] == {"name": FULL["environment"]}
    assert [step["uses"].partition("@")[0] for step in jobs["publish"]["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ]
    assert jobs["publish"]["needs"] == ["check"]
    assert "tag" in jobs["publish"]["if"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    assert all(step["with"]["persist-credentials"] is False for step in steps if "actions/checkout@" in str(step))
    assert not [step for step in steps if "cache" in step.get("uses", "")]
    assert all(job["timeout-minutes"] == FULL["timeout"] for job in jobs.values())
    assert jobs["wheels"]["strategy"]["fail-fast"] is False


def test_a_project_for_cibuildwheel_decides_itself_what_is_built(system: System) -> None:
    text = written(system, PLAIN, PROJECTS[0], chosen=False)
    assert "--engine" not in text
    assert "ENGINE" not in text
    assert "--engine" in written(system, PLAIN, PROJECTS[0])


def test_jobs_run_where_they_are_native() -> None:
    workflow = yaml.safe_load(written(SYSTEMS["github"], PLAIN, PROJECTS[0]))
    matrix = {row["name"]: row["runner"] for row in workflow["jobs"]["wheels"]["strategy"]["matrix"]["include"]}
    assert matrix["aarch64-native"] == "ubuntu-24.04-arm"
    assert {label for name, label in matrix.items() if name != "aarch64-native"} == {"ubuntu-24.04"}
    assert {"s390x-accelerated", "riscv64-cross", "i686-native"} <= set(matrix)
