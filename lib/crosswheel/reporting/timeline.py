"""When the jobs of a run were at work, what they waited for, and which of them made the run as long as it was.

Everything is taken from the document of a report (schema 2), so that old runs can be shown again.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

# Seconds between the end of a job and the beginning of the next one on the same worker.
_HANDOVER = 0.5
_OVERLAP = 0.02  # two clocks of one moment


@dataclass(frozen=True)
class Span:
    """A step of a job, in seconds after the beginning of the run."""

    step: str
    started: float
    ended: float


@dataclass(frozen=True)
class Bar:
    """A job in its lane; `after` is the job whose end let it begin, if any did. `critical`: on the critical path."""

    target: str
    status: str
    lane: int
    started: float
    ended: float
    steps: tuple[Span, ...]
    cpu_seconds: float | None
    worker: str
    waits_for: tuple[str, ...]
    after: str = ""
    critical: bool = False

    @property
    def seconds(self) -> float:
        return self.ended - self.started


@dataclass(frozen=True)
class Timeline:
    """The jobs of a run with their times, by lane and beginning; a lane is what carries out one job at a time.

    `lanes` has the worker of each lane, empty for the process of the run; `seconds` is the length of the run.
    """

    bars: tuple[Bar, ...]
    lanes: tuple[str, ...]
    seconds: float

    @property
    def critical(self) -> tuple[Bar, ...]:
        """The jobs of the critical path: each began when the one before it ended, and the last one ended the run."""
        return tuple(sorted((bar for bar in self.bars if bar.critical), key=lambda bar: bar.started))

    @property
    def begins(self) -> float:
        """The seconds before the first job."""
        return min(bar.started for bar in self.bars)

    @property
    def at_once(self) -> float:
        """The average number of jobs at work, while any was."""
        busy = sum(end - begin for begin, end in _united((bar.started, bar.ended) for bar in self.bars))
        return sum(bar.seconds for bar in self.bars) / busy if busy else 0.0

    @property
    def most(self) -> int:
        """The highest number of jobs at work at one moment."""
        changes = sorted(change for bar in self.bars for change in ((bar.started + _OVERLAP, 1), (bar.ended, -1)))
        now = most = 0
        for _, change in changes:
            now += change
            most = max(most, now)
        return max(most, 1)

    @property
    def cpu_seconds(self) -> float | None:
        """The processor seconds of all jobs; None if those of one are not known."""
        known = [bar.cpu_seconds for bar in self.bars if bar.cpu_seconds is not None]
        return sum(known) if len(known) == len(self.bars) else None

    def concurrency(self, parts: int) -> list[float]:
        """The average number of jobs at work in each of so many equal parts of the run."""
        width, found = self.seconds / parts, [0.0] * parts
        for bar in self.bars:
            for at in range(int(bar.started / width), min(parts, int(bar.ended / width) + 1)):
                overlap = min(bar.ended, (at + 1) * width) - max(bar.started, at * width)
                found[at] += max(0.0, overlap) / width
        return found


def timeline_of(report: Mapping[str, Any]) -> Timeline | None:
    """The timeline of the document of a report; None if no job has times."""
    bars = _in_lanes([bar for job in report["jobs"] if (bar := _bar(job))])
    if not bars:
        return None
    workers = {bar.lane: bar.worker for bar in bars}
    lanes = tuple(workers[lane] for lane in sorted(workers))
    seconds = max(float(report["seconds"]), *(bar.ended for bar in bars))
    return Timeline(tuple(_with_critical_path(_released(bars))), lanes, seconds)


def _bar(job: Mapping[str, Any]) -> Bar | None:
    started, ended = job.get("started"), job.get("ended")
    if started is None or ended is None:
        return None
    steps = [
        Span(str(step["step"]), max(0.0, step["started"]), max(0.0, step["started"]) + step["seconds"])
        for step in job["steps"]
        if step.get("started") is not None
    ]
    return Bar(
        target=str(job["target"]),
        status=str(job["status"]),
        lane=0,
        started=max(0.0, float(started)),
        ended=max(0.0, float(started), float(ended)),
        steps=tuple(steps),
        cpu_seconds=job.get("cpu_seconds"),
        worker=str(job.get("worker") or ""),
        waits_for=tuple(map(str, job.get("waits_for", ()))),
    )


def _in_lanes(bars: Sequence[Bar]) -> list[Bar]:
    """The bars in lanes of their workers; a worker has as many lanes as jobs at a time."""
    free: dict[str, list[tuple[float, int]]] = {}
    lanes: list[str] = []
    placed = []
    for bar in sorted(bars, key=lambda bar: (bar.started, bar.ended)):
        own = free.setdefault(bar.worker, [])
        # The lane that was freed last: it is the one whose end let the job begin.
        at = bisect.bisect_right(own, (bar.started + _OVERLAP, len(bars))) - 1
        if at >= 0:
            _, lane = own.pop(at)
        else:
            lane = len(lanes)
            lanes.append(bar.worker)
        bisect.insort(own, (bar.ended, lane))
        placed.append(replace(bar, lane=lane))
    order = {lane: place for place, lane in enumerate(sorted(range(len(lanes)), key=lambda lane: lanes[lane]))}
    numbered = [replace(bar, lane=order[bar.lane]) for bar in placed]
    return sorted(numbered, key=lambda bar: (bar.lane, bar.started))


def _released(bars: Sequence[Bar]) -> Iterator[Bar]:
    """The bars with the job whose end let them begin: one that they waited for, or the one before in the lane."""
    by_target = {bar.target: bar for bar in bars}
    before: Bar | None = None
    for bar in bars:
        waited = [by_target[target] for target in bar.waits_for if target in by_target]
        if before and before.lane == bar.lane and bar.started - before.ended < _HANDOVER:
            waited.append(before)
        last = max(waited, key=lambda other: other.ended, default=None)
        # Clocks of two machines may differ: nothing waits for what ended later.
        yield replace(bar, after=last.target if last and last.started < bar.started else "")
        before = bar


def _with_critical_path(bars: Iterable[Bar]) -> Iterator[Bar]:
    found = list(bars)
    by_target = {bar.target: bar for bar in found}
    path, bar = set(), max(found, key=lambda bar: bar.ended, default=None)
    while bar and bar.target not in path:
        path.add(bar.target)
        bar = by_target.get(bar.after)
    for each in found:
        yield replace(each, critical=each.target in path)


def _united(spans: Iterable[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Overlapping spans as one."""
    begin = end = None
    for start, stop in sorted(spans):
        if begin is None or end is None:
            begin, end = start, stop
        elif start > end:
            yield begin, end
            begin, end = start, stop
        else:
            end = max(end, stop)
    if begin is not None and end is not None:
        yield begin, end
