"""A real Docker Engine for tests: the one that this machine has, or one of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import docker
from requests.exceptions import RequestException

from containers import dockerd, podman_service
from containers.clients import TIMEOUT
from containers.daemon import DaemonFailed
from containers.program import ProgramFailed, find_program

_DEFAULT = "unix:///var/run/docker.sock"


class EngineUnavailable(Exception):  # noqa: N818 - reads as what happened
    """This machine has no engine and cannot start one, and why: a reason to skip."""


@dataclass(frozen=True)
class Engine:
    """`address` is what DOCKER_HOST has to be for others to reach it; `own`, whether it ends with the tests."""

    client: docker.DockerClient
    address: str
    own: bool

    @property
    def local(self) -> bool:
        """Whether its 127.0.0.1 is ours."""
        return urlsplit(self.address).scheme == "unix"


@contextmanager
def real_engine(cache: Path) -> Iterator[Engine]:
    """One that answers; raises EngineUnavailable."""
    address = os.environ.get("DOCKER_HOST")
    if address is not None or Path(urlsplit(_DEFAULT).path).exists():
        with _connected() as client:
            yield Engine(client, address or _DEFAULT, own=False)
        return
    program = find_program(dockerd.PROGRAM)
    if program is None:
        raise EngineUnavailable(f"no Docker Engine answers at {_DEFAULT}, and {dockerd.PROGRAM} is not installed")
    if os.geteuid() != 0:
        raise EngineUnavailable(f"no Docker Engine answers at {_DEFAULT}, and only root can start one")
    with (
        _started(program, cache) as address,
        closing(docker.DockerClient(base_url=address, timeout=TIMEOUT)) as client,
    ):
        yield Engine(client, address, own=True)


@contextmanager
def podman_engine(cache: Path, registry: str) -> Iterator[Engine]:
    """A podman of the tests' own, that pulls from that registry; raises EngineUnavailable."""
    settings = podman_service.working()
    with (
        podman_started(cache, settings, registry) as address,
        closing(docker.DockerClient(base_url=address, timeout=TIMEOUT)) as client,
    ):
        yield Engine(client, address, own=True)


@contextmanager
def podman_started(cache: Path, settings: podman_service.Settings, registry: str = "") -> Iterator[str]:
    """Its address; raises EngineUnavailable."""
    for program in (podman_service.PROGRAM, "runc", "catatonit"):
        if find_program(program) is None:
            raise EngineUnavailable(f"{program} is not installed")
    if os.geteuid() != 0:
        raise EngineUnavailable("these tests start podman as root")
    with ExitStack() as stack:
        try:
            address = stack.enter_context(podman_service.running_podman(cache, settings, registry))
        except (DaemonFailed, ProgramFailed, OSError) as error:
            raise EngineUnavailable(str(error)) from error
        yield address


@contextmanager
def _connected() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env(timeout=TIMEOUT)
        client.ping()
    except (docker.errors.DockerException, RequestException) as error:
        raise EngineUnavailable(f"the Docker Engine does not answer: {error}") from error
    with closing(client):
        yield client


@contextmanager
def _started(program: str, cache: Path) -> Iterator[str]:
    with ExitStack() as stack:
        try:
            address = stack.enter_context(dockerd.running_dockerd(program, cache))
        except (DaemonFailed, ProgramFailed, OSError) as error:
            raise EngineUnavailable(str(error)) from error
        yield address
