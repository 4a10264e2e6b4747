"""What serves all jobs of a run: it pulls images, repairs wheels, starts containers early and removes them later."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING

from crosswheel.containers.images import Image
from crosswheel.engines.facts import Facts, reference_of
from crosswheel.engines.prestart import Prestart
from crosswheel.engines.repair_worker import RepairWorker
from crosswheel.errors import DiskFull, ImageUnavailable
from crosswheel.images.store import UnpackedImage, ensure_unpacked
from crosswheel.model.config import Config
from crosswheel.model.job import Listener, Note, deaf
from crosswheel.model.targets import Architecture, Target
from crosswheel.toolchains.toolbox import Toolbox, ensure_toolbox

if TYPE_CHECKING:
    from typing_extensions import Self

_ZIGS_OWN = "Zig's own C and C++ runtime, without zlib and the other libraries of the image"
_PAUSE = 1.0  # seconds, in which a job has begun


@dataclass(frozen=True)
class Services:
    """A context manager: at its end nothing that it started runs any more. `listener` hears of what takes long."""

    facts: Facts
    listener: Listener = field(default=deaf, repr=False, compare=False)
    repair_worker: RepairWorker = field(default_factory=RepairWorker, repr=False, compare=False)
    prestart: Prestart = field(default_factory=Prestart, repr=False, compare=False)
    _leaving: list[threading.Thread] = field(default_factory=list, repr=False, compare=False)
    _ending: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End what served all jobs, and wait until what was left for later is done."""
        self._ending.set()
        self.repair_worker.end()
        self.prestart.end()
        while self._leaving:
            self._leaving.pop().join()

    def pull(self, reference: str, arch: Architecture) -> Image:
        """An image, fetched if need be. Raises ImageUnavailable, EngineUnavailable."""

        def fetch() -> Image:
            return self.facts.containers.ensure_image(
                reference,
                arch,
                mirrors=self.facts.mirrors,
                offline=self.facts.offline,
                listener=self.listener,
            )

        return self.facts.once.fetched(("image", reference, arch), fetch)

    def sysroot_image(self, target: Target, config: Config) -> UnpackedImage | None:
        """As of `Facts`, but fetched and unpacked if need be; None, and a note, if it cannot be had.

        It is tried once in a run.
        """
        facts, listener = self.facts, self.listener

        def fetch() -> UnpackedImage | None:
            try:
                return ensure_unpacked(
                    facts.host.cache,
                    reference_of(target, config),
                    target.arch,
                    mirrors=facts.mirrors,
                    offline=facts.offline,
                    listener=listener,
                    silent=facts.silent,
                )
            except (ImageUnavailable, DiskFull) as error:
                if isinstance(error, ImageUnavailable):
                    facts.once.known["no sysroot", target.policy, target.arch] = error.in_a_line
                listener(Note(f"{target.policy}_{target.arch} is built with {_ZIGS_OWN}: {error.message}"))
                return None

        if config.build.sysroot(target.arch):
            return None
        key = ("sysroot", target.policy, target.arch)
        return facts.once.fetched(key, lambda: facts.once.answer(("tried", *key), fetch))

    def toolbox(self, image: Image, *, compilers: bool) -> Toolbox:
        """The volume of programs of the Docker host's own machine. Raises MissingTool, EngineUnavailable."""
        facts = self.facts
        return facts.once.answer(
            ("toolbox", compilers),
            lambda: ensure_toolbox(facts.containers, image, facts.host, self.listener, compilers=compilers),
        )

    def later(self, action: Callable[[], None]) -> None:
        """Do what nobody has to wait for, such as removing a container, a moment later or at the end.

        Not at once, for the next job begins now, and has the engine to itself.
        """

        def leave() -> None:
            self._ending.wait(_PAUSE)
            action()

        thread = threading.Thread(target=leave)
        self._leaving.append(thread)
        thread.start()
