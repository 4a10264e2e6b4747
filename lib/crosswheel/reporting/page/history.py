"""The last runs and releases of a project: how large, how long, how many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crosswheel.model.job import EarlierRun
from crosswheel.reporting.earlier import earlier_of, run_of
from crosswheel.reporting.page.inputs import Run

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Saved:
    """What an engine took for the build of targets that another run built under emulation, in seconds."""

    engine: str
    targets: int
    seconds: float
    emulated: float
    measured: str
    """When the emulated builds were."""

    @property
    def times(self) -> float:
        return self.emulated / self.seconds if self.seconds else 0.0


def past_runs(run: Run) -> list[EarlierRun]:
    """The run itself and the earlier ones, newest first: of older reports, and what the reports say of them."""
    reports = (run.report, *run.older)
    found = {past.started: past for report in reports for past in (*earlier_of(report), run_of(report))}
    return [found[started] for started in sorted(found, reverse=True)]


def saved(run: Run) -> list[Saved]:
    """What each engine saved against emulation, for targets that some report has from both; nothing is estimated."""
    emulated: dict[str, tuple[float, str]] = {}
    for report in (*reversed(run.older), run.report):
        for job in report["jobs"]:
            if job["engine"] == "emulated" and (seconds := _build_seconds(job)):
                emulated[job["target"]] = seconds, str(report["started"])
    pairs: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    done: set[tuple[str, str]] = set()
    for report in (run.report, *run.older):
        for job in report["jobs"]:
            target, engine = job["target"], job["engine"]
            seconds = _build_seconds(job)
            if engine != "emulated" and seconds and target in emulated and (target, engine) not in done:
                done.add((target, engine))
                pairs[engine].append((seconds, *emulated[target]))
    return [
        Saved(engine, len(those), sum(own for own, _, _ in those), sum(slow for _, slow, _ in those), max(those)[2])
        for engine, those in pairs.items()
    ]


def _build_seconds(job: Document) -> float:
    """The seconds of the step `build`; 0 if the job did not build."""
    if job["status"] not in {"built", "pure"}:
        return 0.0
    return float(sum(step["seconds"] for step in job["steps"] if step["step"] == "build"))


def highest(runs: Sequence[EarlierRun], name: str) -> float:
    """The highest value of a column, for the lengths of its bars."""
    return max((float(getattr(run, name)) for run in runs), default=0.0)
