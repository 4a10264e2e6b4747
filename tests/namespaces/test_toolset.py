"""Engines in a container whose compilers are a toolset's, as in pypa's images of AlmaLinux.

Its assembler and linker start with the image's LD_LIBRARY_PATH only, and C++ runs with what the linker script of
libstdc++ adds to the system's older library only.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

import crosswheel as cw
from auditwheel_show import assert_auditwheel_agrees
from containers.stand_ins.index_packages import IndexUnavailable
from crosswheel.containers.emulation import Running
from debian import DebianUnavailable
from stand_in_roots import StandInRoot, stand_in_root

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.debian]

PROJECT = Path(__file__).parents[1] / "projects" / "of_toolset"
CHECK = """
import of_toolset_cxx as cxx, of_toolset_openmp as openmp
found = cxx.answer(2), cxx.answer(3), openmp.threads()
assert found == (42, "too far", 3), found
"""


@pytest.fixture(scope="module")
def toolset(debian_cache: Path) -> StandInRoot:
    try:
        return stand_in_root(debian_cache, "pypa/manylinux_2_41_aarch64-toolset")
    except (DebianUnavailable, IndexUnavailable) as error:
        pytest.skip(str(error))


# The commands that the image's gcc runs for `accelerated`: the one with OpenMP.
@pytest.mark.daily(1)
@pytest.mark.parametrize(("engine", "commands"), [("accelerated", {"by_gcc": 1}), ("emulated", {})])
def test_a_wheel_is_built_and_runs(
    engine: str,
    commands: Mapping[str, int],
    running: Running,
    cache: Path,
    toolset: StandInRoot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not running.natively
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(cache))
    report = cw.wheels(
        project=str(shutil.copytree(PROJECT, tmp_path / "project")),
        arch="aarch64",
        python=["cp313"],
        policy="manylinux_2_41",
        engine=engine,
        container_host="namespace",
        image=toolset.reference,
        test_command=f"python -c {shlex.quote(CHECK)}",
        output=str(tmp_path / "wheelhouse"),
    )
    (outcome,) = report.outcomes
    assert outcome.failure is None
    assert (outcome.job.engine, outcome.untested) == (engine, "")
    usage = report.document()["jobs"][0].get("usage") or {}
    assert {name: usage[name] for name in commands} == commands
    assert_auditwheel_agrees(wheel.path for wheel in report.wheels)
