"""A wheelhouse whose packages are built by the workers of a real scheduler."""

from __future__ import annotations

from pathlib import Path

import pytest

import crosswheel as cw
from clusters.processes import Cluster
from crosswheel.model.job import Event, JobFinished
from crosswheel.testing import serving_index
from unit.commands.test_wheelhouse import BACKEND, sdist

pytestmark = pytest.mark.slow


def test_workers_build_what_the_index_lacks(
    own_cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two packages at the same time, on one worker each; one run later nobody is asked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("left", "right"):
        sdist(folder, name, f"import time\ntime.sleep(3)\n{BACKEND}")
    by: dict[str, str] = {}

    def listen(event: Event) -> None:
        if isinstance(event, JobFinished):
            by[event.project] = event.outcome.worker

    with serving_index(folder) as url:
        monkeypatch.setenv("PIP_INDEX_URL", url)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
        for worker in ("one", "two"):
            own_cluster.start_worker(worker)
        for workers in ({"one", "two"}, {""}):
            report = cw.wheelhouse(
                ["left", "right"],
                scheduler=own_cluster.address,
                platforms="manylinux_2_34_aarch64",
                python="cp313",
                engine="cross",
                test="never",
                output=tmp_path / "house",
                listener=listen,
            )
            assert report.ok, str(report)
            assert {one.package.name: one.state for one in report.outcomes} == {"left": "built", "right": "built"}
            assert set(by.values()) == workers
            assert set(by) == {"left 1.0", "right 1.0"}
