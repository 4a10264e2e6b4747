"""How long jobs may take, how many go at a time, and in which order: from what earlier ones took."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from crosswheel.journal import Made
from crosswheel.model import Job
from crosswheel.targets import Target, parse_target

# Of a job that nobody has seen yet: a compiler at work on large C++ templates takes about as much.
_UNKNOWN = 1024**3


@dataclass(frozen=True)
class Past:
    """What one earlier job took: `seconds` of wall clock with its test, `memory` in bytes (0: unknown)."""

    target: Target
    engine: str
    when: float
    seconds: float
    memory: int


def past_of(made: Made) -> Past:
    return Past(parse_target(made.target), made.engine, made.when, made.seconds + made.tested_seconds, made.memory)


def expected_seconds(job: Job, history: Collection[Past]) -> float | None:
    """What the last such job took; else what those of other Pythons took on average; None where there were none."""
    alike = _alike(job, history)
    same = [past for past in alike if past.target == job.target]
    if same:
        return max(same, key=lambda past: past.when).seconds
    return fmean(past.seconds for past in alike) if alike else None


def expected_memory(job: Job, history: Collection[Past]) -> int:
    """The most that any such job took."""
    return max((past.memory for past in _alike(job, history)), default=0) or _UNKNOWN


def _alike(job: Job, history: Iterable[Past]) -> list[Past]:
    return [past for past in history if past.engine == job.engine and past.target.arch == job.target.arch]


def longest_first(jobs: Iterable[Job], seconds: Mapping[Target, float | None]) -> list[Job]:
    """So that no long one is left to run alone at the end; what nobody knows may be long."""
    return sorted(jobs, key=lambda job: -_or_forever(seconds.get(job.target)))


def _or_forever(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds


def at_a_time(needs: Sequence[int], processors: int, memory: int) -> int:
    """How many jobs, whichever of them meet, processors and memory allow; `memory` 0 is memory that nobody knows."""
    fitting, total = 0, 0
    for need in sorted(needs, reverse=True)[: max(1, processors)]:
        total += need
        if memory and total > memory:
            break
        fitting += 1
    return max(1, fitting)


def duration(seconds: Iterable[float], workers: int) -> float:
    """How long jobs take from the first to the last, each given to whoever is free first, in this order."""
    free = [0.0] * max(1, workers)
    for took in seconds:
        heapq.heapreplace(free, free[0] + took)
    return max(free)
