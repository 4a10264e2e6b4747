"""The site of a run: this machine, its Docker host, and the facts about both."""

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

_PAUSE = 1.0  # seconds until the next job has begun


@dataclass(frozen=True)
class Site:
    """The context for engines.

    `docker` is a working Docker host, or the error why there is none; `listener` gets progress events.
    """

    config: Config
    host: LocalHost
    docker: DockerHost | EngineUnavailable
    listener: Listener = field(default=deaf, repr=False, compare=False)
    grafter: Grafter = field(default_factory=Grafter, repr=False, compare=False)
    ahead: Ahead = field(default_factory=Ahead, repr=False, compare=False)
    _known: dict[Hashable, object] = field(default_factory=dict, repr=False, compare=False)
    # Jobs are threads: one asks, the others wait for the answer.
    _asking: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)
    _leaving: list[threading.Thread] = field(default_factory=list, repr=False, compare=False)
    _settling: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def with_interpreters(self, more: Mapping[PythonTag, Interpreter]) -> Site:
        return replace(self, host=self.host.with_interpreters(more))

    def dated(self, epoch: int) -> Site:
        return replace(self, host=self.host.dated(epoch))

    def running(self, arch: Architecture) -> Running:
        """How the Docker host runs an architecture. Raises CannotRun, EngineUnavailable."""

        def ask() -> Running:
            answer = known_survey(self._docker, [arch], answers_in(self.host.cache))[arch]
            if isinstance(answer, CrosswheelError):
                raise answer
            return answer

        return self._once(("running", arch), ask)

    def reference(self, target: Target, family: Family = "pypa") -> str:
        """The reference of a family's image for a target. Raises ImageUnavailable."""
        return self.config.image_for(target, family) or self._once(
            ("pin", target.arch, target.policy, family), lambda: pinned_image(target, family).reference
        )

    def image(self, target: Target, family: Family = "pypa") -> Image | None:
        """The image of a family for a target, or None if it has not been pulled.

        Raises ImageUnavailable if an earlier pull failed, or if its content is not the expected one.
        """
        return self.found(self.reference(target, family), image_arch(target, family))

    def found(self, reference: str, arch: Architecture) -> Image | None:
        """The image for a reference, or None if it has not been pulled."""
        return self._once(("image", reference, arch), lambda: self._find(reference, arch))

    def pull(self, reference: str, arch: Architecture) -> Image:
        """The image, pulled if missing. Raises ImageUnavailable, EngineUnavailable."""

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
        """The CPythons of an image; until it is pulled, those that pypa's images usually have."""
        image = self.image(target, family)
        return self.pythons_of(image) if image else dict.fromkeys(usual_pythons())

    def pythons_of(self, image: Image) -> Mapping[PythonTag, Interpreter]:
        return self._once(("pythons", image.id), lambda: pythons_of(self._docker, image, answers_in(self.host.cache)))

    @property
    def pythons_elsewhere(self) -> frozenset[PythonTag]:
        """The CPythons of all images that the Docker host can run; empty if none."""
        config = self.config
        engines = {config.build.engine, *config.build.engines.values()}
        # Large dockcross images are not pulled only for a Python, unless they were named.
        families: dict[Family, bool] = {
            "pypa": not engines <= {"cross", "dockcross"},
            "dockcross": "dockcross" in engines,
        }
        found: set[PythonTag] = set()
        for arch, family in product(config.build.arch, (family for family, wanted in families.items() if wanted)):
            target = Target(PythonTag(0), arch, config.build.policy or oldest_policy(arch))
            # The plan reports what is impossible.
            with contextlib.suppress(CrosswheelError):
                self.running(image_arch(target, family))
                found.update(self.pythons(target, family))
        return frozenset(found)

    def toolbox(self, image: Image, *, compilers: bool) -> Toolbox:
        """The toolbox volume of the Docker host. Raises MissingTool, EngineUnavailable."""
        return self._once(
            ("toolbox", compilers),
            lambda: ensure_toolbox(self._docker, image, self.host, self.listener, compilers=compilers),
        )

    def listing(self, folder: Path) -> str:
        """A sha256 of a folder's content, computed once per run."""
        return self._once(("listing", folder), lambda: _listing(folder))

    def later(self, action: Callable[[], None]) -> None:
        """Schedule work in the background, such as removing a container; it is done before `settle` or the process ends.

        It is delayed, because the next job begins now and needs the engine.
        """

        def leave() -> None:
            self._settling.wait(_PAUSE)
            action()

        thread = threading.Thread(target=leave)
        self._leaving.append(thread)
        thread.start()

    def settle(self) -> None:
        """Finish background work, and end the shared services of all jobs."""
        self._settling.set()
        self.grafter.end()
        self.ahead.end()
        while self._leaving:
            self._leaving.pop().join()

    @property
    def engine(self) -> DockerHost:
        """The Docker host. Raises EngineUnavailable if there is none."""
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
        """The result or error of the first call."""
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
    """Examine this machine and its Docker host in parallel, using cached answers."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        connecting = pool.submit(_connect_and_probe, config)
        host = local_host(offline=config.build.offline, listener=listener)
        docker, known = connecting.result()
        return Site(config, host, docker, listener, _known=known)


def _connect_and_probe(config: Config) -> tuple[DockerHost | EngineUnavailable, dict[Hashable, object]]:
    """Connect to the engine, and ask which architectures it runs, the slowest question of every plan."""
    docker = _connect(config)
    try:
        kept = answers_in(user_cache(os.environ))
        found = known_survey(docker, config.build.arch, kept) if isinstance(docker, DockerHost) else {}
    except EngineUnavailable:
        found = {}  # a later question gets the error
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
    """A hash of names, sizes and times, because reading gigabytes would take longer than many builds."""
    sha256 = hashlib.sha256(str(folder).encode())
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            found = os.lstat(os.path.join(root, name))  # noqa: PTH118 - many thousands of them
            sha256.update(f"{root}/{name} {found.st_size} {found.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return sha256.hexdigest()
