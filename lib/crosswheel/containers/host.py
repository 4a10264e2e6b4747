"""What engines and tests need of a host of containers: a Docker Engine, or this machine's own namespaces."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Protocol, TypeAlias

from crosswheel.containers.emulation import Running
from crosswheel.containers.images import Image
from crosswheel.errors import CannotRun
from crosswheel.model.job import Interpreter, Listener
from crosswheel.model.targets import Architecture, PythonTag
from crosswheel.system.memo import Answers
from crosswheel.system.process import Processes

Files: TypeAlias = "Mapping[PurePosixPath, bytes]"  # content by path in the container

Fill: TypeAlias = Callable[[IO[bytes]], None]
"""Writes the archive with the content of a volume."""


class Container(Protocol):
    """A container of `image`; commands run as root, as in pypa's images."""

    @property
    def image(self) -> Image: ...
    @property
    def emulated(self) -> bool: ...
    @property
    def cpus(self) -> int: ...
    @property
    def memory(self) -> int:
        """The peak memory so far in bytes; 0 while unknown."""
        ...

    @property
    def is_running(self) -> bool: ...

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: PurePosixPath | str = "/",
        log: Path | None = None,
        deadline: float | None = None,
    ) -> str:
        """Run a command to its end; its output is appended to `log`, or returned if `log` is None.

        `env` extends the container's environment. Raises CommandFailed, TimeLimit and Stopped, and for the container
        itself OutOfMemory, ContainerLost and EngineUnavailable.
        """
        ...

    def interact(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: PurePosixPath | str, deadline: float | None
    ) -> int:
        """Run a command with this process's input and output, on a terminal if they are one; return its exit code."""
        ...

    def put(self, *paths: Path, to: PurePosixPath | None = None) -> None:
        """Copy files and folders of this machine to the same paths in the container, or into `to`.

        Their current state is copied; they arrive before the next command runs.
        """
        ...

    def write(self, files: Files) -> None:
        """Write files with the given contents into the container, before the next command runs."""
        ...

    def put_archive(self, archive: IO[bytes]) -> None:
        """Unpack an archive at the container's root, before the next command runs."""
        ...

    def get(self, path: PurePath | str, to: Path) -> None:
        """Copy the regular files in a folder of the container, or the single file at `path`, into the folder `to`.

        The container is not trusted: links and devices are skipped, and no name leads out of `to`.
        """
        ...

    def commit(self, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """Make a layer of the container's current content without volumes; return its id."""
        ...


class ContainerHost(Protocol):
    """`memory` is in bytes; `shares_loopback` says whether containers reach this machine's own addresses."""

    @property
    def address(self) -> str: ...
    @property
    def kind(self) -> str:
        """What its containers are, in words."""
        ...

    @property
    def machine(self) -> str: ...
    @property
    def arch(self) -> Architecture | None: ...
    @property
    def cpus(self) -> int: ...
    @property
    def memory(self) -> int: ...
    @property
    def shares_loopback(self) -> bool: ...

    def runs_natively(self, arch: Architecture) -> bool:
        """Whether the host's processors run programs of `arch` without emulation."""
        ...

    def survey(self, archs: Iterable[Architecture], answers: Answers) -> Mapping[Architecture, Running | CannotRun]:
        """How it runs programs of the architectures, or why not."""
        ...

    def find_image(self, reference: str, arch: Architecture, mirrors: Sequence[str]) -> Image | None:
        """The image for the reference and architecture, if it is there."""
        ...

    def ensure_image(
        self, reference: str, arch: Architecture, *, mirrors: Sequence[str], offline: bool, listener: Listener
    ) -> Image:
        """The image, fetched if it is not there. Raises ImageUnavailable, DiskFull, EngineUnavailable, UsageError."""
        ...

    def pythons(self, image: Image, answers: Answers) -> Mapping[PythonTag, Interpreter]:
        """Every CPython of an image of pypa's."""
        ...

    def find_layer(self, repository: str, tag: str) -> str | None:
        """The id of a layer that was committed under that name."""
        ...

    def ensure_volume(self, name: str, labels: Mapping[str, str]) -> None:
        """Make an empty volume if there is none of that name."""
        ...

    def fill_volume(self, name: str, mount: PurePosixPath, image: Image, mark: str, fill: Fill) -> None:
        """Fill a volume unless it has the file `mark`, which is written last; `image` is any image on the host."""
        ...

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
        """A new container that lives as long as the block.

        `volumes` maps volume names to read-only mount points, `caches` to writable ones; `memory` is a limit in bytes.
        """
        ...

    def remove_stale(self) -> int:
        """Remove what finished runs of this machine left; return the number of containers."""
        ...

    def close(self) -> None: ...
