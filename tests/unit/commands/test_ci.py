"""The verb `ci`: it writes, compares, and keeps what is not its own."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

import crosswheel as cw
from crosswheel.commands import run_verb
from crosswheel.errors import NothingToDo, Outdated, UsageError
from crosswheel.model.ci import SYSTEMS as NAMES
from crosswheel.workflows.systems import SYSTEMS

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "tiny"
version = "1.0"
requires-python = ">=3.12"
[tool.crosswheel]
arch = ["aarch64"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


def ci(project: Path, **options: Any) -> tuple[int, str]:
    stream = io.StringIO()
    return run_verb("ci", project, options, stream), stream.getvalue()


def test_the_names_of_the_systems_are_those_that_the_option_allows() -> None:
    assert tuple(SYSTEMS) == NAMES


def test_it_writes_once_and_then_finds_nothing_to_change(project: Path) -> None:
    exit_code, told = ci(project)
    assert exit_code == 0
    assert told.splitlines() == [
        "aarch64-native  on ubuntu-24.04-arm: cp312,cp313,cp314,cp314t,cp315,cp315t",
        ".github/workflows/wheels.yml was written · 1 job for GitHub Actions",
        "  once: on PyPI, add a trusted publisher: workflow wheels.yml, environment pypi",
    ]
    written = project / ".github" / "workflows" / "wheels.yml"
    before = written.stat().st_mtime_ns
    assert ".github/workflows/wheels.yml is as it should be" in ci(project)[1]
    assert ci(project, check=True)[0] == 0
    assert written.stat().st_mtime_ns == before


def test_a_change_of_the_configuration_is_a_difference(project: Path) -> None:
    ci(project)
    (project / "pyproject.toml").write_text(PROJECT.replace('["aarch64"]', '["aarch64", "s390x"]'))
    stream = io.StringIO()
    with pytest.raises(Outdated, match=r"is not the one that crosswheel .* writes for this project") as caught:
        run_verb("ci", project, {"check": True, "json": "ci.json"}, stream)
    assert caught.value.exit_code == 30
    assert caught.value.hint == "crosswheel ci github"
    assert '+          - name: "s390x-accelerated"' in stream.getvalue()
    document = json.loads((project / "ci.json").read_text())
    assert (document["state"], document["kind"]) == ("different", "ci")
    assert [row["name"] for row in document["matrix"]["include"]] == ["aarch64-native", "s390x-accelerated"]
    ci(project)
    assert ci(project, check=True)[0] == 0


def test_check_without_a_file_says_how_to_get_one(project: Path) -> None:
    with pytest.raises(Outdated, match=r"wheels\.yml does not exist for this project"):
        ci(project, check=True)


def test_a_dry_run_shows_the_file_and_writes_none(project: Path) -> None:
    exit_code, told = ci(project, **{"dry-run": True})
    assert exit_code == 0
    assert "+permissions: {}" in told
    assert not (project / ".github").exists()


def test_a_file_of_somebody_else_stays(project: Path) -> None:
    theirs = project / ".github" / "workflows" / "wheels.yml"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"name: mine\n\xff")
    for options in ({}, {"check": True}, {"dry-run": True}):
        with pytest.raises(UsageError, match="crosswheel did not write it: it is left as it is") as caught:
            ci(project, **options)
        assert caught.value.hint.startswith("git mv .github/workflows/wheels.yml")
    assert theirs.read_bytes() == b"name: mine\n\xff"


def test_steps_in_marked_places_and_newer_pins_stay(project: Path) -> None:
    ci(project)
    path = project / ".github" / "workflows" / "wheels.yml"
    text = path.read_text()
    end = "      # <<< your own: before-wheels"
    commit = "0123456789" * 4
    text = text.replace(end, f"      - run: echo mine\n{end}").replace(cw_pin(text), f"{commit}  # v99.0.0")
    path.write_text(text.replace("fail-fast: false", "fail-fast: true"))
    ci(project)
    after = path.read_text()
    assert f"      - run: echo mine\n{end}" in after
    assert after.count(f"actions/checkout@{commit}  # v99.0.0") == text.count("uses: actions/checkout@")
    assert "fail-fast: false" in after
    assert ci(project, check=True)[0] == 0


def cw_pin(text: str) -> str:
    line = next(line for line in text.splitlines() if "uses: actions/checkout@" in line)
    return line.partition("@")[2]


def test_an_unknown_system_is_named_with_the_known_ones(project: Path) -> None:
    with pytest.raises(UsageError, match="--system: must be one of github, gitlab, circleci, travis, not 'jenkins'"):
        ci(project, system="jenkins")


KEYS = ("system", "environment", "runners", "pull-requests", "branches", "schedule", "install", "timeout")


def test_mistakes_in_the_table_are_told_all_at_once(project: Path) -> None:
    table = """
[tool.crosswheel.ci]
system = "jenkins"
enviroment = "pypi"
timeout = 0
schedule = "weekly"
pull-requests = "no"
branches = ["a\\nb"]
install = ""
runners = { arm64 = "x", s390x = 3 }
"""
    (project / "pyproject.toml").write_text(PROJECT + table)
    with pytest.raises(UsageError) as caught:
        ci(project)
    assert caught.value.mistakes == [
        "ci.system: must be one of github, gitlab, circleci, travis, not 'jenkins'",
        f"ci.enviroment: no such key (did you mean environment?); known: {', '.join(KEYS)}",
        "ci.timeout: must be a number of minutes, 1 or more, not 0",
        "ci.schedule: must be five fields of cron, such as \"17 4 * * 1\", not 'weekly'",
        "ci.pull-requests: must be true or false, not 'no'",
        "ci.branches: must be a list of texts, not ['a\\nb']",
        "ci.install: must be a text of one line, not ''",
        "ci.runners.arm64: no such architecture (did you mean aarch64?)",
        "ci.runners.s390x: must be a text of one line, not 3",
    ]


def test_a_runner_of_ones_own_builds_natively_and_none_makes_it_emulated(project: Path) -> None:
    table = '[tool.crosswheel.ci]\nrunners = { aarch64 = "", riscv64 = "ubuntu-24.04-riscv" }\n'
    archs = PROJECT.replace('["aarch64"]', '["aarch64", "riscv64"]')
    (project / "pyproject.toml").write_text(archs + table)
    made = cw.ci(project=project, dry_run=True).groups
    assert [(one.name, one.runner) for one in made] == [
        ("aarch64-accelerated", "ubuntu-24.04"),
        ("riscv64-native", "ubuntu-24.04-riscv"),
    ]


def test_json_on_standard_output_is_alone_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code, told = ci(project, json="-")
    assert exit_code == 0
    assert json.loads(told)["state"] == "written"
    assert "wheels.yml was written" in capsys.readouterr().err
    assert not (project / "-").exists()


def test_without_a_target_there_is_no_file(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace(">=3.12", ">=4"))
    with pytest.raises(NothingToDo, match="no target is left for the CI system"):
        ci(project)
    assert not (project / ".github").exists()
