"""A Docker Engine as a host of containers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING

from crosswheel.containers.archives import archive_of
from crosswheel.containers.container import Container, remove_stale, running, unstarted
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.emulation import Running
from crosswheel.containers.host import Fill
from crosswheel.containers.images import Image, ensure_image, find_image
from crosswheel.containers.known_answers import known_survey, pythons_of
from crosswheel.errors import CannotRun, EngineUnavailable
from crosswheel.model.job import Interpreter, Listener
from crosswheel.model.targets import Architecture, PythonTag
from crosswheel.system.memo import Answers
from crosswheel.system.process import Processes

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer


@dataclass(frozen=True)
class DockerContainers:
    """As in the protocol ContainerHost."""

    docker: DockerHost

    @property
    def address(self) -> str:
        return self.docker.address

    @property
    def kind(self) -> str:
        return f"containers of the {self.docker.product}"

    @property
    def machine(self) -> str:
        return self.docker.machine

    @property
    def arch(self) -> Architecture | None:
        return self.docker.arch

    @property
    def cpus(self) -> int:
        return self.docker.cpus

    @property
    def memory(self) -> int:
        return self.docker.memory

    @property
    def shares_loopback(self) -> bool:
        return False

    def runs_natively(self, arch: Architecture) -> bool:
        return self.docker.runs_natively(arch)

    def survey(self, archs: Iterable[Architecture], answers: Answers) -> Mapping[Architecture, Running | CannotRun]:
        return known_survey(self.docker, archs, answers)

    def find_image(self, reference: str, arch: Architecture, mirrors: Sequence[str]) -> Image | None:
        return find_image(self.docker, reference, arch, mirrors)

    def ensure_image(
        self, reference: str, arch: Architecture, *, mirrors: Sequence[str], offline: bool, listener: Listener
    ) -> Image:
        return ensure_image(self.docker, reference, arch, mirrors=mirrors, offline=offline, listener=listener)

    def pythons(self, image: Image, answers: Answers) -> Mapping[PythonTag, Interpreter]:
        return pythons_of(self.docker, image, answers)

    def find_layer(self, repository: str, tag: str) -> str | None:
        from docker.errors import ImageNotFound

        with engine_errors(f"looking for the image {repository}:{tag}"):
            try:
                return str(self.docker.client.images.get(f"{repository}:{tag}").id)
            except ImageNotFound:
                return None

    def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        with engine_errors(f"making the volume {name}"):
            self.docker.client.volumes.create(name, labels=dict(labels))

    def fill_volume(self, name: str, mount: PurePosixPath, image: Image, mark: str, fill: Fill) -> None:
        with (
            engine_errors(f"filling the volume {name}"),
            unstarted(self.docker, image, {name: str(mount)}) as holder,
        ):
            if _has(holder, mount / mark):
                return
            with tempfile.TemporaryFile() as file:
                fill(file)
                file.seek(0)
                _put(holder, mount, file)
            _put(holder, mount, archive_of({mark: b""}))

    def running(
        self,
        image: Image,
        processes: Processes,
        *,
        timeout: float,
        environ: Mapping[str, str] | None = None,
        volumes: Mapping[str, str] | None = None,
        caches: Mapping[str, str] | None = None,
        memory: int = 0,
        emulated: bool = False,
    ) -> AbstractContextManager[Container]:
        return running(
            self.docker,
            image,
            processes,
            timeout=timeout,
            environ=environ,
            volumes=volumes,
            caches=caches,
            memory=memory,
            emulated=emulated,
        )

    def remove_stale(self) -> int:
        return remove_stale(self.docker)

    def close(self) -> None:
        self.docker.client.close()


def _has(holder: DockerContainer, path: PurePosixPath) -> bool:
    from docker.errors import NotFound

    try:
        holder.get_archive(str(path))
    except NotFound:
        return False
    return True


def _put(holder: DockerContainer, folder: PurePosixPath, file: IO[bytes]) -> None:
    if not holder.put_archive(str(folder), file):
        raise EngineUnavailable("the Docker Engine refused the files", hint="docker system df; docker info")
