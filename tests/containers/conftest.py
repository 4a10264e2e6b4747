"""What tests on real hosts of containers share; where this machine cannot have one, they are skipped and say why.

A test with the fixture `host` or `chosen` runs on each kind of host: a Docker Engine, and namespaces of this machine.
On podman some of them run each day.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import docker
import pytest

from containers.binfmt import BinfmtUnavailable, Handler, registered, unregistered
from containers.daemon import DaemonFailed
from containers.engine import Engine, EngineUnavailable, podman_engine, podman_started, real_engine
from containers.images import ImagesUnavailable, Shelf, remove_images
from containers.podman_service import Settings
from containers.registry import RegistryUnavailable, running_registry
from containers.stand_ins import STAND_INS
from containers.stand_ins.index_packages import IndexUnavailable
from containers.stand_ins.manylinux import POLICY
from crosswheel.containers.binfmt import find_emulator
from crosswheel.containers.host import ContainerHost
from crosswheel.engines.facts import look_around
from crosswheel.errors import EngineUnavailable as NoContainers
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import deaf
from crosswheel.model.targets import parse_architecture
from debian import DebianUnavailable

_REASONS = (
    BinfmtUnavailable, DaemonFailed, DebianUnavailable, EngineUnavailable, ImagesUnavailable, IndexUnavailable,
    RegistryUnavailable,
)  # fmt: skip

_Value = TypeVar("_Value")

REGISTRY = "CROSSWHEEL_TESTS_REGISTRY"
"""The environment variable with the address of a registry that has all stand-ins; then no engine is needed."""


# The kinds of hosts that are engines, and the fixture of each.
_ENGINES = {"docker": "docker_engine", "podman": "podman"}
# Whoever has these needs an emulator in every container, or none.
_EMULATED = {"emulates", "qemu", "unserved"}


@pytest.hookimpl(tryfirst=True)  # before anybody is chosen by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and _EMULATED & {*item.fixturenames}:
            item.add_marker(pytest.mark.binfmt)


@contextmanager
def _or_skip(context: AbstractContextManager[_Value]) -> Iterator[_Value]:
    with ExitStack() as stack:
        try:
            value = stack.enter_context(context)
        except _REASONS as error:
            pytest.skip(str(error))
        yield value


@pytest.fixture(autouse=True)
def own_journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test builds what it looks at, whatever earlier ones have built."""
    monkeypatch.setattr("crosswheel.steps.journal.FOLDER", tmp_path / "journal")


@pytest.fixture(scope="session")
def docker_engine(debian_cache: Path) -> Iterator[Engine]:
    """This machine's engine, or one of this session's own; with the address that DOCKER_HOST needs to name it."""
    with _or_skip(real_engine(debian_cache)) as engine:
        yield engine
        if not engine.own:
            remove_images(engine.client)


@pytest.fixture(scope="session")
def podman(debian_cache: Path, registry: str) -> Iterator[Engine]:
    """A podman that answers as a Docker Engine does, and pulls the stand-ins from the registry."""
    with _or_skip(podman_engine(debian_cache, registry)) as engine:
        yield engine


@pytest.fixture
def podman_set_to(debian_cache: Path) -> Iterator[Callable[[Settings], str]]:
    """Gives the address of another podman, with these settings."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(_or_skip(podman_started(debian_cache, settings)))


@pytest.fixture(
    scope="session", params=["docker_engine", pytest.param("podman", marks=pytest.mark.daily(4, of="podman"))]
)
def each_engine(request: pytest.FixtureRequest) -> Engine:
    """Docker, and on some days podman."""
    found: Engine = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def engine(docker_engine: Engine) -> docker.DockerClient:
    return docker_engine.client


@pytest.fixture(
    scope="session", params=["docker", "namespace", pytest.param("podman", marks=pytest.mark.daily(4, of="podman"))]
)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of a host of containers."""
    return str(request.param)


@pytest.fixture(scope="session")
def engine_of_kind(kind: str, request: pytest.FixtureRequest) -> Engine | None:
    """None for namespaces."""
    return request.getfixturevalue(_ENGINES[kind]) if kind in _ENGINES else None


@pytest.fixture(scope="session")
def chosen(kind: str, engine_of_kind: Engine | None) -> Mapping[str, str]:
    """The options that choose a host of the kind."""
    return {"docker-host": engine_of_kind.address} if engine_of_kind else {"container-host": kind}


@pytest.fixture(scope="session")
def host(chosen: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerHost]:
    with look_around(load_config(tmp_path_factory.mktemp("no-project"), dict(chosen)), deaf) as facts:
        try:
            yield facts.containers
        except NoContainers as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def registry(
    request: pytest.FixtureRequest, debian_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """``127.0.0.1:PORT``. What is pushed there stays from run to run: give your own images names of their own."""
    if given := os.environ.get(REGISTRY):
        yield given
        return
    docker_engine: Engine = request.getfixturevalue("docker_engine")
    if not docker_engine.local:
        pytest.skip(f"the engine at {docker_engine.address} does not reach a registry on this machine's loopback")
    with _or_skip(running_registry(debian_cache / "registry", tmp_path_factory.mktemp("registry"))) as address:
        yield address


@pytest.fixture(scope="session")
def shelf(request: pytest.FixtureRequest, registry: str, debian_cache: Path) -> Shelf:
    # Whoever is given a registry finds everything there.
    return Shelf(None if REGISTRY in os.environ else request.getfixturevalue("engine"), registry, debian_cache)


@pytest.fixture(scope="session")
def stand_in(shelf: Shelf) -> Callable[[str], str]:
    """Gives REPOSITORY@DIGEST for a name of `containers.stand_ins.STAND_INS`; not pulled yet.

    To run commands in those for aarch64, have `qemu` too.
    """

    def reference(repository: str) -> str:
        try:
            return shelf.reference(repository, *STAND_INS[repository])
        except _REASONS as error:
            pytest.skip(f"{repository}: {error}")

    return reference


@pytest.fixture(scope="session")
def manylinux_x86_64(stand_in: Callable[[str], str]) -> str:
    return stand_in(f"pypa/{POLICY}_x86_64")


@pytest.fixture(scope="session")
def manylinux_aarch64(stand_in: Callable[[str], str]) -> str:
    return stand_in(f"pypa/{POLICY}_aarch64")


@pytest.fixture(scope="session")
def dockcross(stand_in: Callable[[str], str]) -> str:
    return stand_in(f"dockcross/{POLICY}-aarch64")


@pytest.fixture(scope="session")
def slim_aarch64(stand_in: Callable[[str], str]) -> str:
    return stand_in("arm64v8/python")


@pytest.fixture(scope="session")
def slim_x86_64(stand_in: Callable[[str], str]) -> str:
    return stand_in("amd64/python")


@pytest.fixture(scope="session")
def alpine_aarch64(stand_in: Callable[[str], str]) -> str:
    return stand_in("arm64v8/python-alpine")


@pytest.fixture(scope="session")
def busybox_x86_64(stand_in: Callable[[str], str]) -> str:
    return stand_in("amd64/busybox")


@pytest.fixture(scope="session")
def busybox_aarch64(stand_in: Callable[[str], str]) -> str:
    return stand_in("arm64v8/busybox")


@pytest.fixture(scope="session")
def qemu_user_static(stand_in: Callable[[str], str]) -> str:
    return stand_in("multiarch/qemu-user-static")


@pytest.fixture(scope="session")
def tonistiigi_binfmt(stand_in: Callable[[str], str]) -> str:
    return stand_in("tonistiigi/binfmt")


@pytest.fixture(scope="session")
def qemu() -> Iterator[Handler]:
    """Programs for aarch64 run in every container."""
    with _or_skip(registered()) as handler:
        yield handler


@pytest.fixture
def emulates(kind: str, request: pytest.FixtureRequest) -> None:
    """Programs for aarch64 run in every container of the host; namespaces register an emulator for themselves."""
    if kind in _ENGINES:
        request.getfixturevalue("qemu")
    elif find_emulator(parse_architecture("aarch64"), os.environ) is None:
        pytest.skip("qemu-user-static is not installed")


@pytest.fixture
def unserved(engine: docker.DockerClient, busybox_aarch64: str) -> Iterator[str]:
    """An image for aarch64, which nothing runs before the test does something for it."""
    engine.images.pull(busybox_aarch64)
    try:
        with unregistered():
            yield busybox_aarch64
    except BinfmtUnavailable as error:
        pytest.skip(str(error))
