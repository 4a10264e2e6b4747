"""A run of thousands of jobs on workers of two kinds, simulated from times that real builds took.

``python bench/fleet.py --journal ~/.cache/crosswheel/journal`` reads the times and the wheels of a journal. Without one
it takes corpus/results.json, which has the times of the same projects by a native compiler and by `cross`, but no
sizes. One half of the workers is native, the other half crosses. The jobs go as dask sends them: the longest first,
each to the first worker that is free.

The simulation has what this project adds: the time of scheduler and client for each task, which
tests/clusters/test_executor.py measures, and the client's processor time for each wheel that arrives, of which Python
does one at a time; a wheel of 100 kB takes 18 to 29 ms. It has no network, whose bytes it counts instead.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Build:
    """The seconds of one real build by a native compiler and by a cross compiler, and the bytes of its wheel."""

    native: float
    cross: float
    size: int = 0


@dataclass(frozen=True)
class Costs:
    """Seconds of the scheduler for a task, of the client for a wheel that arrives; and how many at a time it takes."""

    task: float
    wheel: float
    takers: int


@dataclass(frozen=True)
class Simulated:
    """A run: `makespan` and its lower `bound` in seconds, `busy` as a share of all workers' time."""

    workers: int
    makespan: float
    bound: float
    busy: float
    scheduler: float
    client: float
    size: int


def of_journal(folder: Path) -> list[Build]:
    """The builds of a journal; it does not say what a native compiler would have taken, so that is the same."""
    builds = []
    for path in sorted(folder.glob("*/*/entry.json")):
        entry = json.loads(path.read_text())
        wheel = path.parent / entry["wheel"]
        size = wheel.stat().st_size if wheel.is_file() else 0
        builds.append(Build(entry["seconds"], entry["seconds"], size))
    return builds


def of_corpus(path: Path) -> list[Build]:
    """The projects of the corpus that both compilers built."""
    rows = json.loads(path.read_text())
    return [Build(row["native_seconds"], row["seconds"]) for row in rows if row["native_seconds"] and row["seconds"]]


def simulate(jobs: Sequence[Build], workers: int, costs: Costs) -> Simulated:
    """Half of the workers are native, half cross; events are the ends of jobs."""
    native = workers // 2
    free = [(0.0, number, number < native) for number in range(workers)]
    heapq.heapify(free)
    takers = [0.0] * costs.takers
    work, sent = 0.0, 0.0
    for job in sorted(jobs, key=lambda one: -max(one.native, one.cross)):
        sent += costs.task  # one after the other: the scheduler is one thread
        at, number, is_native = heapq.heappop(free)
        took = job.native if is_native else job.cross
        work += took
        ended = max(at, sent) + took
        heapq.heappush(free, (ended, number, is_native))
        # The client takes what arrives; not quite in this order, which changes the end by one wheel at most.
        heapq.heapreplace(takers, max(takers[0], ended) + costs.wheel)
    makespan = max(*takers, *(at for at, *_ in free))
    return Simulated(
        workers=workers,
        makespan=makespan,
        bound=lower_bound(jobs, native, workers - native),
        busy=work / (makespan * workers),
        scheduler=len(jobs) * costs.task / makespan,
        client=len(jobs) * costs.wheel / costs.takers / makespan,
        size=sum(job.size for job in jobs),
    )


def lower_bound(jobs: Sequence[Build], native: int, cross: int) -> float:
    """No schedule is shorter: jobs may be split between the kinds here, those go to a kind that it serves best."""
    ordered = sorted(jobs, key=lambda job: job.native / job.cross)
    before = list(itertools.accumulate((job.native for job in ordered), initial=0.0))
    total = sum(job.cross for job in ordered)
    after = [total - done for done in itertools.accumulate((job.cross for job in ordered), initial=0.0)]
    even = min(max(mine / native, theirs / cross) for mine, theirs in zip(before, after, strict=True))
    # Between two cuts a part of one job would even them out.
    slack = max(max(job.native / native, job.cross / cross) for job in jobs)
    longest = max(min(job.native, job.cross) for job in jobs)
    return max(even - slack, longest)


def lines(runs: Sequence[Simulated], jobs: int, costs: Costs) -> Iterator[str]:
    yield f"{jobs} jobs; {costs.task * 1000:.1f} ms a task, {costs.wheel:.2f} s a wheel, {costs.takers} at a time"
    yield "workers  makespan  lower bound  utilisation  scheduler busy  client busy  bytes back"
    for run in runs:
        cells = (
            f"{run.workers:7}",
            f"{run.makespan:7.0f} s",
            f"{run.bound:10.0f} s",
            f"{run.busy:11.0%}",
            f"{run.scheduler:14.0%}",
            f"{run.client:11.0%}",
            f"{run.size / 1e6:7.0f} MB",
        )
        yield "  ".join(cells)


def limits(jobs: Sequence[Build], costs: Costs) -> Iterator[str]:
    """The numbers of workers from which on more of them help no more."""
    mean = sum(job.native + job.cross for job in jobs) / 2 / len(jobs)
    yield f"the scheduler ends at {mean / costs.task:.0f} workers (jobs of {mean:.0f} s on average)"
    yield f"the client ends at {mean * costs.takers / costs.wheel:.0f} workers"
    yield "then: a run for each part of the targets (--arch, --python), each with a scheduler or a client of its own"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--task-ms", type=float, default=3.4)
    parser.add_argument("--wheel-seconds", type=float, default=0.03)
    parser.add_argument("--takers", type=int, default=1)
    options = parser.parse_args()
    builds = of_journal(options.journal) if options.journal else of_corpus(ROOT / "corpus" / "results.json")
    jobs = random.Random(0).choices(builds, k=options.jobs)
    costs = Costs(options.task_ms / 1000, options.wheel_seconds, options.takers)
    runs = [simulate(jobs, workers, costs) for workers in (10, 100, 1000)]
    print(f"times of {len(builds)} real builds")
    print(*lines(runs, len(jobs), costs), *limits(jobs, costs), sep="\n")


if __name__ == "__main__":
    main()
