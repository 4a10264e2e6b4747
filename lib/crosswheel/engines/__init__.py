"""The engines, which open workspaces for jobs: one module each, in the order in which `auto` tries them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from crosswheel.engines.accelerated import Accelerated
from crosswheel.engines.cross import Cross
from crosswheel.engines.dockcross import Dockcross
from crosswheel.engines.facts import Facts
from crosswheel.engines.needs import lacks
from crosswheel.engines.pypa import Pypa
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import Workspace
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Need, Sdist
from crosswheel.model.targets import Target


class Engine(Protocol):
    """The interface of an engine. `family` is the family of its images, empty without images.

    `toolchain` has the versions of its tools, which are part of a wheel's key.
    """

    @property
    def family(self) -> Family | None: ...
    @property
    def toolchain(self) -> Mapping[str, str]: ...

    def offer(self, target: Target, config: Config, facts: Facts) -> Interpreter | str:
        """The interpreter for the build backend, or the reason why this engine cannot serve the target."""
        ...

    def prepare(self, target: Target, config: Config, services: Services, *, cxx: bool) -> None:
        """Prepare a target once per machine, before its first job."""
        ...

    def open(
        self, job: Job, sdist: Sdist, config: Config, services: Services, folder: Path, log: Path, *, bare: bool = False
    ) -> AbstractContextManager[Workspace]:
        """A workspace for one job, below `folder`; closing it removes everything.

        A `bare` workspace of an engine that fetches compilers has none, for sources without compiled code; it records
        whether the build called one.
        """
        ...


ENGINES: Mapping[str, Engine] = {
    "native": Pypa(natively=True),
    "accelerated": Accelerated(),
    "cross": Cross(),
    "dockcross": Dockcross(),
    "emulated": Pypa(natively=False),
}

# The engines that `auto` tries, best first.
LADDER = tuple(ENGINES)


def offers(
    config: Config, facts: Facts, engines: Mapping[str, Engine] = ENGINES, needs: Sequence[Need] = ()
) -> Callable[[str, Target], Interpreter | str]:
    """Engine name, target -> the interpreter that would run the build backend, or why the engine cannot serve it.

    `needs` are the source's; an engine without one of them is not offered.
    """

    def offer(engine: str, target: Target) -> Interpreter | str:
        its = config.for_target(target)
        offered = engines[engine].offer(target, its, facts)
        return offered if isinstance(offered, str) else lacks(engine, needs, target, its, facts) or offered

    return offer
