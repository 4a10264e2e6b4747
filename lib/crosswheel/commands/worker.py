"""`worker`: build for others, as a worker of a scheduler of dask.distributed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crosswheel import __version__
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.commands.scheduler import scheduler_of
from crosswheel.engines.facts import look_around
from crosswheel.errors import CannotRun, UsageError
from crosswheel.fleet.probe import AUTO, jobs_at_a_time, resources_of
from crosswheel.fleet.worker import WorkerProcess
from crosswheel.model.config import Config
from crosswheel.model.job import Listener, Note
from crosswheel.reporting.document import SCHEMA, Document

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import PathText, WorkerOptions


@dataclass(frozen=True)
class WorkerReport(Result):
    """The scheduler that was served, and what this machine could build: ``ENGINE ARCHITECTURE PYTHON``."""

    scheduler: str
    abilities: tuple[str, ...]

    def document(self) -> Document:
        heading = {"schema": SCHEMA, "kind": "worker", "crosswheel": __version__}
        return {**heading, "scheduler": self.scheduler, "abilities": list(self.abilities)}

    def text(self, _console: Console | None = None) -> str:
        """Empty: the listener has reported every line."""
        return ""


@public
def worker(
    scheduler: str | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[WorkerOptions],
) -> WorkerReport:
    """Build for others until a signal (SIGTERM, SIGINT) ends it. It says itself which targets this machine can build.

    `scheduler` is an address such as tls://HOST:8786; default: CROSSWHEEL_SCHEDULER. `project` is the folder whose
    pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`).

    Returns a WorkerReport: `.scheduler`, `.abilities`, `.document()`.
    Raises UsageError, CannotRun if this machine can build nothing, MissingTool without the extra `distributed`.
    """
    return from_code(run, "worker", project, listener, {"scheduler": scheduler, **options})


def run(call: Call) -> WorkerReport:
    config = call.config
    address = scheduler_of(call)
    if address is None:
        raise UsageError("no scheduler was given", hint="crosswheel worker tls://HOST:8786")
    address.security("worker")  # before the machine is asked, which takes longer
    with look_around(config, call.listener) as facts:
        resources, jobs = resources_of(facts, config, facts.host), jobs_at_a_time(facts.host, config)
    abilities = tuple(name for name in resources if len(name.split()) == 3 and not name.startswith(AUTO))  # noqa: PLR2004
    if not abilities:
        raise CannotRun("no engine can build anything on this machine", hint="crosswheel doctor")
    name = f"{os.uname().nodename}-{os.getpid()}"
    for line in _lines(abilities):
        call.listener(Note(line))
    WorkerProcess(address, name, resources, jobs, _options(config)).run(lambda text: call.listener(Note(text)))
    return WorkerReport(address.text, abilities)


def _lines(abilities: tuple[str, ...]) -> list[str]:
    """The architectures by engine."""
    found: dict[str, dict[str, None]] = {}
    for name in abilities:
        engine, arch, _python = name.split()
        found.setdefault(engine, {})[arch] = None
    return [f"{engine}: {', '.join(archs)}" for engine, archs in found.items()]


def _options(config: Config) -> dict[str, Any]:
    """The options of this worker that hold for its jobs, too."""
    containers = config.containers
    given = {"docker_host": containers.docker_host, "container_host": containers.container_host}
    return {name: value for name, value in given.items() if value}
