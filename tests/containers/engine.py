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

from containers import dockerd
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
        closing(docker.DockerClient(base_url=address, timeout=dockerd.TIMEOUT)) as client,
    ):
        yield Engine(client, address, own=True)


@contextmanager
def _connected() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env(timeout=dockerd.TIMEOUT)
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
