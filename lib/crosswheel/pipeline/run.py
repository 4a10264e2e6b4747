"""Runs a plan: executes each job, saves each wheel that passes, and continues after failures."""

from __future__ import annotations

import math
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from crosswheel.engines.services import Services
from crosswheel.errors import (
    CrosswheelError,
    DiskFull,
    EmulatorCrashed,
    EngineUnavailable,
    IndexUnreachable,
    OutOfMemory,
    TestFailed,
    TimeLimit,
)
from crosswheel.model.config import Config
from crosswheel.model.job import Failure, Job, JobFinished, Note, Outcome, Plan, Refusal, Sdist, Usage
from crosswheel.model.targets import Architecture, Policy, Target
from crosswheel.pipeline.one_job import ONLY_THERE, JobRunner, failure
from crosswheel.pipeline.schedule import (
    expected_memory,
    expected_seconds,
    history_of,
    last_to_end,
    longest_first,
    machines_of,
    processors,
    waves,
    workers,
)
from crosswheel.steps import MAKE, Composition
from crosswheel.steps.journal import Journal
from crosswheel.steps.test import prepare_test, untested
from crosswheel.steps.wheelhouse import OutputFolder
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import Stopped
from crosswheel.system.room import Room

_FOUND = "an earlier run built it with this engine"
_POLL = 0.2  # seconds between two checks for Ctrl-C


@dataclass
class Run:
    """One run of a plan on one host.

    `outcomes` is filled as jobs end, in any order; by target, because a job may end on another engine than the
    planned one.
    """

    plan: Plan
    sdist: Sdist
    config: Config
    services: Services
    journal: Journal
    composition: Composition = field(default_factory=lambda: Composition(MAKE))
    room: Room | None = None
    """The seats for jobs, if other runs of this process go on at the same time."""
    outcomes: dict[Target, Outcome] = field(default_factory=dict)
    _instead: dict[Target, Job] = field(default_factory=dict)
    _known: set[Target] = field(default_factory=set)
    _after: tuple[Target, ...] = ()
    """What the jobs of the present wave waited for."""
    _runner: JobRunner = field(init=False)

    def __post_init__(self) -> None:
        self.composition.check()
        output = OutputFolder(self.config.output.folder)
        self._runner = JobRunner(self.sdist, self.config, self.services, self.composition, self.journal, output)

    @property
    def host(self) -> LocalHost:
        return self.services.facts.host

    def execute(self) -> tuple[Outcome, ...]:
        """Run all jobs; return their outcomes in the order of the plan. Ctrl-C ends running jobs, then is raised."""
        try:
            with self.services:
                self._execute()
        finally:
            for job in self.plan.jobs:
                if job.target not in self.outcomes:
                    self.outcomes[job.target] = Outcome(job, "cancelled")
        return self.results

    def _execute(self) -> None:
        try:
            self._look_into_the_journal()
            self._serve_with_pure_wheels()
            if any(job.target not in self._known and job.target not in self.outcomes for job in self.plan.jobs):
                self.services.repair_worker.start(self.host.build_environ)
            for wave in waves(self.plan.jobs, self.sdist.stable_abi):
                self._prepare(wave)
                self._run_together([job for job in wave if job.target not in self.outcomes])
                self._after = last_to_end(self.outcomes[job.target] for job in wave) or self._after
        except BaseException:
            self.host.processes.stop()
            raise

    @property
    def results(self) -> tuple[Outcome, ...]:
        return tuple(self.outcomes[job.target] for job in self.plan.jobs if job.target in self.outcomes)

    def _look_into_the_journal(self) -> None:
        """Find the jobs without need for a toolchain: an earlier run has built their wheels, on any engine."""
        for job in self.plan.jobs:
            if self.host.processes.stopped:
                return
            if known := next(filter(self._runner.known, (job, *job.fallbacks)), None):
                self._known.add(job.target)
                self._instead[job.target] = known if known == job else replace(known, reason=_FOUND)

    # ---- who goes first ---------------------------------------------------------------------------------------

    def _serve_with_pure_wheels(self) -> None:
        """Build a source without compiled code once per architecture; a pure wheel serves all its targets.

        The build environment answers like the target, because the result may depend on that, but it has no compiler, so
        that none must be fetched. If the build calls one, or fails, or its wheel is not pure, every job runs fully.
        """
        if self.sdist.compiled:
            return
        for arch in dict.fromkeys(job.target.arch for job in self.plan.jobs):
            *others, job = (job for job in self.plan.jobs if job.target.arch == arch)
            outcome = self._seated(job, lambda job: self._runner.run(job, bare=True))
            if outcome.wheel:
                self._finish(outcome)
                self._after = (job.target,)
                for other in others:
                    served = replace(outcome, job=other, steps=(), untested=outcome.untested or ONLY_THERE)
                    at_once = replace(served, started=None, ended=None, cpu_seconds=None)
                    self._finish(replace(at_once, tested_before=False, usage=Usage()))

    def _served(self, job: Job) -> Outcome | None:
        """The outcome of a job that an already saved wheel serves."""
        output = self._runner.output
        if (wheel := output.serving(job.target)) is None:
            return None
        built_for = output.target_of(wheel)
        builder = next(other for other in self.plan.jobs if other.target == built_for)
        return self._runner.serve(job, wheel, self._runner.known(self._instead.get(built_for, builder)))

    # ---- many jobs --------------------------------------------------------------------------------------------

    def _prepare(self, jobs: Sequence[Job]) -> None:
        """Prepare toolchains before the jobs need them at the same time; if one fails, so do its jobs."""
        groups: dict[tuple[str, Architecture, Policy, str], list[Job]] = {}
        for job in jobs:
            if job.target not in self.outcomes and job.target not in self._known:
                groups.setdefault((job.engine, job.target.arch, job.target.policy, job.image), []).append(job)
        for (engine, *_), group in groups.items():
            if self.host.processes.stopped:
                return
            first = group[0].target
            config = self.config.for_target(first)
            try:
                self.composition.engines[engine].prepare(first, config, self.services, cxx=self.sdist.cxx)
            except Stopped:
                return
            except (CrosswheelError, OSError) as error:
                self._do_without(group, failure(error, "prepare"))
                continue
            if tested := next((job.target for job in group if self._tests(job.target)), None):
                # Without the policy's image wheels stay untested; without a requested image their test fails.
                with suppress(CrosswheelError):
                    prepare_test(tested, self.config.for_target(tested), self.services)

    def _tests(self, target: Target) -> bool:
        """Whether wheels for the target will be tested."""
        return "test" in self.composition.steps.names and not untested(
            target, self.config.for_target(target), self.services.facts
        )

    def _do_without(self, group: Sequence[Job], why: Failure) -> None:
        """Jobs whose engine is unavailable: they move to another engine, or fail."""
        for job in group:
            failed = Outcome(job, "failed", failure=why)
            if another := _next_rung(failed):
                self._instead[job.target] = another
            else:
                self._finish(failed)

    def _run_together(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        history = history_of(self.journal)
        machines = machines_of(jobs, self.services.facts, self.composition.engines)
        together = min(self.config.build.jobs or workers(jobs, history, machines), len(jobs))
        share = math.ceil(processors(machines) / together)
        seconds = {job.target: expected_seconds(job, history) for job in jobs}
        done: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()
        with ThreadPoolExecutor(max_workers=together) as pool:
            ordered = longest_first(jobs, seconds)
            following = self._following(ordered, together)
            for job in ordered:
                planned = replace(job, processors=share, following=following.get(job.target))
                pool.submit(self._seated, planned, self._run_job).add_done_callback(done.put)
            left = len(jobs)
            try:
                while left:
                    # With a timeout: Ctrl-C may reach another thread, which does not wake this one.
                    with suppress(queue.Empty):
                        self._finish(done.get(timeout=_POLL).result())
                        left -= 1
            except BaseException:
                # Leaving the pool waits for its threads, and these for their commands.
                self.host.processes.stop()
                pool.shutdown(cancel_futures=True)
                self._keep_finished(done)
                raise

    def _following(self, jobs: Sequence[Job], together: int) -> dict[Target, Job]:
        """By target, the job expected to run next in the same slot; jobs with a known wheel take no time."""
        built = [job for job in jobs if job.target not in self._known and not self._runner.output.serving(job.target)]
        pairs = zip(built, built[together:])  # noqa: B905 - the last ones have none
        return {job.target: self._instead.get(later.target, later) for job, later in pairs if later.image == job.image}

    def _keep_finished(self, done: queue.SimpleQueue[Future[Outcome]]) -> None:
        """Record outcomes of jobs that ended before the run was stopped but were not collected."""
        while not done.empty():
            future = done.get()
            # The exception that ended the run may be among them, and is already raised.
            if not future.cancelled() and not future.exception() and (outcome := future.result()).ok:
                self.outcomes[outcome.job.target] = outcome

    def _finish(self, outcome: Outcome) -> None:
        outcome = replace(outcome, waits_for=outcome.waits_for or self._after)
        self.outcomes[outcome.job.target] = outcome
        self.services.listener(JobFinished(outcome))
        if outcome.status == "failed" and self.config.build.fail_fast:
            self.host.processes.stop()

    def _seated(self, job: Job, run: Callable[[Job], Outcome]) -> Outcome:
        """Run a job as soon as there is room beside the jobs of other runs."""
        if self.room is None or job.target in self._known:
            return run(job)
        try:
            with self.room.seat(expected_memory(job, history_of(self.journal)), self.host.processes.look) as beside:
                fewest = math.ceil(self.host.cpus / beside)
                return run(replace(job, processors=min(job.processors or fewest, fewest)))
        except Stopped:
            return Outcome(job, "cancelled")

    def _run_job(self, planned: Job) -> Outcome:
        job = self._instead.get(planned.target, planned)
        job = replace(job, processors=planned.processors, following=planned.following)
        if served := self._served(job):
            return served
        outcome = self._runner.run(job)
        another = _next_rung(outcome)
        # A stopped job would end as cancelled and hide the failure.
        if another and not self.host.processes.stopped:
            self.services.listener(Note(f"{job.target}: {another.reason}; now with the engine {another.engine}"))
            if outcome.log:
                outcome.log.replace(outcome.log.with_suffix(f".{job.engine}.log"))
            return self._runner.run(replace(another, processors=planned.processors))
        return outcome


# A failing test is more often the project's fault than the compiler's; --engine emulated can check that.
_ELSEWHERE_TOO = {
    kind.__name__ for kind in (TimeLimit, DiskFull, EngineUnavailable, IndexUnreachable, OutOfMemory, TestFailed)
}


def _next_rung(failed: Outcome) -> Job | None:
    """The same job on another engine, once, if that may succeed.

    After a compiler error the image's own compiler (`emulated`) may succeed; after a crash of the emulator, an engine
    without one.
    """
    failure, job = failed.failure, failed.job
    if failure is None or (job.engine != "accelerated" and failure.kind != EmulatorCrashed.__name__):
        return None
    if failure.kind in _ELSEWHERE_TOO:
        return None
    order = ("cross", "dockcross", "emulated") if failure.kind == EmulatorCrashed.__name__ else ("emulated",)
    for engine in order:
        for fallback in job.fallbacks:
            if fallback.engine == engine:
                first = failure.message.partition("\n")[0]
                reason = f"{job.engine} failed in {failure.step}: {first}"
                return replace(fallback, reason=reason, refused=(*job.refused, Refusal(job.engine, reason)))
    return None
