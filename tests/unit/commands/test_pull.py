"""`pull --unpacked`: images for this machine, without a container engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crosswheel
from crosswheel.images.store import UnpackedImage
from crosswheel.system.locks import user_cache
from crosswheel.upkeep.caches import local_holdings, remove_local
from layer_files import HandMade, Member, gzipped, image, layer
from registry_server import RegistryServer, registry_server


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with registry_server() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent")
    # What runs that were killed have left in the folder of all is in the cache's list, too.
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def hand_made(machine: str = "arm64") -> HandMade:
    return image([gzipped(layer(Member("etc/x", b"1" * 5000)))], machine)


def states(report: crosswheel.PullReport) -> list[tuple[str, str]]:
    return [(row.platform, row.state) for row in report.images]


def pull(project: Path, reference: str, **options: Any) -> crosswheel.PullReport:
    return crosswheel.pull(project=project, unpacked=True, image=reference, **options)


def test_an_image_is_unpacked_once_without_an_engine(registry: RegistryServer, project: Path, tmp_path: Path) -> None:
    reference = registry.add("x:1", hand_made())
    assert states(pull(project, reference, dry_run=True)) == [("manylinux2014_aarch64", "missing")]
    assert registry.seen == []
    report = pull(project, reference)
    assert states(report) == [("manylinux2014_aarch64", "pulled")]
    assert isinstance(report.images[0].image, UnpackedImage)
    assert states(pull(project, reference, offline=True)) == [("manylinux2014_aarch64", "there")]
    (row,) = json.loads(json.dumps(report.document()))["images"]
    assert (Path(row["root"]) / "etc/x").is_file()
    assert (row["reference"], row["size"], row["id"]) == (reference, 5000, "")
    assert reference in str(report)


def test_one_that_fails_does_not_stop_the_others(registry: RegistryServer, project: Path) -> None:
    reference = registry.add("x:1", hand_made("s390x"))
    report = pull(project, reference, arch=["aarch64", "s390x"], policy="manylinux_2_28")
    assert states(report) == [("manylinux_2_28_aarch64", "failed"), ("manylinux_2_28_s390x", "pulled")]
    assert report.exit_code == 14
    assert "it is for s390x, not for aarch64" in str(report)


def test_the_cache_lists_it_and_forgets_what_means_nothing(registry: RegistryServer, project: Path) -> None:
    import os

    reference = registry.add("x:1", hand_made())
    pull(project, reference)
    cache = user_cache(os.environ)
    (held,) = local_holdings(cache)
    assert (held.kind, held.what, held.busy) == ("unpacked", reference, False)
    assert held.size > 5000
    assert remove_local(held)
    (name,) = local_holdings(cache)
    assert (name.kind, remove_local(name)) == ("remains", True)
    assert local_holdings(cache) == []
    assert states(pull(project, reference)) == [("manylinux2014_aarch64", "pulled")]
