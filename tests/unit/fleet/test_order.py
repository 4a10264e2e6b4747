"""What travels to a worker, and what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crosswheel.errors import UsageError
from crosswheel.fleet.child import _with_constraints
from crosswheel.fleet.order import options_of, order_for
from crosswheel.fleet.wire import plain
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Sdist
from tiny_projects import TARGETS

SDIST = Sdist(Path("tiny-1.0.tar.gz"), "tiny", "1.0", "ab" * 32)


def config(tmp_path: Path, **options: Any) -> Config:
    return load_config(tmp_path, {}, code={name.replace("_", "-"): value for name, value in options.items()})


def test_defaults_do_not_travel(tmp_path: Path) -> None:
    assert options_of(config(tmp_path), TARGETS[0]) == {}


def test_the_options_of_the_project_travel_as_they_stand_in_its_file(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "environment": {"A": "b"},
        "config_settings": {"x": ["y", "z"]},
        "test_requires": ["pytest"],
        "images": {"manylinux2014_aarch64": "one", "dockcross": {"manylinux2014_aarch64": "two"}},
        "timeout": 60,
        "fresh": True,
    }
    sent = options_of(config(tmp_path, **given), TARGETS[0])
    assert sent == given
    code = {name.replace("_", "-"): value for name, value in sent.items()}
    assert options_of(load_config(tmp_path, {}, code=code), TARGETS[0]) == sent


def test_constraints_travel_as_lines_and_are_files_there(tmp_path: Path) -> None:
    (tmp_path / "build.txt").write_text("cython==3.1.2\n-c more.txt\n")
    (tmp_path / "more.txt").write_text("setuptools<81\n")
    (tmp_path / "test.txt").write_text("pytest==8.3.0\n")
    names = {"build_constraint": ["build.txt"], "test_constraint": ["test.txt"]}
    here = config(tmp_path, **names)
    sent, worker = options_of(here, TARGETS[0]), tmp_path / "worker"
    worker.mkdir()
    there = config(worker, **{name: [str(path)] for name, path in _with_constraints(sent, worker).items()})
    assert there.build.build_constraint == here.build.build_constraint == ("cython==3.1.2", "setuptools<81")
    assert there.test.constraint == here.test.constraint == ("pytest==8.3.0",)


def test_what_each_machine_decides_for_itself_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_INDEX_URL", "https://user:secret@index.invalid/simple")
    given = {"output": "x", "docker_host": "ssh://secret", "jobs": 3, "scheduler": "tls://h:1", "arch": ["s390x"]}
    order = order_for(SDIST, TARGETS[:2], "cross", config(tmp_path, **given), {})
    assert "secret" not in json.dumps(plain(order))
    assert order.keywords == {
        "arch": ["aarch64"],
        "python": ["cp311", "cp312"],
        "policy": "manylinux2014",
        "engine": "cross",
    }


def test_only_rules_that_a_worker_knows_are_ignored_there(tmp_path: Path) -> None:
    ignore = {"W302": "our own launcher loads it", "X001": "a rule of the project"}
    assert options_of(config(tmp_path, ignore=ignore), TARGETS[0]) == {"ignore": {"W302": ignore["W302"]}}


def test_a_folder_of_this_machine_is_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(UsageError, match="workers do not have"):
        options_of(config(tmp_path, sysroot={"aarch64": "root"}), TARGETS[0])


def test_a_key_stands_for_the_order(tmp_path: Path) -> None:
    usual = order_for(SDIST, TARGETS[:1], "cross", config(tmp_path), {})
    assert usual.key == order_for(SDIST, TARGETS[:1], "cross", config(tmp_path, jobs=2), {"memory": 1.0}).key
    assert usual.key != order_for(SDIST, TARGETS[:1], "cross", config(tmp_path, strip=True), {}).key
    afresh = order_for(SDIST, TARGETS[:1], "cross", config(tmp_path, fresh=True), {})
    assert afresh.key != order_for(SDIST, TARGETS[:1], "cross", config(tmp_path, fresh=True), {}).key
