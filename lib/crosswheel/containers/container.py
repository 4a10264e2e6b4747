"""One container on a Docker host: commands run in it, files go in and out, and it never outlives its use.

Nothing of the caller's machine is mounted (files are copied through the engine, which may be remote), and it sees no
variable of the caller's that is not given to it. A label says whose it is, so that the next run can remove what a
killed one left; it ends by itself when its time is over.
"""

from __future__ import annotations

import contextlib
import math
import re
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, TYPE_CHECKING, TypeAlias

from crosswheel.containers.archives import SPOOL, Parcel, unpack_files
from crosswheel.containers.creation import create
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.images import Image
from crosswheel.containers.interaction import Channel, converse
from crosswheel.containers.memory import Watch, watch
from crosswheel.containers.ownership import LABEL, as_instructions, is_stale
from crosswheel.errors import BuildFailed, ContainerLost, CrosswheelError, EmulatorCrashed, OutOfMemory, TimeLimit
from crosswheel.system.process import CommandFailed, Processes, Stopped, log_tail
from crosswheel.system.terminal import is_interactive

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

_POLL = 0.1
_SLACK = 600  # seconds that a container may live longer than its job
_PIDS = 8192  # processes and threads; a build that forks without end must not take the host with it
_COPYING = "copying files into a container"
LARGEST = 16 * 1024**3  # bytes that may come out at once; a file with holes is as large as it says it is
_SECOND_LOOK = 1.0  # seconds in which an engine notices that a container has ended
_SIGKILLED = 128 + 9
# What leaves a terminal and lets its command run on. By default the engine keeps back every Ctrl-P, which shells use.
_NO_KEYS = "ctrl-^,ctrl-^,ctrl-^"
_MORE_MEMORY = "--jobs 1, or give the Docker host more memory"
_CRASH = "qemu: uncaught target signal"
_CRASHES = {132, 134, 135, 139}  # 128 + SIGILL, SIGABRT, SIGBUS, SIGSEGV

Files: TypeAlias = "Mapping[PurePosixPath, bytes]"  # by where they are in a container, with all that is in them
_Chunk: TypeAlias = "tuple[bytes | None, bytes | None]"  # of what a command prints, and of its errors


@dataclass(frozen=True)
class Container:
    """A running container of `image`; commands run as root in it, as pypa's images are made for."""

    docker: DockerHost
    image: Image
    processes: Processes
    emulated: bool
    _container: DockerContainer = field(compare=False)
    _memory: Watch = field(default_factory=Watch, compare=False)
    _parcel: Parcel = field(default_factory=Parcel, compare=False)

    @property
    def memory(self) -> int:
        """Bytes that it has taken so far, at its highest; 0 where the engine has not told yet."""
        return self._memory.peak

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: PurePosixPath | str = "/",
        log: Path | None = None,
        deadline: float | None = None,
    ) -> str:
        """Run to the end; output goes to the end of `log`, or is returned where there is none.

        `env` comes over the container's own. Raises CommandFailed, TimeLimit, Stopped, and what became of the
        container itself: OutOfMemory, ContainerLost, EngineUnavailable.
        """
        if self.processes.stopped:
            raise Stopped(f"not started: {argv[0]}")
        self._send()
        api = self.docker.client.api
        # Errors come as a stream of their own, and one log would have them in the wrong places.
        together = ["sh", "-c", 'exec "$@" 2>&1', "sh"] if log else []
        words, began = [*_entrypoint(self.image), *together, *argv], time.monotonic()
        try:
            with engine_errors(f"running {argv[0]} in a container", ContainerLost):
                started = api.exec_create(self._id, words, environment=dict(env or {}), workdir=str(cwd))
                chunks = api.exec_start(started["Id"], stream=True, demux=True)
        except ContainerLost as error:
            raise (error if self.is_running else self._lost(began)) from error
        with _outputs(log, argv) as (out, err):
            since = out.tell()
            self._follow(chunks, out, err, argv, deadline)
            code = self._exit_code(started["Id"], argv, deadline, began)
            if code:
                output = "\n".join(log_tail(log, since=since)) if log else _text(out) + _text(err)
                raise self._failure(argv, code, output, began)
            return "" if log else _text(out)

    def interact(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: PurePosixPath | str, deadline: float | None
    ) -> int:
        """Run with this process's own input and output, on a terminal if they are one; gives the exit code."""
        self._send()
        api, terminal, words = self.docker.client.api, is_interactive(), [*_entrypoint(self.image), *argv]
        began = time.monotonic()
        with engine_errors(f"running {argv[0]} in a container", ContainerLost):
            started = api.exec_create(
                self._id,
                words,
                stdin=True,
                tty=terminal,
                environment=dict(env),
                workdir=str(cwd),
                detach_keys=_NO_KEYS,
            )["Id"]
            channel = Channel(api.exec_start(started, tty=terminal, socket=True))
        with contextlib.closing(channel):
            converse(
                channel,
                lambda rows, columns: api.exec_resize(started, rows, columns),
                lambda: self._check(argv, deadline),
                terminal=terminal,
            )
        return self._exit_code(started, argv, deadline, began)

    def put(self, *paths: Path, to: PurePosixPath | None = None) -> None:
        """Copy files and folders of this machine to the same paths in the container, or below `to`.

        As they are now; they are there when the next command runs.
        """
        for path in paths:
            self._parcel.add(path, PurePosixPath(to, path.name) if to else PurePosixPath(path))

    def write(self, files: Files) -> None:
        """Likewise, of files that are nowhere else."""
        for name, content in files.items():
            self._parcel.write(name, content)

    def put_archive(self, archive: IO[bytes]) -> None:
        """Unpack it at the root, at once."""
        self._send()
        with engine_errors(_COPYING, ContainerLost):
            self._container.put_archive("/", archive)

    def _send(self) -> None:
        with self._parcel.sent() as archive, engine_errors(_COPYING, ContainerLost):
            if archive:
                self._container.put_archive("/", archive)

    def get(self, path: PurePath | str, to: Path) -> None:
        """Copy the regular files in a folder of the container, or the one file at `path`, into the folder `to`.

        What runs in there is not trusted: links and devices stay where they are, and no name leads outside `to`.
        """
        self._send()
        with tempfile.SpooledTemporaryFile(max_size=SPOOL) as spool:
            with engine_errors(f"copying {path} out of a container", ContainerLost):
                stream, _ = self._container.get_archive(str(path))
                for chunk in stream:
                    spool.write(chunk)
                    if spool.tell() > LARGEST:
                        raise BuildFailed(
                            f"{path} in the container holds more than {LARGEST // 2**30} GiB, and is not copied out",
                            hint="see in the log what writes it",
                        )
            spool.seek(0)
            try:
                unpack_files(spool, to)
            except tarfile.TarError as error:
                raise ContainerLost(
                    f"copying {path} out of a container: the Docker Engine stopped half way ({error})",
                    hint="the same command again",
                ) from error

    def commit(self, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """An image of what it holds now, volumes apart; gives its id."""
        self._send()
        with engine_errors(f"making the image {repository}:{tag}", ContainerLost):
            made = self._container.commit(repository, tag, changes=as_instructions(labels))
        return str(made.id)

    @property
    def _id(self) -> str:
        return str(self._container.id)

    def _follow(
        self,
        chunks: Iterator[_Chunk],
        out: IO[bytes],
        err: IO[bytes],
        argv: Sequence[str],
        deadline: float | None,
    ) -> None:
        """Copy what a command prints until it ends.

        The engine has no way to signal one command: when it must end before its time, its container ends with it.
        """
        full: list[OSError] = []

        def copy() -> None:
            try:
                for some, wrong in _until_broken(chunks):
                    out.write(some or b"")
                    err.write(wrong or b"")
                    out.flush()
            except OSError as error:
                full.append(error)
            except ValueError:
                pass  # both are closed: nobody waits any more

        reader = threading.Thread(target=copy, daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                reader.join(_POLL)
                self._check(argv, deadline)
        finally:
            # The library closes the socket and forgets the response, which complains when it is collected.
            with contextlib.suppress(ValueError, AttributeError):
                chunks._response.raw.close()  # type: ignore[attr-defined]  # noqa: SLF001
        if full:
            self.kill()
            raise full[0]

    def _check(self, argv: Sequence[str], deadline: float | None) -> None:
        if self.processes.stopped:
            self.kill()
            raise Stopped(f"stopped: {argv[0]}")
        if deadline is not None and time.monotonic() > deadline:
            self.kill()
            raise TimeLimit(
                f"{' '.join(argv[:3])} was still running in its container when the time limit was reached",
                hint="set a longer `timeout` (seconds) in [tool.crosswheel], or see in the log what it waits for",
            )

    def _exit_code(self, started: str, argv: Sequence[str], deadline: float | None, began: float) -> int:
        """Its output has ended, and it will soon, unless it closed its output itself."""
        from docker.errors import NotFound

        pause = _POLL / 20
        while True:
            with engine_errors(f"waiting for {argv[0]} in a container"):
                try:
                    state = self.docker.client.api.exec_inspect(started)
                except NotFound:
                    raise self._lost(began) from None
            if state["ExitCode"] is not None:
                break
            if not self.is_running:
                raise self._lost(began)
            self._check(argv, deadline)
            time.sleep(pause)
            pause = min(_POLL, pause * 2)
        if state["ExitCode"] == _SIGKILLED and self._ends():
            raise self._lost(began)
        return int(state["ExitCode"])

    def _ends(self) -> bool:
        """Whether a command was killed because all of its container was, of which the engine may learn later."""
        deadline = time.monotonic() + _SECOND_LOOK
        while self.is_running:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def _failure(self, argv: Sequence[str], code: int, output: str, began: float) -> CrosswheelError:
        name = PurePosixPath(argv[0]).name
        if self._ran_out_of_memory(began):
            return OutOfMemory(f"the kernel ended {name}, or what it started: out of memory", hint=_MORE_MEMORY)
        failed = CommandFailed(argv, code, output)
        # QEMU's own end, or that of what it ran, told from an ordinary error by what it prints, or by the signal.
        if self.emulated and (_CRASH in output or code in _CRASHES):
            return EmulatorCrashed(
                f"{name} crashed under the emulator ({failed.ending})",
                hint="another --engine; or a newer QEMU: crosswheel register",
            )
        return failed

    def _lost(self, began: float) -> CrosswheelError:
        if self._ran_out_of_memory(began):
            return OutOfMemory("the kernel ended the container: out of memory", hint=_MORE_MEMORY)
        return ContainerLost(
            "the container ended while it was needed: it was removed, or the Docker Engine was restarted",
            hint="the same command again; docker events shows who ends containers",
        )

    @property
    def is_running(self) -> bool:
        from docker.errors import APIError

        try:
            self._container.reload()
        except (APIError, OSError):
            return False
        return self._container.status == "running"

    def _ran_out_of_memory(self, began: float) -> bool:
        """Whether the kernel has killed a process of it since then: the engine sets no flag for that of a command."""
        # What comes past requests may break off with any error of urllib3's, and only this question is lost.
        with contextlib.suppress(Exception):
            client = self.docker.client
            # In whole seconds of the engine's own clock, and until the next one, for events come late.
            now = int(_moment(client.info()["SystemTime"]))
            since, until = now - math.ceil(time.monotonic() - began), now + 1
            filters = {"event": "oom", "container": self._id}
            return any(True for _ in client.api.events(since=since, until=until, filters=filters, decode=True))
        return False

    def kill(self) -> None:
        """End everything that runs in it."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        with contextlib.suppress(DockerException, RequestException, OSError):
            self._container.kill()

    def remove(self) -> None:
        """Gone, whatever it was doing; a host that is gone as well keeps it until the next run's `remove_stale`."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        with contextlib.suppress(DockerException, RequestException, OSError):
            self._container.remove(force=True, v=True)
        self._parcel.drop()


@contextmanager
def running(
    docker: DockerHost,
    image: Image,
    processes: Processes,
    *,
    timeout: float,
    environ: Mapping[str, str] | None = None,
    volumes: Mapping[str, str] | None = None,
    caches: Mapping[str, str] | None = None,
    memory: int = 0,
    emulated: bool = False,
) -> Iterator[Container]:
    """A container of its own for as long as the block lasts.

    `volumes` maps names of volumes to where they are mounted, for reading only, `caches` those for writing too;
    `memory` is a limit in bytes. Raises ImageUnavailable's kin from the engine as ContainerLost, or EngineUnavailable.
    """
    mounts = [f"{name}:{path}:ro" for name, path in (volumes or {}).items()]
    mounts += [f"{name}:{path}" for name, path in (caches or {}).items()]
    with engine_errors(f"starting a container of {image.reference}", ContainerLost):
        created = create(
            docker,
            image.content,
            image.arch,
            # Ends by itself, should nobody be left to remove it.
            command=["sleep", str(int(timeout) + _SLACK)],
            entrypoint=[],
            environment=dict(environ or {}),
            volumes=mounts,
            init=True,
            auto_remove=True,
            network_mode="bridge",
            security_opt=["no-new-privileges"],
            pids_limit=_PIDS,
            mem_limit=memory or None,
            memswap_limit=memory or None,
        )
    container = Container(docker, image, processes, emulated, created)
    try:
        with engine_errors(f"starting a container of {image.reference}", ContainerLost):
            created.start()
        yield replace(container, _memory=watch(docker, str(created.id)))
    finally:
        container.remove()


@contextmanager
def unstarted(docker: DockerHost, image: Image, volumes: Mapping[str, str] | None = None) -> Iterator[DockerContainer]:
    """A container that never runs: through it, files of an image are read, and files reach a volume.

    `volumes` maps names of volumes to where they are mounted, for writing too. What the image has there does not get
    into them, as it otherwise would into one that is empty.
    """
    from docker.errors import DockerException
    from docker.types import Mount

    mounts = [Mount(path, name, type="volume", no_copy=True) for name, path in (volumes or {}).items()]
    created = create(docker, image.id, image.arch, command=["true"], mounts=mounts, network_mode="none")
    try:
        yield created
    finally:
        with contextlib.suppress(DockerException, OSError):
            created.remove(force=True)


def remove_stale(docker: DockerHost) -> int:
    """Remove what runs of this machine that are over left on a Docker host; how many containers there were.

    Images, too: those that `--fresh` has made with `before-all` in them.
    """
    from docker.errors import DockerException

    count = 0
    with contextlib.suppress(DockerException, OSError):
        for found in docker.client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
            if is_stale(found.labels):
                with contextlib.suppress(DockerException):
                    found.remove(force=True, v=True)
                    count += 1
        for image in docker.client.images.list(filters={"label": LABEL}):
            if is_stale(image.labels):
                with contextlib.suppress(DockerException):
                    docker.client.images.remove(str(image.id), force=True)
    return count


def _moment(text: str) -> float:
    """Seconds since the epoch; engines write nanoseconds (RFC 3339), of which Python reads six digits at most."""
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00")).timestamp()


def _entrypoint(image: Image) -> Sequence[str]:
    """What stands before each command: 32-bit images start by a program that makes a 64-bit kernel look like theirs."""
    return image.entrypoint if image.arch.bits == 32 else ()  # noqa: PLR2004


def _until_broken(chunks: Iterable[_Chunk]) -> Iterator[_Chunk]:
    """A stream that breaks is told apart from one that ends by the exit code that is asked for next."""
    with contextlib.suppress(Exception):
        yield from chunks


@contextmanager
def _outputs(log: Path | None, argv: Sequence[str]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Where what a command prints goes: to the log, or to two files that are read afterwards."""
    if log is None:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            yield out, err
        return
    with log.open("ab") as file:
        file.write(f"$ {' '.join(argv)}\n".encode())
        file.flush()
        yield file, file


def _text(sink: IO[bytes]) -> str:
    sink.seek(0)
    return sink.read().decode(errors="replace")
