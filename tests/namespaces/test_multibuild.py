"""Folders with multibuild, built in namespace containers: by scripts that stand in for it, and by the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import crosswheel as cw
from crosswheel.containers.emulation import Running
from multibuild_folders import assert_built_by_its_scripts, multibuild_folder, real, stand_in
from stand_in_roots import StandInRoot

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.usefixtures("running")]


@pytest.mark.parametrize("scripts", [pytest.param(stand_in, marks=pytest.mark.daily(1, of="fallbacks")), real])
def test_its_own_scripts_build_and_test_the_wheel(
    scripts: Callable[[Path], None],
    running: Running,
    cache: Path,
    manylinux_root: StandInRoot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For aarch64, by a compiler of this machine; nothing in the folder is changed."""
    assert not running.natively
    folder = multibuild_folder(tmp_path / "tiny-wheels", scripts)
    before = sorted(folder.rglob("*"))
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(cache))
    monkeypatch.setenv("TINY_FLAGS", "-not-passed-on")
    report = cw.wheels(
        project=str(folder),
        arch="aarch64",
        python=["cp311"],
        policy="manylinux_2_41",
        engine="accelerated",
        container_host="namespace",
        image=manylinux_root.reference,
        output=str(tmp_path / "wheelhouse"),
    )
    assert_built_by_its_scripts(report)
    assert sorted(folder.rglob("*")) == before
    assert [path.name for path in sorted((tmp_path / "wheelhouse").glob("*.tar*"))] == []
