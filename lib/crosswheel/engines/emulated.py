"""Build in a container of the target's architecture under QEMU, compilers and all: slow, and always the same.

What needs no emulation has none: uv installs with the machine's own speed, and wheels are repaired outside.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from crosswheel.engines import containers
from crosswheel.engines.site import Site
from crosswheel.images import Family
from crosswheel.model import Interpreter, Job, Listener
from crosswheel.targets import Target
from crosswheel.workspace import Workspace


class Emulated:
    family: Family | None = "pypa"

    def offer(self, target: Target, site: Site) -> Interpreter | str:
        return containers.offer(target, site, natively=False)

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
