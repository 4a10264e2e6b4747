"""How to open a workspace for a job: one small file each, in the order of the ladder that `auto` climbs down."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from crosswheel.config import Config
from crosswheel.engines.cross import Cross
from crosswheel.hosts import LocalHost
from crosswheel.model import Interpreter, Job, Listener
from crosswheel.targets import Target
from crosswheel.workspace import HostWorkspace


class Engine(Protocol):
    """What every rung of the ladder offers."""

    def refusal(self, target: Target, interpreter: Interpreter | None, config: Config) -> str:
        """Why this engine cannot serve a target; empty if it can."""
        ...

    def prepare(self, target: Target, *, cxx: bool, host: LocalHost, listener: Listener) -> None:
        """What is done once per machine and target, before the first job."""
        ...

    def open(
        self, job: Job, host: LocalHost, config: Config, folder: Path, log: Path, *, bare: bool = False
    ) -> AbstractContextManager[HostWorkspace]:
        """A workspace for one job, below `folder`; closing it leaves nothing behind.

        A `bare` one has no compilers, and so none to fetch: for sources that hold nothing to compile. It knows
        whether the build asked for one all the same.
        """
        ...


ENGINES: Mapping[str, Engine] = {"cross": Cross()}

# What `auto` tries, best first.
LADDER = tuple(ENGINES)
