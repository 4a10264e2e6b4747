"""Schedules jobs by the resources of earlier ones: expected time, number of parallel jobs, and order."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from crosswheel.containers.docker_host import DockerHost
from crosswheel.engines import ENGINES, Engine
from crosswheel.engines.facts import Facts
from crosswheel.engines.in_containers import MEMORY_SHARE
from crosswheel.model.config import Config
from crosswheel.model.job import Job, Outcome, Plan
from crosswheel.model.targets import PythonTag, Target, parse_target
from crosswheel.steps.journal import Journal, JournalEntry
from crosswheel.system.local_host import LocalHost

# Bytes for a job without history: about the need of a compiler for large C++ templates.
_UNKNOWN = 1024**3
_FIRST_WITH_ABI3T = 15


@dataclass(frozen=True)
class Past:
    """The resources of an earlier job: `seconds` of wall clock with its test, `memory` in bytes (0: unknown)."""

    target: Target
    engine: str
    when: float
    seconds: float
    memory: int


def history_of(journal: Journal) -> list[Past]:
    """The records of the project's earlier jobs."""
    return [_past(made) for made in journal.history()]


def _past(made: JournalEntry) -> Past:
    return Past(parse_target(made.target), made.engine, made.when, made.seconds + made.tested_seconds, made.memory)


def expected_seconds(job: Job, history: Collection[Past]) -> float | None:
    """The time of the last such job, otherwise the average over other Pythons; None without history."""
    alike = _alike(job, history)
    same = [past for past in alike if past.target == job.target]
    if same:
        return max(same, key=lambda past: past.when).seconds
    return sum(past.seconds for past in alike) / len(alike) if alike else None


def expected_memory(job: Job, history: Collection[Past]) -> int:
    """The peak memory of any such job."""
    return max((past.memory for past in _alike(job, history)), default=0) or _UNKNOWN


def _alike(job: Job, history: Iterable[Past]) -> list[Past]:
    return [past for past in history if past.engine == job.engine and past.target.arch == job.target.arch]


def waves(jobs: Sequence[Job], stable_abi: Collection[int] | None) -> Iterator[list[Job]]:
    """The jobs in the order of who may serve whom: those of a wave go together, and a wave waits for the one before.

    `stable_abi` has the minor versions that the project asks the stable ABI for, None where it asks for none. A wheel
    of the stable ABI serves later Pythons; one built by a free-threaded CPython is tagged abi3.abi3t from 3.15 on and
    serves the ordinary CPython of the same version, too (PEP 803).
    """
    ordinary = _first_of_stable_abi(jobs, stable_abi)
    both = [job for job in jobs if _serves_both(job.target.python) and _ordinary(job.target) in ordinary]
    yield both
    yield [job for job in jobs if job.target in ordinary]
    yield [job for job in jobs if job.target not in ordinary and job not in both]


def _first_of_stable_abi(jobs: Iterable[Job], stable_abi: Collection[int] | None) -> set[Target]:
    """The oldest ordinary CPython of each platform, and each from which on the project asks for the stable ABI."""
    first, seen = set(), set()
    for job in jobs if stable_abi is not None else ():
        python, platform = job.target.python, (job.target.arch, job.target.policy)
        if not python.free_threaded and (platform not in seen or python.minor in (stable_abi or ())):
            seen.add(platform)
            first.add(job.target)
    return first


def _serves_both(python: PythonTag) -> bool:
    return python.free_threaded and python.minor >= _FIRST_WITH_ABI3T


def _ordinary(target: Target) -> Target:
    return replace(target, python=PythonTag(target.python.minor))


def last_to_end(outcomes: Iterable[Outcome]) -> tuple[Target, ...]:
    """The job that ended last: the next wave waited for it; none if none of them did anything."""
    ended = [(outcome.ended, outcome.job.target) for outcome in outcomes if outcome.ended is not None]
    return (max(ended, key=lambda pair: pair[0])[1],) if ended else ()


def longest_first(jobs: Iterable[Job], seconds: Mapping[Target, float | None]) -> list[Job]:
    """The jobs, longest first, so that no long one runs alone at the end; unknown ones count as long."""
    return sorted(jobs, key=lambda job: -_or_forever(seconds.get(job.target)))


def _or_forever(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds


Machines = Sequence["DockerHost | LocalHost"]


def workers(jobs: Sequence[Job], history: Collection[Past], machines: Machines) -> int:
    """How many jobs go at a time: as many as there is room for on the smallest of the machines."""
    memory = min(machine.memory for machine in machines)
    needs = [expected_memory(job, history) for job in jobs]
    return at_a_time(needs, processors(machines), int(memory * MEMORY_SHARE))


def processors(machines: Machines) -> int:
    """The processors of the smallest machine."""
    return min(machine.cpus for machine in machines)


def machines_of(jobs: Iterable[Job], facts: Facts, engines: Mapping[str, Engine]) -> Machines:
    """The machines that jobs work on, of which there is one job at least."""
    docker = facts.docker if isinstance(facts.docker, DockerHost) else facts.host
    kinds = {bool(engines[job.engine].family) for job in jobs}
    return [docker if in_container else facts.host for in_container in kinds]


def at_a_time(needs: Sequence[int], processors: int, memory: int) -> int:
    """The number of jobs that processors and `memory` (bytes) allow, for any combination of jobs."""
    fitting, total = 0, 0
    for need in sorted(needs, reverse=True)[: max(1, processors)]:
        total += need
        if total > memory:
            break
        fitting += 1
    return max(1, fitting)


def duration(seconds: Iterable[float], workers: int) -> float:
    """The total time of jobs in seconds, each assigned to the first free worker in this order."""
    free = [0.0] * max(1, workers)
    for took in seconds:
        heapq.heapreplace(free, free[0] + took)
    return max(free)


def expected_plan(
    made: Plan, history: Collection[Past], config: Config, facts: Facts, engines: Mapping[str, Engine] = ENGINES
) -> Plan:
    """The plan with the expected times of the jobs and of the run; None if a job has no history."""
    jobs = tuple(replace(job, seconds=expected_seconds(job, history)) for job in made.jobs)
    known = [job.seconds for job in longest_first(jobs, {job.target: job.seconds for job in jobs}) if job.seconds]
    complete = jobs and len(known) == len(jobs)
    if not complete:
        return replace(made, jobs=jobs)
    together = config.build.jobs or workers(jobs, history, machines_of(jobs, facts, engines))
    return replace(made, jobs=jobs, seconds=duration(known, together))
