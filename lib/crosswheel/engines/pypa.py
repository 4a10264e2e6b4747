"""Build in one of pypa's images with the compilers that are in it: the engines `native` and `emulated`.

Natively on a machine of the target's own architecture: this one, or a Docker host elsewhere. Under QEMU on any other:
slow, and always the same. What needs no emulation has none: uv installs with the machine's own speed, and wheels are
repaired outside.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from crosswheel.containers.images import Family
from crosswheel.engines import in_containers
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import Workspace
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Sdist
from crosswheel.model.targets import Target


@dataclass(frozen=True)
class Pypa:
    """The two differ in the Docker hosts that they take."""

    natively: bool
    family: Family | None = "pypa"

    @property
    def toolchain(self) -> dict[str, str]:
        return {}  # all of it is the image's

    def offer(self, target: Target, config: Config, facts: Facts) -> Interpreter | str:
        return in_containers.offer(target, config, facts, natively=self.natively)

    def prepare(self, target: Target, config: Config, services: Services, *, cxx: bool) -> None:  # noqa: ARG002
        in_containers.prepare(target, config, services, compilers=False)

    def open(
        self,
        job: Job,
        sdist: Sdist,
        config: Config,
        services: Services,
        folder: Path,
        log: Path,
        *,
        bare: bool = False,  # noqa: ARG002
    ) -> AbstractContextManager[Workspace]:
        return in_containers.open_workspace(job, sdist, config, services, folder, log)
