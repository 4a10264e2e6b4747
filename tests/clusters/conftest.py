"""A cluster of real processes, and a project whose builds wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters.processes import Cluster, cluster
from tiny_projects import tiny_project


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    pytest.importorskip("distributed")
    folder = tmp_path / "cluster"
    folder.mkdir()
    with cluster(folder) as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """tests/projects/waits; what this process makes of it goes to a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CROSSWHEEL_SCHEDULER", raising=False)
    return tiny_project("waits", tmp_path)
