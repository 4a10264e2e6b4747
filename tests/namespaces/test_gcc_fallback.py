"""The engine accelerated in a namespace container: what clang cannot compile is compiled by the image's gcc."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import crosswheel as cw
from auditwheel_show import SHOW, assert_names
from crosswheel.containers.emulation import Running
from crosswheel.containers.namespace_container import NamespaceContainer
from stand_in_roots import StandInRoot

pytestmark = [
    pytest.mark.slow,
    pytest.mark.index,
    pytest.mark.usefixtures("running"),
    pytest.mark.daily(1, of="fallbacks"),
]

PROJECT = Path(__file__).parents[1] / "projects" / "by_gcc"


def test_openmp_fortran_and_nested_functions_are_gccs_and_the_rest_is_clangs(
    running: Running,
    cache: Path,
    manylinux_root: StandInRoot,
    container: NamespaceContainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The project's own check runs the four modules under QEMU."""
    assert not running.natively
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(cache))
    project = shutil.copytree(PROJECT, tmp_path / "project")
    report = cw.wheels(
        project=str(project),
        arch="aarch64",
        python=["cp313"],
        policy="manylinux_2_41",
        engine="accelerated",
        container_host="namespace",
        image=manylinux_root.reference,
        output=str(tmp_path / "wheelhouse"),
    )
    (outcome,) = report.outcomes
    assert outcome.failure is None
    usage = outcome.usage
    # square.f90, _openmp.c and _nested.c; the links, the generator and the other sources are clang's
    assert (usage.commands, usage.by_gcc) == (10, 3)
    assert usage.gcc_seconds > 0
    (job,) = report.document()["jobs"]
    assert job["usage"]["by_gcc"] == 3
    assert "3 of 10 compiler commands by the image's gcc" in str(report)
    # The image's own auditwheel names the wheel as we do.
    (wheel,) = (each.path for each in report.wheels)
    container.put(wheel)
    assert_names(wheel, container.run([*SHOW, str(wheel)]))
