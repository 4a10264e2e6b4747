"""What one run has found out about this machine and its Docker host: each fact is asked once, when it is needed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from crosswheel.containers.container import remove_stale
from crosswheel.containers.docker_containers import DockerContainers
from crosswheel.containers.docker_host import DockerHost, connect, find_podman
from crosswheel.containers.emulation import Running
from crosswheel.containers.host import ContainerHost
from crosswheel.containers.images import Image
from crosswheel.containers.known_answers import known_survey
from crosswheel.containers.namespace_host import NamespaceHost
from crosswheel.errors import CrosswheelError, EngineUnavailable, ImageUnavailable
from crosswheel.images.pins import Family, image_arch, pinned_image
from crosswheel.images.store import Silent, UnpackedImage, find_unpacked
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Listener
from crosswheel.model.targets import Architecture, PythonTag, Target, usual_pythons
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.locks import user_cache
from crosswheel.system.memo import answers_in
from crosswheel.system.room import Room
from crosswheel.system.rust_toolchain import RustToolchain, find_rust

if TYPE_CHECKING:
    from typing_extensions import Self

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Once:
    """Answers and errors by question. Jobs are threads: while one asks, the others wait for its answer."""

    known: dict[Hashable, object] = field(default_factory=dict)
    _asking: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def answer(self, key: Hashable, ask: Callable[[], _Value]) -> _Value:
        """The answer of the first time; raises the CrosswheelError of the first time."""
        with self._asking:
            if key not in self.known:
                try:
                    self.known[key] = ask()
                except CrosswheelError as error:
                    self.known[key] = error
            answer = self.known[key]
        if isinstance(answer, CrosswheelError):
            raise answer
        return answer  # type: ignore[return-value]

    def fetched(self, key: Hashable, fetch: Callable[[], _Value]) -> _Value:
        """The answer, or what `fetch` gives if the answer was None: that it is not there yet."""
        with self._asking:
            if self.known.get(key) is None:
                self.known.pop(key, None)
            return self.answer(key, fetch)


@dataclass(frozen=True)
class Facts:
    """The machine, its Docker host or why there is none, and their answers.

    `mirrors` are registries that images may come from; with `offline` none is fetched. With `engine_only`, namespaces
    do not stand in for an engine. As a context manager it closes the connection to the Docker host. Every run has facts
    of its own: what changes between two runs is seen.
    """

    host: LocalHost
    docker: DockerHost | EngineUnavailable
    mirrors: tuple[str, ...] = ()
    offline: bool = False
    engine_only: bool = False
    once: Once = field(default_factory=Once, repr=False, compare=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(self.docker, DockerHost):
            self.docker.client.close()

    @property
    def containers(self) -> ContainerHost:
        """The Docker host, or this machine's namespaces. Raises EngineUnavailable where there is neither."""
        return self.once.answer("containers", self._containers)

    def _containers(self) -> ContainerHost:
        if isinstance(self.docker, DockerHost):
            return DockerContainers(self.docker)
        if self.engine_only:
            raise self.docker
        allowed = self.host.allowed
        if refusal := allowed.namespaces or allowed.overlay:
            raise EngineUnavailable(f"{self.docker.message}; and {refusal.reason}", hint=refusal.hint)
        return NamespaceHost(self.host, silent=self.silent)

    @property
    def silent(self) -> Silent:
        """The registries that did not answer in this run."""
        return self.once.answer("silent registries", dict)

    def remove_stale(self) -> int:
        """Remove what finished runs of this machine left in both kinds of hosts; return the number of containers."""
        count = NamespaceHost(self.host).remove_stale()
        return count + (remove_stale(self.docker) if isinstance(self.docker, DockerHost) else 0)

    def with_interpreters(self, more: Mapping[PythonTag, Interpreter]) -> Facts:
        """With interpreters that were fetched meanwhile."""
        return replace(self, host=self.host.with_interpreters(more))

    def dated(self, epoch: int) -> Facts:
        """With everything that is made dated to `epoch`, in seconds since 1970."""
        return replace(self, host=self.host.dated(epoch))

    def rust(self) -> RustToolchain | str:
        """The user's Rust, as builds on this machine see it, or the reason why there is none."""
        return self.once.answer("rust", lambda: find_rust(self.host.processes, self.host.rustup_environ))

    def running(self, arch: Architecture) -> Running:
        """How the Docker host runs an architecture. Raises CannotRun, EngineUnavailable."""

        def ask() -> Running:
            answer = self.containers.survey([arch], answers_in(self.host.cache))[arch]
            if isinstance(answer, CrosswheelError):
                raise answer
            return answer

        return self.once.answer(("running", arch), ask)

    def how(self, arch: Architecture) -> str:
        """How programs of an architecture run in containers, in words. Raises CannotRun, EngineUnavailable."""
        return f"in {self.containers.kind}, {'natively' if self.running(arch).natively else 'under QEMU'}"

    def without_containers(self, target: Target, config: Config) -> str:
        """Why nothing can run in the target's image, as far as this run knows; empty if it may."""
        try:
            self.running(target.arch)
            self.image_for(target, config)
        except CrosswheelError as error:
            return error.in_a_line
        # Namespaces take images from where sysroots come from; an engine may know another way.
        refused = self.once.known.get(("no sysroot", target.policy, target.arch), "")
        return str(refused) if isinstance(self.containers, NamespaceHost) else ""

    def image(self, reference: str, arch: Architecture) -> Image | None:
        """The image of that reference, or None if nobody has pulled it yet.

        Raises ImageUnavailable if it was looked for in vain, or is not what it should be.
        """
        return self.once.answer(("image", reference, arch), lambda: self._find(reference, arch))

    def image_for(self, target: Target, config: Config, family: Family = "pypa") -> Image | None:
        """The image that `reference_of` names, or None if nobody has pulled it yet. Raises ImageUnavailable."""
        return self.image(reference_of(target, config, family), image_arch(target, family))

    def pythons(
        self, target: Target, config: Config, family: Family = "pypa"
    ) -> Mapping[PythonTag, Interpreter | None]:
        """The interpreters of the target's image; those that pypa's images usually have if it is not there yet."""
        image = self.image_for(target, config, family)
        return self.pythons_of(image) if image else dict.fromkeys(usual_pythons())

    def pythons_of(self, image: Image) -> Mapping[PythonTag, Interpreter]:
        """The interpreters of an image."""
        return self.once.answer(
            ("pythons", image.id), lambda: self.containers.pythons(image, answers_in(self.host.cache))
        )

    def pythons_elsewhere(self, config: Config) -> frozenset[PythonTag]:
        """The Pythons of all images that containers could be made of here."""
        engines = {config.build.engine, *config.build.engines.values()}
        # Nobody gets one of dockcross's large images for a Python alone, without having named it.
        families: dict[Family, bool] = {
            "pypa": not engines <= {"cross", "dockcross"},
            "dockcross": "dockcross" in engines,
        }
        found: set[PythonTag] = set()
        wanted = [family for family, is_wanted in families.items() if is_wanted]
        # Of a target that all Pythons share, the Python does not matter.
        for target, family in product(config.targets(config.build.python or [PythonTag(0)]), wanted):
            # The plan has the words for what cannot be.
            with contextlib.suppress(CrosswheelError):
                self.running(image_arch(target, family))
                found.update(self.pythons(target, config.for_target(target), family))
        return frozenset(found)

    def sysroot_image(self, target: Target, config: Config) -> UnpackedImage | None:
        """The target's image that the cache has unpacked, as sysroot of builds without a container.

        None if it is not there yet, or the user names a sysroot.
        """

        def find() -> UnpackedImage | None:
            with contextlib.suppress(ImageUnavailable):  # no image is pinned for this policy
                return find_unpacked(self.host.cache, reference_of(target, config), target.arch)
            return None

        if config.build.sysroot(target.arch):
            return None
        return self.once.answer(("sysroot", target.policy, target.arch), find)

    def listing(self, folder: Path) -> str:
        """A sha256 of the names, sizes and times in a folder when this run first asked."""
        return self.once.answer(("listing", folder), lambda: _listing(folder))

    def _find(self, reference: str, arch: Architecture) -> Image | None:
        found = self.containers.find_image(reference, arch, self.mirrors)
        if found is None and self.offline:
            hint = "the same command without --offline, once"
            raise ImageUnavailable(f"{reference} is not there, and --offline forbids fetching it", hint=hint)
        return found


def reference_of(target: Target, config: Config, family: Family = "pypa") -> str:
    """The image of a family for a target: the configured one, or the pinned one. Raises ImageUnavailable."""
    return config.image_for(target, family) or pinned_image(target, family).reference


def image_of(target: Target, config: Config, facts: Facts, family: Family | None) -> str:
    """The image that a wheel is built in, or without a container against, with its digest; empty without one."""
    if family:
        return reference_of(target, config, family)
    image = facts.sysroot_image(target, config)
    if image is None or image.digest in image.reference:
        return image.reference if image else ""
    return f"{image.reference}@{image.digest}"


def look_around(config: Config, listener: Listener, wheels: Iterable[Path] = (), room: Room | None = None) -> Facts:
    """Ask this machine and its Docker host at the same time, and only what no earlier run has kept the answer of.

    `wheels` are folders of wheels for installations. `room` is what this run shares with others of this process.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        connecting = pool.submit(_connect_and_probe, config)
        within = room.processes if room else None
        host = local_host(offline=config.build.offline, listener=listener, wheels=wheels, within=within)
        docker, known = connecting.result()
        if room:
            known["silent registries"] = room.silent
        engine_only = config.containers.is_engine_wanted
        return Facts(host, docker, config.containers.mirrors, config.build.offline, engine_only, Once(known))


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
        return EngineUnavailable("nothing that was asked for needs a Docker Engine")
    wanted = config.containers.container_host
    if wanted == "namespace":
        return EngineUnavailable("--container-host namespace")
    podman = find_podman(os.environ) if wanted == "podman" and not config.containers.docker_host else None
    try:
        docker = podman or connect(config.containers.docker_host, os.environ)
    except EngineUnavailable as error:
        return error
    if wanted != "auto" and not docker.product.lower().startswith(wanted):
        docker.client.close()
        text = f"--container-host {wanted}, but the engine at {docker.address} is a {docker.product}"
        return EngineUnavailable(text, hint="--docker-host ADDRESS; or --container-host auto")
    return docker


def _listing(folder: Path) -> str:
    """By names, sizes and times: reading gigabytes would take longer than many a build."""
    sha256 = hashlib.sha256(str(folder).encode())
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            found = os.lstat(os.path.join(root, name))  # noqa: PTH118 - many thousands of them
            sha256.update(f"{root}/{name} {found.st_size} {found.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return sha256.hexdigest()
