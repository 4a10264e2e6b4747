"""Where a run takes place: this machine, its Docker host if it has one, and what was found out about both so far."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import TypeVar

from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.containers.emulation import Running
from crosswheel.containers.images import Family, Image, ensure_image, find_image, image_arch, pinned_image
from crosswheel.containers.known_answers import known_survey, pythons_of
from crosswheel.engines.prestart import Ahead
from crosswheel.engines.repair_worker import Grafter
from crosswheel.errors import CrosswheelError, EngineUnavailable, ImageUnavailable
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Listener, deaf
from crosswheel.model.targets import Architecture, PythonTag, Target, oldest_policy, usual_pythons
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.locks import user_cache
from crosswheel.system.memo import answers_in
from crosswheel.toolchains.toolbox import Toolbox, ensure_toolbox

_Value = TypeVar("_Value")

_PAUSE = 1.0  # seconds, in which a job has begun


@dataclass(frozen=True)
class Site:
    """What engines are asked with.

    `docker` is a Docker host that answers, or why there is none; `listener` hears of what takes long.
    """

    config: Config
    host: LocalHost
    docker: DockerHost | EngineUnavailable
    listener: Listener = field(default=deaf, repr=False, compare=False)
    grafter: Grafter = field(default_factory=Grafter, repr=False, compare=False)
    ahead: Ahead = field(default_factory=Ahead, repr=False, compare=False)
    _known: dict[Hashable, object] = field(default_factory=dict, repr=False, compare=False)
    # Jobs are threads: what one asks, the others wait for.
    _asking: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)
    _leaving: list[threading.Thread] = field(default_factory=list, repr=False, compare=False)
    _settling: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def with_interpreters(self, more: Mapping[PythonTag, Interpreter]) -> Site:
        return replace(self, host=self.host.with_interpreters(more))

    def dated(self, epoch: int) -> Site:
        return replace(self, host=self.host.dated(epoch))

    def running(self, arch: Architecture) -> Running:
        """How the Docker host runs an architecture; raises CannotRun, EngineUnavailable."""

        def ask() -> Running:
            answer = known_survey(self._docker, [arch], answers_in(self.host.cache))[arch]
            if isinstance(answer, CrosswheelError):
                raise answer
            return answer

        return self._once(("running", arch), ask)

    def reference(self, target: Target, family: Family = "pypa") -> str:
        """The image of a family for a target; raises ImageUnavailable."""
        return self.config.image_for(target, family) or self._once(
            ("pin", target.arch, target.policy, family), lambda: pinned_image(target, family).reference
        )

    def image(self, target: Target, family: Family = "pypa") -> Image | None:
        """That image, if the Docker host has it; None while nobody has pulled it.

        Raises ImageUnavailable: it was looked for in vain, or it is not what it should be.
        """
        return self.found(self.reference(target, family), image_arch(target, family))

    def found(self, reference: str, arch: Architecture) -> Image | None:
        """Likewise, of any reference."""
        return self._once(("image", reference, arch), lambda: self._find(reference, arch))

    def pull(self, reference: str, arch: Architecture) -> Image:
        """An image, fetched if need be; raises ImageUnavailable, EngineUnavailable."""

        def fetch() -> Image:
            return ensure_image(
                self._docker,
                reference,
                arch,
                mirrors=self.config.containers.mirrors,
                offline=self.config.build.offline,
                listener=self.listener,
            )

        with self._asking:
            if self._known.get(("image", reference, arch)) is None:
                self._known.pop(("image", reference, arch), None)
            return self._once(("image", reference, arch), fetch)

    def pythons(self, target: Target, family: Family = "pypa") -> Mapping[PythonTag, Interpreter | None]:
        """What the image has, or what pypa's images usually have while it is not there to be asked."""
        image = self.image(target, family)
        return self.pythons_of(image) if image else dict.fromkeys(usual_pythons())

    def pythons_of(self, image: Image) -> Mapping[PythonTag, Interpreter]:
        return self._once(("pythons", image.id), lambda: pythons_of(self._docker, image, answers_in(self.host.cache)))

    @property
    def pythons_elsewhere(self) -> frozenset[PythonTag]:
        """What the images have that containers could be made of here; nothing where none could."""
        config = self.config
        engines = {config.build.engine, *config.build.engines.values()}
        # Nobody gets one of dockcross's large images for a Python alone, without having named it.
        families: dict[Family, bool] = {
            "pypa": not engines <= {"cross", "dockcross"},
            "dockcross": "dockcross" in engines,
        }
        found: set[PythonTag] = set()
        for arch, family in product(config.build.arch, (family for family, wanted in families.items() if wanted)):
            target = Target(PythonTag(0), arch, config.build.policy or oldest_policy(arch))
            # The plan has the words for what cannot be.
            with contextlib.suppress(CrosswheelError):
                self.running(image_arch(target, family))
                found.update(self.pythons(target, family))
        return frozenset(found)

    def toolbox(self, image: Image, *, compilers: bool) -> Toolbox:
        """The volume of programs of the Docker host's own machine; raises MissingTool, EngineUnavailable."""
        return self._once(
            ("toolbox", compilers),
            lambda: ensure_toolbox(self._docker, image, self.host, self.listener, compilers=compilers),
        )

    def listing(self, folder: Path) -> str:
        """A sha256 of what is in a folder, as this run has first found it: the next run looks again."""
        return self._once(("listing", folder), lambda: _listing(folder))

    def later(self, action: Callable[[], None]) -> None:
        """Do what nobody has to wait for, such as removing a container: before `settle` ends, or this process does.

        Not at once, for the next job begins now, and has the engine to itself.
        """

        def leave() -> None:
            self._settling.wait(_PAUSE)
            action()

        thread = threading.Thread(target=leave)
        self._leaving.append(thread)
        thread.start()

    def settle(self) -> None:
        """Wait for what was left for later, and end what served all jobs."""
        self._settling.set()
        self.grafter.end()
        self.ahead.end()
        while self._leaving:
            self._leaving.pop().join()

    @property
    def engine(self) -> DockerHost:
        """Raises EngineUnavailable where there is none."""
        return self._docker

    @property
    def _docker(self) -> DockerHost:
        if isinstance(self.docker, EngineUnavailable):
            raise self.docker
        return self.docker

    def _find(self, reference: str, arch: Architecture) -> Image | None:
        found = find_image(self._docker, reference, arch, self.config.containers.mirrors)
        if found is None and self.config.build.offline:
            hint = "run the same command once without --offline"
            raise ImageUnavailable(f"{reference} is missing, and --offline forbids pulling it", hint=hint)
        return found

    def _once(self, key: Hashable, ask: Callable[[], _Value]) -> _Value:
        """The answer, or the error, that the first time brought."""
        with self._asking:
            if key not in self._known:
                try:
                    self._known[key] = ask()
                except CrosswheelError as error:
                    self._known[key] = error
            answer = self._known[key]
        if isinstance(answer, CrosswheelError):
            raise answer
        return answer  # type: ignore[return-value]


def look_around(config: Config, listener: Listener) -> Site:
    """Ask this machine and its Docker host at the same time, and only what nobody knows yet."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        connecting = pool.submit(_connect_and_probe, config)
        host = local_host(offline=config.build.offline, listener=listener)
        docker, known = connecting.result()
        return Site(config, host, docker, listener, _known=known)


def _connect_and_probe(config: Config) -> tuple[DockerHost | EngineUnavailable, dict[Hashable, object]]:
    """The engine, and what every plan asks of it first and takes longest: whether it runs the architectures."""
    docker = _connect(config)
    try:
        kept = answers_in(user_cache(os.environ))
        found = known_survey(docker, config.build.arch, kept) if isinstance(docker, DockerHost) else {}
    except EngineUnavailable:
        found = {}  # whoever needs the answer asks again, and is told why there is none
    return docker, {("running", arch): answer for arch, answer in found.items()}


def _connect(config: Config) -> DockerHost | EngineUnavailable:
    if (
        config.test.mode == "never"
        and config.build.engine == "cross"
        and set(config.build.engines.values()) <= {"cross"}
    ):
        return EngineUnavailable("no requested target needs a Docker Engine")
    try:
        return connect(config.containers.docker_host, os.environ)
    except EngineUnavailable as error:
        return error


def _listing(folder: Path) -> str:
    """By names, sizes and times: reading gigabytes would take longer than many a build."""
    sha256 = hashlib.sha256(str(folder).encode())
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            found = os.lstat(os.path.join(root, name))  # noqa: PTH118 - many thousands of them
            sha256.update(f"{root}/{name} {found.st_size} {found.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return sha256.hexdigest()
