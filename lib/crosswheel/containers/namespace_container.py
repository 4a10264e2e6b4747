"""One container in namespaces of this machine: each command gets new ones, over the same files.

Nothing runs between two commands, so nothing has to be ended: what a command leaves running ends with it.
"""

from __future__ import annotations

import shutil
import tarfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import IO

from crosswheel.containers.archives import Parcel, unpack_files
from crosswheel.containers.container import LARGEST, entrypoint
from crosswheel.containers.host import Files
from crosswheel.containers.images import Image
from crosswheel.containers.namespace_layers import Layers
from crosswheel.errors import (
    BuildFailed,
    ContainerLost,
    CrosswheelError,
    EmulatorCrashed,
    OutOfMemory,
    TimeLimit,
)
from crosswheel.system.cgroups import MemoryGroup
from crosswheel.system.namespace_init import CANNOT
from crosswheel.system.namespaces import Namespace, overlay
from crosswheel.system.process import CommandFailed, Meter, Processes

_VOICE = "crosswheel: "  # the beginning of what namespace_init.py says itself
_TOO_LARGE = "File too large"
_CRASH = "qemu: uncaught target signal"
_CRASHES = {128 + number for number in (4, 6, 7, 11)}  # SIGILL, SIGABRT, SIGBUS, SIGSEGV
_KILLED = 128 + 9


@dataclass
class State:
    """What changes in a container: `below` are the names of its layers; `arriving` are archives to be unpacked."""

    below: tuple[str, ...]
    arriving: list[Path] = field(default_factory=list)
    parcel: Parcel = field(default_factory=Parcel)
    meter: Meter = field(default_factory=Meter)
    turn: threading.RLock = field(default_factory=threading.RLock)  # two views of one upper folder would not agree
    removed: bool = False


@dataclass(frozen=True)
class NamespaceContainer:
    """A container of `image`; commands run as root of a user namespace, in which an ordinary user is root.

    `folder` has its own files, `layers` those below, over `root`, the unpacked image; `view` has the other mounts.
    `group` limits its memory, if one may be made.
    """

    image: Image
    processes: Processes
    emulated: bool
    cpus: int
    environ: Mapping[str, str]
    view: Namespace
    root: Path
    layers: Layers
    folder: Path
    group: MemoryGroup | None
    state: State = field(compare=False)

    @property
    def memory(self) -> int:
        """The peak memory so far in bytes; 0 while unknown."""
        return self.state.meter.peak

    @property
    def is_running(self) -> bool:
        return not self.state.removed

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: PurePosixPath | str = "/",
        log: Path | None = None,
        deadline: float | None = None,
    ) -> str:
        """As in the protocol."""
        words, killed = [*entrypoint(self.image), *argv], self._kills()
        try:
            with self.state.turn:
                return self.processes.run(
                    words,
                    env={**self.environ, **(env or {})},
                    cwd=Path(cwd),
                    log=log,
                    deadline=deadline,
                    meter=self.state.meter,
                    namespace=self._namespace(),
                )
        except CommandFailed as error:
            raise self._explained(_ended_as_in_shells(error), memory=self._kills() > killed) from error
        except TimeLimit as error:
            raise self._took_too_long(argv, error) from error
        finally:
            self._arrived()

    def interact(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: PurePosixPath | str, deadline: float | None
    ) -> int:
        """As in the protocol."""
        words = [*entrypoint(self.image), *argv]
        try:
            with self.state.turn:
                return self.processes.interact(
                    words,
                    env={**self.environ, **env},
                    cwd=Path(cwd),
                    deadline=deadline,
                    namespace=self._namespace(),
                )
        except TimeLimit as error:
            raise self._took_too_long(argv, error) from error
        finally:
            self._arrived()

    def put(self, *paths: Path, to: PurePosixPath | None = None) -> None:
        """As in the protocol."""
        for path in paths:
            self.state.parcel.add(path, PurePosixPath(to, path.name) if to else PurePosixPath(path))

    def write(self, files: Files) -> None:
        """As in the protocol."""
        for name, content in files.items():
            self.state.parcel.write(name, content)

    def put_archive(self, archive: IO[bytes]) -> None:
        """As in the protocol."""
        self._send()
        self._receive(archive)

    def get(self, path: PurePath | str, to: Path) -> None:
        """As in the protocol."""
        packed = self.folder / "leaving.tar"
        doing = f"copying {path} out of a container"
        try:
            with self.state.turn:
                leaving = replace(self._namespace(), pack=(str(path), packed), limits={"FSIZE": LARGEST})
                self.processes.run([f"copy {path}"], env={}, namespace=leaving)
            with packed.open("rb") as file:
                unpack_files(file, to)
        except CommandFailed as error:
            if _TOO_LARGE in error.output:
                raise BuildFailed(
                    f"{path} in the container is larger than {LARGEST // 2**30} GiB and was not copied",
                    hint="find in the log the command that writes it",
                ) from error
            raise ContainerLost(f"{doing}: {_said(error)}", hint="crosswheel doctor") from error
        except tarfile.TarError as error:
            raise ContainerLost(f"{doing}: {error}", hint="the same command again") from error
        finally:
            packed.unlink(missing_ok=True)
            self._arrived()

    def commit(self, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """As in the protocol; the container goes on above the new layer."""
        self._send()
        if self.state.arriving:
            self.run(["sh", "-c", ":"])
        name = f"{repository}-{tag}"
        with self.state.turn:
            self.layers.add(name, self.folder / "files", self.state.below, labels)
            (self.folder / "files").mkdir()
            self.state.below = (name, *self.state.below)
        return name

    def remove(self) -> None:
        """Forget what was to be sent; the owner of `folder` removes it."""
        self.state.removed = True
        self.state.parcel.drop()

    def _namespace(self) -> Namespace:
        self._send()
        lower = [*map(self.layers.files, self.state.below), self.root]
        files = overlay("/", lower, self.folder / "files", self.folder / "work")
        entrances = (self.group.entrance,) if self.group else ()
        mounts = (files, *self.view.mounts)
        return replace(self.view, mounts=mounts, entrances=entrances, unpack=tuple(self.state.arriving))

    def _send(self) -> None:
        with self.state.parcel.sent() as archive:
            if archive:
                self._receive(archive)

    def _receive(self, archive: IO[bytes]) -> None:
        place = self.folder / f"arriving-{len(self.state.arriving)}.tar"
        with place.open("wb") as file:
            shutil.copyfileobj(archive, file)
        self.state.arriving.append(place)

    def _arrived(self) -> None:
        while self.state.arriving:
            self.state.arriving.pop().unlink(missing_ok=True)

    @staticmethod
    def _took_too_long(argv: Sequence[str], error: TimeLimit) -> TimeLimit:
        return TimeLimit(f"{' '.join(argv[:3])} was still running in its container at the time limit", hint=error.hint)

    def _kills(self) -> int:
        """How often the kernel has killed for lack of memory: here, or without a group on the whole machine."""
        return self.group.kills if self.group else _killed_on_the_machine()

    def _explained(self, error: CommandFailed, *, memory: bool) -> CrosswheelError:
        name = PurePosixPath(error.argv[-1] if len(error.argv) == 1 else error.argv[0]).name
        if error.returncode == CANNOT and (said := _said(error)):
            return ContainerLost(f"the namespaces of {name} could not be made: {said}", hint="crosswheel doctor")
        # What others were killed for is told by the exit code.
        if memory and (self.group or error.returncode == _KILLED):
            text = f"out of memory: the kernel killed {name} or a child of it"
            return OutOfMemory(text, hint="--jobs 1; or more memory, or swap space")
        if self.emulated and (_CRASH in error.output or error.returncode in _CRASHES):
            return EmulatorCrashed(
                f"{name} crashed under the emulator ({error.ending})",
                hint="another --engine; or a newer QEMU: apt install qemu-user-static",
            )
        return error


def _ended_as_in_shells(error: CommandFailed) -> CommandFailed:
    """With 128 plus the number of a signal, as engines say it."""
    code = error.returncode
    return error if code >= 0 else CommandFailed(error.argv, 128 - code, error.output)


def _said(error: CommandFailed) -> str:
    """What namespace_init.py said; empty if the command ended so by itself."""
    *_, last = error.output.strip().splitlines() or [""]
    return last.removeprefix(_VOICE) if last.startswith(_VOICE) else ""


def _killed_on_the_machine() -> int:
    """How often the kernel killed for lack of memory since it started (vmstat in proc(5))."""
    try:
        counters = Path("/proc/vmstat").read_text("ascii").split()
        return int(counters[counters.index("oom_kill") + 1])
    except (OSError, ValueError):
        return 0
