"""Folders with multibuild, built for aarch64 in the containers of each engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import crosswheel as cw
from containers.engine import Engine
from multibuild_folders import assert_built_by_its_scripts, multibuild_folder, real, stand_in

pytestmark = [pytest.mark.containers, pytest.mark.index]


@pytest.mark.daily(1)
@pytest.mark.parametrize("engine_fixture", ["docker_engine", "podman"])
@pytest.mark.parametrize("scripts", [stand_in, real])
@pytest.mark.usefixtures("qemu")
def test_its_own_scripts_build_and_test_the_wheel(
    scripts: Callable[[Path], None],
    engine_fixture: str,
    manylinux_aarch64: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    engine: Engine = request.getfixturevalue(engine_fixture)
    folder = multibuild_folder(tmp_path / "tiny-wheels", scripts)
    before = sorted(folder.rglob("*"))
    report = cw.wheels(
        project=str(folder),
        arch="aarch64",
        python=["cp311"],
        policy="manylinux_2_41",
        engine="accelerated",
        docker_host=engine.address,
        image=manylinux_aarch64,
        output=str(tmp_path / "wheelhouse"),
    )
    assert_built_by_its_scripts(report)
    assert sorted(folder.rglob("*")) == before
