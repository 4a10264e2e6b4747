"""The CI jobs of a project depend on its configuration and on the system's runners, never on this machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crosswheel.engines import LADDER
from crosswheel.engines.needs import ladder_for
from crosswheel.errors import UsageError
from crosswheel.model.adoption import Adoption
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Need
from crosswheel.model.targets import parse_python, parse_target
from crosswheel.workflows.groups import Group, group
from crosswheel.workflows.systems import SYSTEMS

RUNNERS = SYSTEMS["github"].runners


def groups(ladder: tuple[str, ...] = LADDER, **code: Any) -> tuple[Group, ...]:
    config = load_config(Path("/nowhere"), {}, code={"python": ["cp312", "cp313"], **code})
    return group(config.targets(config.build.python), config, ladder, RUNNERS)


def test_a_runner_of_the_architecture_builds_natively_and_the_rest_is_accelerated() -> None:
    made = groups(arch=["x86_64", "aarch64", "riscv64"])
    assert [(one.name, one.runner, one.emulates) for one in made] == [
        ("x86_64-native", "ubuntu-24.04", False),
        ("aarch64-native", "ubuntu-24.04-arm", False),
        ("riscv64-accelerated", "ubuntu-24.04", True),
    ]
    assert {one.python for one in made} == {"cp312,cp313"}


def test_rust_is_cross_compiled() -> None:
    ladder, _why = ladder_for([Need("rust", "Cargo.toml", sure=True)], LADDER)
    assert [one.name for one in groups(ladder, arch=["aarch64"])] == ["aarch64-cross"]


def test_commands_that_install_packages_keep_the_build_in_containers() -> None:
    ladder, _why = ladder_for([Need("rust", "Cargo.toml", sure=True)], LADDER)
    made = groups(ladder, arch=["ppc64le"], **{"before-all": "yum install -y cargo"})
    assert [one.name for one in made] == ["ppc64le-accelerated"]


def test_an_engine_for_some_targets_splits_an_architecture_by_its_pythons() -> None:
    made = groups(arch=["aarch64"], engines={"cp313-*": "cross"})
    assert [(one.name, one.python) for one in made] == [("aarch64-native", "cp312"), ("aarch64-cross", "cp313")]


def test_an_engine_that_no_runner_offers_is_refused() -> None:
    with pytest.raises(UsageError, match="s390x is to be built by the engine native") as caught:
        groups(arch=["s390x"], engine="native")
    assert 'runners.s390x = "LABEL"' in caught.value.hint


def test_pythons_are_in_order() -> None:
    config = load_config(Path("/nowhere"), {}, code={"python": ["cp314t", "cp39"]})
    (made,) = group(config.targets(config.build.python), config, LADDER, RUNNERS)
    assert made.pythons == (parse_python("cp39"), parse_python("cp314t"))


def test_a_project_for_cibuildwheel_has_one_job_for_an_architecture() -> None:
    targets = [parse_target(f"{python}-manylinux_2_28_aarch64") for python in ("cp312", "cp313")]
    adoption = Adoption("3.0", "", {targets[0]: {}, targets[1]: {"before-all": "yum install -y x"}})
    ladder, _why = ladder_for([Need("rust", "Cargo.toml", sure=True)], LADDER)
    config = replace(load_config(Path("/nowhere"), {}), adoption=adoption)
    made = group(targets, config, ladder, RUNNERS)
    assert [(one.arch, one.python, one.chosen) for one in made] == [("aarch64", "cp312,cp313", False)]
