"""Build in a container on a machine of the target's own architecture: this one, or a Docker host elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from crosswheel.engines import containers
from crosswheel.engines.site import Site
from crosswheel.images import Family
from crosswheel.model import Interpreter, Job, Listener
from crosswheel.targets import Target
from crosswheel.workspace import Workspace


class Native:
    family: Family | None = "pypa"

    def offer(self, target: Target, site: Site) -> Interpreter | str:
        return containers.offer(target, site, natively=True)

    def prepare(self, target: Target, site: Site, listener: Listener, *, cxx: bool) -> None:  # noqa: ARG002
        containers.prepare(target, site, listener, compilers=False)

    def open(
        self,
        job: Job,
        site: Site,
        folder: Path,
        log: Path,
        *,
        bare: bool = False,  # noqa: ARG002
    ) -> AbstractContextManager[Workspace]:
        return containers.open_workspace(job, site, folder, log)
