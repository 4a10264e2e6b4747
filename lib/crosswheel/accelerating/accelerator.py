"""Decides for each command of docker and podman what it gets, and remembers what was decided."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.accelerating.additions import refusal, with_additions
from crosswheel.accelerating.command_line import ContainerCommand, NotUnderstood, parse
from crosswheel.accelerating.desk import Answer, Question
from crosswheel.accelerating.engine import connect_like
from crosswheel.accelerating.equipment import Equipment, Place, equip, expected
from crosswheel.containers.creation import architecture_of
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.emulation import Running
from crosswheel.containers.images import Image, find_image
from crosswheel.containers.known_answers import known_survey
from crosswheel.engines.facts import Once
from crosswheel.errors import CannotRun, CrosswheelError, ImageUnavailable
from crosswheel.images.manifests import architecture_named
from crosswheel.model.job import Listener, Note, chore
from crosswheel.model.targets import Architecture
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import answers_in

Register = Callable[[DockerHost, Architecture], None]
"""Makes an engine run programs of an architecture. Raises CannotRun."""


@dataclass(frozen=True)
class Started:
    """A container that was created or run: its image, and the reason if it was not accelerated.

    `arch` is empty while unknown; `compilers` says whether clang stands in for its gcc.
    """

    verb: str
    image: str
    arch: str = ""
    reason: str = ""
    compilers: bool = False


class _Unchanged(Exception):  # noqa: N818 - reads as what happened
    """The command runs as it is, and why."""


@dataclass(frozen=True)
class Accelerator:
    """Answers the desk. As a context manager it closes its connections; `logs` are read before."""

    host: Callable[[], LocalHost]
    register: Register
    listener: Listener
    folder: Path
    labels: Mapping[str, str]
    dry_run: bool = False
    started: list[Started] = field(default_factory=list)
    caches: dict[str, Place] = field(default_factory=dict)
    """The cache volumes in use."""
    _once: Once = field(default_factory=Once)
    _stack: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        self._stack.close()

    def answer(self, question: Question) -> Answer:
        """The words to run instead of those of a command; the same words for all but containers of foreign images."""
        try:
            command = parse(question.program, question.words)
        except NotUnderstood as why:
            self._note(Started("", shlex.join(question.words), reason=str(why)))
            return Answer(question.words)
        if command is None:
            return Answer(question.words)
        try:
            words = self._accelerated(question, command)
        except (_Unchanged, CrosswheelError) as why:
            text = why.in_a_line if isinstance(why, CrosswheelError) else str(why)
            self._note(Started(command.verb, command.image, reason=text))
            return self._shown(question, question.words) if self.dry_run else Answer(question.words)
        return self._shown(question, words) if self.dry_run else Answer(words)

    def _accelerated(self, question: Question, command: ContainerCommand) -> tuple[str, ...]:
        docker = self._once.answer(
            (question.program, command.program_words, question.environ.get("DOCKER_HOST")),
            lambda: connect_like(question, command, self.folder, self._stack),
        )
        image = self._image(question, command, docker)
        if docker.runs_natively(image.arch):
            raise _Unchanged(f"{image.arch} runs natively")
        equipment = self._once.answer(("equipment", docker.address, image.id), lambda: self._equipment(image, docker))
        if why := refusal(command, equipment.additions):
            raise _Unchanged(why)
        self._note(Started(command.verb, command.image, image.arch.name, compilers=equipment.compilers))
        path = image.environ.get("PATH", "")
        return with_additions(command, equipment.additions, path, question.environ)

    def _image(self, question: Question, command: ContainerCommand, docker: DockerHost) -> Image:
        """The image that the command will use, pulled as the command would pull it."""
        wanted, policy = _platform(question, command), next(iter(command.values("pull")), "missing")
        found = _here(docker, command.image)
        there = found is not None and (wanted is None or found.arch == wanted)
        if policy in {"always", "newer"} or (not there and policy != "never"):
            if self.dry_run:
                raise _Unchanged("its image would be pulled first")
            self._pull(question, command)
            found = _here(docker, command.image)
        if found is None:
            raise _Unchanged("its image is not there")
        return found

    def _pull(self, question: Question, command: ContainerCommand) -> None:
        platform = [f"--platform={name}" for name in _platform_names(question, command)[:1]]
        words = [question.path, *command.program_words, "pull", *platform, command.image]
        with chore(f"pulling {command.image}", self.listener):
            self.host().processes.run(words, env=question.environ)

    def _equipment(self, image: Image, docker: DockerHost) -> Equipment:
        host = self.host()
        place = Place(docker, host, _project(Path.cwd()), self.listener, self.labels)
        runs = self._running(image.arch, docker, host)
        if self.dry_run:
            return expected(image, runs, place)
        equipment = equip(image, runs, place)
        self.caches[equipment.cache] = place
        return equipment

    def _running(self, arch: Architecture, docker: DockerHost, host: LocalHost) -> Running:
        answer = known_survey(docker, [arch], answers_in(host.cache))[arch]
        if isinstance(answer, CannotRun) and not self.dry_run:
            self.register(docker, arch)
            answer = known_survey(docker, [arch], answers_in(host.cache))[arch]
        if isinstance(answer, CannotRun):
            raise answer
        return answer

    def _note(self, started: Started) -> None:
        self.started.append(started)

    def _shown(self, question: Question, words: tuple[str, ...]) -> Answer:
        self.listener(Note(shlex.join([question.program, *words])))
        return Answer(words, "crosswheel: --dry-run: not started")


def _here(docker: DockerHost, name: str) -> Image | None:
    """The engine's image of that name. Raises ImageUnavailable for an architecture without a name in wheel tags."""
    from docker.errors import ImageNotFound

    with engine_errors(f"looking for {name}"):
        try:
            attributes = docker.client.images.get(name).attrs
        except ImageNotFound:
            return None
    arch = architecture_of(attributes)
    if arch is None:
        raise ImageUnavailable(f"its architecture has no name in wheel tags: {attributes['Architecture']}")
    return find_image(docker, attributes["Id"], arch)


def _platform_names(question: Question, command: ContainerCommand) -> list[str]:
    """The platform that the command asks for, as in ``linux/arm64``, if any."""
    names = command.values("platform") or [question.environ.get("DOCKER_DEFAULT_PLATFORM", "")]
    return [name for name in names if name]


def _platform(question: Question, command: ContainerCommand) -> Architecture | None:
    for name in _platform_names(question, command):
        system, machine, variant, *_ = (*name.split("/"), "", "", "")
        return architecture_named(system, machine, variant)
    return None


def _project(folder: Path) -> str:
    """A name for the caches of a project: two folders of the same name have their own."""
    return f"{folder.name.lower()}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
