"""A host of containers without an engine, over an unpacked stand-in for pypa's image of aarch64."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosswheel.containers.emulation import Running
from crosswheel.containers.images import Image
from crosswheel.containers.namespace_container import NamespaceContainer
from crosswheel.containers.namespace_host import NamespaceHost
from crosswheel.engines.facts import Facts
from crosswheel.errors import EngineUnavailable
from crosswheel.model.job import deaf
from crosswheel.model.targets import architectures
from crosswheel.system.local_host import local_host
from crosswheel.system.memo import answers_in
from stand_in_roots import StandInRoot

AARCH64 = architectures()["aarch64"]


@pytest.fixture(scope="session")
def cache(manylinux_root: StandInRoot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's cache with the image, and nothing else."""
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o700)
    (folder / "images").symlink_to(manylinux_root.cache / "images")
    return folder


@pytest.fixture(scope="session")
def facts(cache: Path) -> Iterator[Facts]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "CROSSWHEEL_CACHE", str(cache))
        host = local_host(offline=False, listener=deaf)
    if refusal := host.allowed.namespaces or host.allowed.overlay:
        pytest.skip(str(refusal))
    with Facts(host, EngineUnavailable("not wanted here")) as found:
        yield found


@pytest.fixture(scope="session")
def host(facts: Facts) -> NamespaceHost:
    found = facts.containers
    assert isinstance(found, NamespaceHost)
    return found


@pytest.fixture(scope="session")
def running(host: NamespaceHost) -> Running:
    answer = host.survey([AARCH64], answers_in(host.host.cache))[AARCH64]
    if not isinstance(answer, Running):
        pytest.skip(answer.message)
    return answer


@pytest.fixture(scope="session")
def image(host: NamespaceHost, manylinux_root: StandInRoot) -> Image:
    found = host.find_image(manylinux_root.reference, AARCH64, ())
    assert found
    return found


@pytest.fixture
def container(host: NamespaceHost, image: Image, running: Running) -> Iterator[NamespaceContainer]:
    given = {**running.environ, "GIVEN": "to all"}
    with host.running(image, host.host.processes, timeout=600, environ=given, emulated=True) as made:
        yield made
