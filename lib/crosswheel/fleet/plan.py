"""The plan of a run on workers: what they can build, by their own words, or why none of them can."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from crosswheel.engines import ENGINES, LADDER
from crosswheel.engines.facts import reference_of
from crosswheel.errors import ImageUnavailable
from crosswheel.fleet.order import Order, order_for
from crosswheel.fleet.probe import AUTO, MEMORY, pythons_in, resource, version_resource
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Plan, Sdist
from crosswheel.model.targets import Target, parse_python
from crosswheel.pipeline.plan import make_plan
from crosswheel.pipeline.schedule import Past, expected_memory, expected_seconds

_WHY = "best engine of the workers"


@dataclass(frozen=True)
class Worker:
    """A worker: its name, its address, and what it can do by the names of fleet/probe.py."""

    name: str
    address: str
    resources: Mapping[str, float]

    @property
    def has_our_version(self) -> bool:
        return version_resource() in self.resources

    @property
    def version(self) -> str:
        """The versions that it says it has, in words."""
        return next((name for name in self.resources if name.startswith("crosswheel ")), "no crosswheel")

    def fits(self, needs: Mapping[str, float]) -> bool:
        return all(self.resources.get(name, -1.0) >= amount for name, amount in needs.items())


def plan_on(workers: Sequence[Worker], config: Config, requires_python: str, source: str) -> Plan:
    """One job per target that a worker can build; the others are left out, each with the reason."""
    able = [worker for worker in workers if worker.has_our_version]
    pythons = {parse_python(tag) for worker in able for tag in pythons_in(worker.resources)}
    offer = _offers(workers, config)
    made = make_plan(config, requires_python, {}, LADDER, offer, pythons or config.build.python, _WHY)
    return replace(made, source=source)


def _offers(workers: Sequence[Worker], config: Config) -> Callable[[str, Target], Interpreter | str]:
    def offer(engine: str, target: Target) -> Interpreter | str:
        if any(worker.fits(_needs(engine, target)) for worker in workers):
            return _stand_in(engine, target, config)
        return _refusal(workers, target)

    return offer


def _refusal(workers: Sequence[Worker], target: Target) -> str:
    if not workers:
        return "the cluster has no worker; crosswheel worker, with the scheduler's address"
    others = [worker for worker in workers if not worker.has_our_version]
    if len(others) == len(workers):
        said = ", ".join(f"{worker.name}: {worker.version}" for worker in others[:3])
        return f"no worker has {version_resource()} ({said})"
    return f"no worker of {len(workers)} can build {target.arch} for {target.python} with it"


def _stand_in(engine: str, target: Target, config: Config) -> Interpreter:
    """Stands for the worker's interpreter; an image that was asked for is a part of the wheel's key."""
    with suppress(ImageUnavailable):
        if family := ENGINES[engine].family:
            return Interpreter(target.python, target.python.version, Path(reference_of(target, config, family)))
    return Interpreter(target.python, target.python.version, Path("python"))


def _needs(engine: str, target: Target) -> dict[str, float]:
    return {resource(engine, target): 1.0, version_resource(): 1.0}


# ---- orders -------------------------------------------------------------------------------------------------------


def groups(jobs: Iterable[Job], sdist: Sdist) -> list[tuple[Job, ...]]:
    """Jobs that one worker does together, because the wheel of one may serve the others; otherwise one by one."""
    found: dict[object, list[Job]] = {}
    for job in jobs:
        target = job.target
        shared = not sdist.compiled or sdist.stable_abi is not None
        found.setdefault((target.arch, target.policy, job.engine) if shared else target, []).append(job)
    return [tuple(group) for group in found.values()]


def order_of(jobs: Sequence[Job], sdist: Sdist, config: Config, history: Collection[Past]) -> Order:
    """The order for a group of jobs. The worker chooses the engine, unless one was asked for. Raises UsageError."""
    asked = config.build.engine_for(jobs[0].target)
    needs = {resource(asked if asked != AUTO else AUTO, job.target): 1.0 for job in jobs}
    memory = float(max(expected_memory(job, history) for job in jobs))
    resources = {**needs, MEMORY: memory, version_resource(): 1.0}
    return order_for(sdist, [job.target for job in jobs], asked, config, resources)


def seconds_of(jobs: Iterable[Job], history: Collection[Past]) -> float:
    """The expected time of a group in seconds; what has no history counts as an hour, so that it begins first."""
    return sum(expected_seconds(job, history) or 3600.0 for job in jobs)
