"""One container on a Docker host: it runs commands, transfers files, and is removed at the end.

No folder of the caller's machine is mounted (files are copied through the engine, which may be remote), and only the
given environment variables are visible. A label names the owning run, so that the next run can remove the leftovers
of a killed one; a container also ends by itself when its time is over.
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
from typing import IO, TYPE_CHECKING, TypeAlias, cast

from crosswheel.containers.archives import SPOOL, Parcel, unpack_files
from crosswheel.containers.creation import create
from crosswheel.containers.docker_host import PODMAN, DockerHost, engine_errors
from crosswheel.containers.host import Files
from crosswheel.containers.images import Image
from crosswheel.containers.interaction import Channel, converse
from crosswheel.containers.memory import COUNTERS, Watch, watch
from crosswheel.containers.ownership import LABEL, as_instructions, is_stale
from crosswheel.containers.processor import counted
from crosswheel.errors import BuildFailed, ContainerLost, CrosswheelError, EmulatorCrashed, OutOfMemory, TimeLimit
from crosswheel.system.process import CommandFailed, Processes, Stopped, log_tail
from crosswheel.system.terminal import is_interactive

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

_POLL = 0.1
_SLACK = 600  # seconds that a container may outlive its job's time limit
_PIDS = 8192  # processes and threads: a fork bomb in a build must not harm the host
_COPYING = "copying files into a container"
LARGEST = 16 * 1024**3  # bytes copied out at once; a sparse file counts with its full size
_SECOND_LOOK = 5.0  # seconds that an engine under load may need to notice the end of a container
_SIGKILLED = 128 + 9
# Keys that detach the terminal. The engine's default begins with Ctrl-P, which shells use.
_NO_KEYS = "ctrl-^,ctrl-^,ctrl-^"
_MORE_MEMORY = "--jobs 1; or give the Docker host more memory"
_CRASH = "qemu: uncaught target signal"
_CRASHES = {132, 134, 135, 139}  # 128 + SIGILL, SIGABRT, SIGBUS, SIGSEGV

_Chunk: TypeAlias = "tuple[bytes | None, bytes | None]"  # standard output and standard error


@dataclass(frozen=True)
class Container:
    """A running container of `image`; commands run as root, as in pypa's images."""

    docker: DockerHost
    image: Image
    processes: Processes
    emulated: bool
    _container: DockerContainer = field(compare=False)
    _memory: Watch = field(default_factory=Watch, compare=False)
    _parcel: Parcel = field(default_factory=Parcel, compare=False)

    @property
    def cpus(self) -> int:
        return self.docker.cpus

    @property
    def memory(self) -> int:
        """The peak memory so far in bytes; 0 while unknown."""
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
        """Run a command to its end; its output is appended to `log`, or returned if `log` is None.

        `env` extends the container's environment. Raises CommandFailed, TimeLimit and Stopped, and for the container
        itself OutOfMemory, ContainerLost and EngineUnavailable.
        """
        if self.processes.stopped:
            raise Stopped(f"not started: {argv[0]}")
        self._send()
        with counted(self.docker, self._id):
            return self._run(argv, env or {}, str(cwd), log, deadline)

    def _run(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: str, log: Path | None, deadline: float | None
    ) -> str:
        api = self.docker.client.api
        # A separate stream for standard error would put its lines in the wrong places of the log.
        together = ["sh", "-c", 'exec "$@" 2>&1', "sh"] if log else []
        words, began = [*entrypoint(self.image), *together, *argv], time.monotonic()
        try:
            with engine_errors(f"running {argv[0]} in a container", ContainerLost):
                started = api.exec_create(self._id, words, environment=dict(env), workdir=cwd)
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
        """Run a command with this process's input and output, on a terminal if they are one; return its exit code."""
        self._send()
        api, terminal, words = self.docker.client.api, is_interactive(), [*entrypoint(self.image), *argv]
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
        """Copy files and folders of this machine to the same paths in the container, or into `to`.

        Their current state is copied; they arrive before the next command runs.
        """
        for path in paths:
            self._parcel.add(path, PurePosixPath(to, path.name) if to else PurePosixPath(path))

    def write(self, files: Files) -> None:
        """Write files with the given contents into the container, before the next command runs."""
        for name, content in files.items():
            self._parcel.write(name, content)

    def put_archive(self, archive: IO[bytes]) -> None:
        """Unpack an archive at the container's root now."""
        self._send()
        with engine_errors(_COPYING, ContainerLost):
            self._container.put_archive("/", archive)

    def _send(self) -> None:
        with self._parcel.sent() as archive, engine_errors(_COPYING, ContainerLost):
            if archive:
                self._container.put_archive("/", archive)

    def get(self, path: PurePath | str, to: Path) -> None:
        """Copy the regular files in a folder of the container, or the single file at `path`, into the folder `to`.

        The container is not trusted: links and devices are skipped, and no name leads out of `to`.
        """
        self._send()
        with tempfile.SpooledTemporaryFile(max_size=SPOOL) as spool:
            with engine_errors(f"copying {path} out of a container", ContainerLost):
                stream, _ = self._container.get_archive(str(path))
                for chunk in stream:
                    spool.write(chunk)
                    if spool.tell() > LARGEST:
                        raise BuildFailed(
                            f"{path} in the container is larger than {LARGEST // 2**30} GiB and was not copied",
                            hint="find in the log the command that writes it",
                        )
            spool.seek(0)
            try:
                unpack_files(spool, to)
            except tarfile.TarError as error:
                raise ContainerLost(
                    f"copying {path} out of a container: the Docker Engine broke off ({error})",
                    hint="the same command again",
                ) from error

    def commit(self, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """Make an image of the container's current content without volumes; return its id."""
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
        """Copy the output of a command until its end.

        Engines cannot signal a single command: to stop one early, its container is killed.
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
                pass  # both sides are closed

        reader = threading.Thread(target=copy, daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                reader.join(_POLL)
                self._check(argv, deadline)
        finally:
            # docker-py closes the socket but not the response, which then warns when it is collected.
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
                f"{' '.join(argv[:3])} was still running in its container at the time limit",
                hint="set a longer `timeout` (seconds) in [tool.crosswheel], or find in the log what it waits for",
            )

    def _exit_code(self, started: str, argv: Sequence[str], deadline: float | None, began: float) -> int:
        """The exit code; the output has ended, so the command ends soon, unless it closed its output itself."""
        from docker.errors import NotFound

        pause = _POLL / 20
        while True:
            with engine_errors(f"waiting for {argv[0]} in a container"):
                try:
                    state = self.docker.client.api.exec_inspect(started)
                except NotFound:
                    raise self._lost(began) from None
            # Podman gives the code 0 for a command that still runs.
            if state["ExitCode"] is not None and not state["Running"]:
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
        """Whether the whole container was killed with the command, which the engine may notice later."""
        deadline = time.monotonic() + _SECOND_LOOK
        while self.is_running:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)
        return True

    def _failure(self, argv: Sequence[str], code: int, output: str, began: float) -> CrosswheelError:
        name = PurePosixPath(argv[0]).name
        if self._ran_out_of_memory(began):
            return OutOfMemory(f"out of memory: the kernel killed {name} or a child of it", hint=_MORE_MEMORY)
        failed = CommandFailed(argv, code, output)
        # A crash of QEMU, or of the program under it, recognised by QEMU's message or by the signal.
        if self.emulated and (_CRASH in output or code in _CRASHES):
            return EmulatorCrashed(
                f"{name} crashed under the emulator ({failed.ending})",
                hint="another --engine; or install a newer QEMU: crosswheel register",
            )
        return failed

    def _lost(self, began: float) -> CrosswheelError:
        if self._ran_out_of_memory(began):
            return OutOfMemory("out of memory: the kernel killed the container", hint=_MORE_MEMORY)
        return ContainerLost(
            "the container stopped during the build: it was removed, or the Docker Engine was restarted",
            hint="the same command again; docker events shows why containers end",
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
        """Whether the kernel has killed a process of the container since then; engines set no flag for commands."""
        # The stream bypasses requests and may raise any error of urllib3; then the answer stays unknown.
        with contextlib.suppress(Exception):
            client = self.docker.client
            if self.docker.product == PODMAN:  # which has no such events
                printed = cast("bytes", self._container.exec_run(list(COUNTERS)).output)
                return self._memory.hear_kills(printed.decode())
            # In whole seconds of the engine's clock, and one second longer, because events come late.
            now = int(_moment(client.info()["SystemTime"]))
            since, until = now - math.ceil(time.monotonic() - began), now + 1
            filters = {"event": "oom", "container": self._id}
            return any(True for _ in client.api.events(since=since, until=until, filters=filters, decode=True))
        return False

    def kill(self) -> None:
        """Kill all processes of the container."""
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        with contextlib.suppress(DockerException, RequestException, OSError):
            self._container.kill()

    def remove(self) -> None:
        """Remove the container, even a running one; on an unreachable host, the next run's `remove_stale` does it."""
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
    """A new container that lives as long as the block.

    `volumes` maps volume names to read-only mount points, `caches` to writable ones; `memory` is a limit in bytes.
    Raises ContainerLost if the engine refuses to start it, EngineUnavailable if the engine cannot be reached.
    """
    mounts = [f"{name}:{path}:ro" for name, path in (volumes or {}).items()]
    mounts += [f"{name}:{path}" for name, path in (caches or {}).items()]
    with engine_errors(f"starting a container of {image.reference}", ContainerLost):
        created = create(
            docker,
            image.content,
            image.arch,
            # The container ends by itself if no run is left to remove it.
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
    """A container that never runs, to read files of an image and to write files into a volume.

    `volumes` maps volume names to writable mount points. Files of the image at a mount point are not copied into an
    empty volume, as they would be by default.
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
    """Remove what finished runs of this machine left on a Docker host; return the number of containers.

    Images made by `--fresh` with the results of `before-all` are removed too.
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
    """Seconds since the epoch; engines write nanoseconds (RFC 3339), but Python reads six digits at most."""
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00")).timestamp()


def entrypoint(image: Image) -> Sequence[str]:
    """The prefix of each command: 32-bit images start a program (linux32) that makes a 64-bit kernel look 32-bit."""
    return image.entrypoint if image.arch.bits == 32 else ()  # noqa: PLR2004


def _until_broken(chunks: Iterable[_Chunk]) -> Iterator[_Chunk]:
    """The stream up to its end or failure; the exit code, asked for next, tells which."""
    with contextlib.suppress(Exception):
        yield from chunks


@contextmanager
def _outputs(log: Path | None, argv: Sequence[str]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The destinations of a command's output: the log, or two files that are read afterwards."""
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
