"""Counts of a report: wheels, failures, unfinished jobs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from crosswheel.model.job import Artifact, Job, Outcome, Report

TEST_STEP = "test"


@dataclass(frozen=True)
class Tally:
    """Counts of a report; `unfinished` has the jobs of the plan without an outcome, `wheels` each file once.

    `hits` counts compiles that a compiler cache served, `misses` all other compiles. `commands` counts what
    compilers were called for in containers with a native clang, `by_gcc` those that the image's own gcc served.
    """

    jobs: int
    built: int
    kept: int
    reused: int
    pure: int
    failed: int
    cancelled: int
    unfinished: tuple[Job, ...]
    wheels: tuple[Artifact, ...]
    tested: tuple[Outcome, ...]
    untested: tuple[Outcome, ...]
    hits: int
    misses: int
    commands: int
    by_gcc: int
    gcc_seconds: float
    reproducible: int
    irreproducible: int

    @property
    def served(self) -> int:
        """The number of targets with a wheel, their own or that of another target."""
        return self.built + self.kept + self.reused + self.pure


def tested(outcome: Outcome) -> bool:
    """Whether the wheel was tested on its architecture, in this run or an earlier one."""
    return outcome.tested_before or any(step.step == TEST_STEP for step in outcome.steps)


def tally(report: Report) -> Tally:
    count = Counter(outcome.status for outcome in report.outcomes)
    # By target, because a job may end on another engine than the planned one.
    done = {outcome.job.target for outcome in report.outcomes}
    unfinished = tuple(job for job in report.plan.jobs if job.target not in done)
    served = [outcome for outcome in report.outcomes if outcome.ok]
    return Tally(
        jobs=len(report.outcomes) + len(unfinished),
        built=count["built"],
        kept=count["kept"],
        reused=count["reused"],
        pure=count["pure"],
        failed=count["failed"],
        cancelled=count["cancelled"],
        unfinished=unfinished,
        wheels=report.wheels,
        tested=tuple(outcome for outcome in served if tested(outcome)),
        untested=tuple(outcome for outcome in served if not tested(outcome)),
        hits=sum(outcome.usage.hits for outcome in report.outcomes),
        misses=sum(outcome.usage.misses for outcome in report.outcomes),
        commands=sum(outcome.usage.commands for outcome in report.outcomes),
        by_gcc=sum(outcome.usage.by_gcc for outcome in report.outcomes),
        gcc_seconds=sum(outcome.usage.gcc_seconds for outcome in report.outcomes),
        reproducible=sum(outcome.reproducible is True for outcome in served),
        irreproducible=sum(outcome.reproducible is False for outcome in served),
    )
