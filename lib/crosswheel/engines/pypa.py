"""The engines `native` and `emulated`: build in pypa's images with their compilers.

`native` needs a Docker host of the target's architecture, this machine or another. `emulated` uses QEMU on any other,
which is slow but works everywhere. Only the build is emulated: uv runs natively, and wheels are repaired outside.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from crosswheel.engines import in_containers
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import Workspace
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Sdist
from crosswheel.model.targets import Target


@dataclass(frozen=True)
class Pypa:
    """Both engines; they differ in the Docker hosts that they accept."""

    natively: bool
    family: Family | None = "pypa"

    @property
    def toolchain(self) -> dict[str, str]:
        return {}  # everything is in the image

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
