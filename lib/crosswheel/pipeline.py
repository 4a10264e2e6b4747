"""Runs a plan: folds each job over the steps, saves each wheel once it is proved, and goes on after failures."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosswheel.config import Config
from crosswheel.containers.docker_host import DockerHost
from crosswheel.engines import ENGINES
from crosswheel.engines.site import Site
from crosswheel.errors import (
    AuditFailed,
    CrosswheelError,
    DiskFull,
    EmulatorCrashed,
    EngineUnavailable,
    IndexUnreachable,
    OutOfMemory,
    TestFailed,
    TimeLimit,
    explained,
)
from crosswheel.formats.wheels import artifact, read_wheel, serves
from crosswheel.hosts import LocalHost
from crosswheel.model import (
    Artifact,
    Failure,
    Job,
    JobFinished,
    Listener,
    Note,
    Outcome,
    Plan,
    Refusal,
    Sdist,
    Status,
    StepStarted,
    StepTime,
)
from crosswheel.process import Stopped, log_tail
from crosswheel.sdist import looks_compiled, looks_cxx, stable_abi_since
from crosswheel.steps import MAKE
from crosswheel.steps.test import prepare_test, untested
from crosswheel.steps.work import Work
from crosswheel.targets import Architecture, Policy, Target

_TAIL = 30  # lines of a log that a failure shows
_PURE = "a pure wheel: no cross build needed"
_REUSED = "only tried on the Python that it was built for"
_POLL = 0.2  # seconds between two looks whether Ctrl-C was pressed


@dataclass
class Run:
    """One run of a plan on one host.

    `outcomes` is filled as jobs end, in whatever order they do; by target, for a job may end on another engine than
    it was planned for.
    """

    plan: Plan
    sdist: Sdist
    site: Site
    listener: Listener
    outcomes: dict[Target, Outcome] = field(default_factory=dict)
    # By file name, with the target that each was made for. Jobs are threads: both only under the lock.
    _saved: dict[str, tuple[Target, Artifact]] = field(default_factory=dict)
    _instead: dict[Target, Job] = field(default_factory=dict)
    _saving: threading.Lock = field(default_factory=threading.Lock)

    @property
    def config(self) -> Config:
        return self.site.config

    @property
    def host(self) -> LocalHost:
        return self.site.host

    def execute(self) -> tuple[Outcome, ...]:
        """Every job's outcome, in the order of the plan. Ctrl-C ends what is under way and is raised after that."""
        try:
            self._serve_with_pure_wheels()
            for wave in self._waves():
                self._prepare(wave)
                self._run_together([job for job in wave if job.target not in self.outcomes])
        except BaseException:
            self.host.processes.stop()
            raise
        finally:
            self.site.settle()
            for job in self.plan.jobs:
                if job.target not in self.outcomes:
                    self.outcomes[job.target] = Outcome(job, "cancelled")
        return self.results

    @property
    def results(self) -> tuple[Outcome, ...]:
        return tuple(self.outcomes[job.target] for job in self.plan.jobs if job.target in self.outcomes)

    # ---- who goes first ---------------------------------------------------------------------------------------

    def _waves(self) -> Iterable[Sequence[Job]]:
        """First the jobs whose wheels may serve others (the stable ABI), then all the rest together."""
        first: list[Job] = []
        since = stable_abi_since(self.sdist)
        if since is not None:
            seen = set()
            for job in self.plan.jobs:
                python, group = job.target.python, (job.target.arch, job.target.policy)
                if not python.free_threaded and (group not in seen or python.minor in since):
                    seen.add(group)
                    first.append(job)
        yield first
        yield [job for job in self.plan.jobs if job not in first]

    def _serve_with_pure_wheels(self) -> None:
        """A source with nothing to compile is built once per architecture; a pure wheel serves all its targets.

        The build already believes that it is on the target, for what it makes may depend on that; but it gets no
        compiler, so that none has to be fetched. If it asks for one, or fails, or its wheel is not pure, every job
        is done in full.
        """
        if looks_compiled(self.sdist):
            return
        for arch in dict.fromkeys(job.target.arch for job in self.plan.jobs):
            *others, job = (job for job in self.plan.jobs if job.target.arch == arch)
            outcome = self._guard(job, functools.partial(self._build_pure, job))
            if outcome.wheel:
                self._finish(outcome)
                for other in others:
                    self._finish(replace(outcome, job=other, steps=(), untested=outcome.untested or _REUSED))

    def _build_pure(self, job: Job, times: list[StepTime], log: Path) -> Outcome:
        """The outcome of `job`, without a wheel where the wheel is not pure."""
        engine = ENGINES[job.engine]
        with tempfile.TemporaryDirectory(prefix="crosswheel-") as folder:
            with engine.open(job, self.site, Path(folder, "pure"), log, bare=True) as workspace:
                work = self._steps(Work(job, self.sdist, self.site, workspace), MAKE[:1], times)
                if workspace.asked_for_compiler or not read_wheel(work.made).is_pure:
                    return Outcome(job, "cancelled")
                reason = self._untested(job)
                work = self._steps(work, MAKE[1:-1] if reason else MAKE[1:], times)
                wheel, _ = self._save(work)
            return Outcome(job, "pure", wheel, tuple(times), work.findings, log=log, note=_PURE, untested=reason)

    def _served(self, job: Job) -> Outcome | None:
        """How a job ends that a wheel already saved serves as well."""
        with self._saving:
            for name, (_, wheel) in self._saved.items():
                if serves(name, job.target):
                    return Outcome(job, "reused", wheel, note=f"served by {name}", untested=_REUSED)
        return None

    # ---- many jobs --------------------------------------------------------------------------------------------

    def _prepare(self, jobs: Sequence[Job]) -> None:
        """Toolchains, before the jobs that would all ask for them at once; without one, its jobs fail."""
        groups: dict[tuple[str, Architecture, Policy], list[Job]] = {}
        for job in jobs:
            if job.target not in self.outcomes:
                groups.setdefault((job.engine, job.target.arch, job.target.policy), []).append(job)
        for (engine, _, _), group in groups.items():
            cxx = looks_cxx(self.sdist)
            try:
                ENGINES[engine].prepare(group[0].target, self.site, self.listener, cxx=cxx)
            except (CrosswheelError, OSError) as error:
                self._do_without(group, _failure(_as_ours(error), "prepare"))
                continue
            if not self._untested(group[0]):
                # Without the policy's image wheels stay untested, and without another their test fails.
                with suppress(CrosswheelError):
                    prepare_test(group[0].target, self.site, self.listener)

    def _do_without(self, group: Sequence[Job], failure: Failure) -> None:
        """Jobs whose engine is not to be had: another one does them, or they have failed."""
        for job in group:
            failed = Outcome(job, "failed", failure=failure)
            if another := _next_rung(failed):
                self._instead[job.target] = another
            else:
                self._finish(failed)

    def _run_together(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        with ThreadPoolExecutor(max_workers=self.config.jobs or self._processors(jobs)) as pool:
            waiting: set[Future[Outcome]] = {pool.submit(self._run_job, job) for job in jobs}
            try:
                while waiting:
                    # Not for ever: Ctrl-C may reach another thread, and does not wake this one then.
                    done, waiting = wait(waiting, _POLL, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._finish(future.result())
            except BaseException:
                # Leaving the pool waits for its threads, and they for their commands.
                self.host.processes.stop()
                for future in waiting:
                    future.cancel()
                raise

    def _processors(self, jobs: Sequence[Job]) -> int:
        """Of the machine where most of the work is done."""
        docker = self.site.docker
        in_containers = any(ENGINES[job.engine].family for job in jobs)
        return docker.cpus if isinstance(docker, DockerHost) and in_containers else self.host.cpus

    def _finish(self, outcome: Outcome) -> None:
        self.outcomes[outcome.job.target] = outcome
        self.listener(JobFinished(outcome))
        if outcome.status == "failed" and self.config.fail_fast:
            self.host.processes.stop()

    # ---- one job ----------------------------------------------------------------------------------------------

    def _run_job(self, planned: Job) -> Outcome:
        job = self._instead.get(planned.target, planned)
        if served := self._served(job):
            return served
        outcome = self._guard(job, lambda times, log: self._make(job, times, log))
        another = _next_rung(outcome)
        # What was stopped would only end as cancelled, and nobody would learn of the failure.
        if another and not self.host.processes.stopped:
            self.listener(Note(f"{job.target}: {another.reason}; now with the engine {another.engine}"))
            if outcome.log:
                outcome.log.replace(outcome.log.with_suffix(f".{job.engine}.log"))
            return self._guard(another, lambda times, log: self._make(another, times, log))
        return outcome

    def _untested(self, job: Job) -> str:
        return untested(job.target, self.site)

    def _make(self, job: Job, times: list[StepTime], log: Path) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="crosswheel-") as folder:
            engine = ENGINES[job.engine]
            with engine.open(job, self.site, Path(folder, str(job.target)), log) as workspace:
                reason = self._untested(job)
                steps = MAKE[:-1] if reason else MAKE
                work = self._steps(Work(job, self.sdist, self.site, workspace), steps, times)
                wheel, note = self._save(work)
        pure = read_wheel(wheel.path).is_pure
        status: Status = "reused" if note else "pure" if pure else "built"
        note = note or (_PURE if pure else "")
        return Outcome(job, status, wheel, tuple(times), work.findings, log=log, note=note, untested=reason)

    def _steps(self, work: Work, steps: Sequence[Callable[[Work], Work]], times: list[StepTime]) -> Work:
        for step in steps:
            name = step.__name__
            self.listener(StepStarted(work.job, name))
            began = time.monotonic()
            try:
                work = step(work)
            except TestFailed:
                # Whoever looks into it wants the wheel; whoever publishes the output folder does not.
                keep(work.made, self.config.output / "rejected")
                raise
            finally:
                times.append(StepTime(name, time.monotonic() - began))
            self._check(work)
        return work

    def _check(self, work: Work) -> None:
        """What is not what its name says goes no further."""
        errors = [finding for finding in work.findings if finding.is_error]
        if errors:
            kept = keep(work.made, self.config.output / "rejected")
            first = errors[0]
            text = first.message + (f" (found {first.found})" if first.found else "")
            more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
            where = f"{first.rule} {first.member}".strip()
            raise _Rejected(work, f"{where}: {text}{more}", hint=first.fix or f"unzip -l {kept}")

    def _save(self, work: Work) -> tuple[Artifact, str]:
        """The wheel in the output folder; of two under one name the first stays, and a note says whose it is."""
        with self._saving:
            if first := self._saved.get(work.made.name):
                target, wheel = first
                return wheel, f"the same wheel as {target}'s"
            wheel = artifact(keep(work.made, self.config.output))
            self._saved[work.made.name] = work.job.target, wheel
            return wheel, ""

    def _guard(self, job: Job, action: Callable[[list[StepTime], Path], Outcome]) -> Outcome:
        """An outcome, whatever happens: errors become data here."""
        times: list[StepTime] = []
        log = self.config.output / "logs" / f"{self.sdist.name}-{self.sdist.version}-{job.target}.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(b"")
            return action(times, log)
        except Stopped:
            return Outcome(job, "cancelled", steps=tuple(times), log=log)
        except (CrosswheelError, OSError) as error:
            findings = error.work.findings if isinstance(error, _Rejected) else ()
            failure = _failure(_as_ours(error), times[-1].step if times else "open", log)
            return Outcome(job, "failed", None, tuple(times), findings, failure, log)


class _Rejected(AuditFailed):
    """AuditFailed, with all that was found."""

    def __init__(self, work: Work, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.work = work


# A wheel that fails its test has a compiler's fault less often than its project's; who doubts it has --engine emulated.
_ELSEWHERE_TOO = {
    kind.__name__ for kind in (TimeLimit, DiskFull, EngineUnavailable, IndexUnreachable, OutOfMemory, TestFailed)
}


def _next_rung(failed: Outcome) -> Job | None:
    """The same job on another engine, once, where it may well do better.

    What only this compiler refuses, the image's own may take: `emulated` is what always works. Where the emulator
    crashed, an engine without one is the better bet.
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


def _failure(error: CrosswheelError, step: str, log: Path | None = None) -> Failure:
    kind = AuditFailed.__name__ if isinstance(error, _Rejected) else type(error).__name__
    return Failure(kind, error.exit_code, step, error.message, error.hint, log_tail(log, _TAIL) if log else ())


def _as_ours(error: CrosswheelError | OSError) -> CrosswheelError:
    return error if isinstance(error, CrosswheelError) else explained(error)


def keep(path: Path, folder: Path) -> Path:
    """Copy under a name that nobody takes for a wheel or an sdist, then rename: a full disk leaves no half file."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / path.name
    # Two jobs may make, and two may have rejected, a wheel of one name.
    partial = folder / f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial"
    try:
        shutil.copyfile(path, partial)
        partial.replace(final)
    finally:
        partial.unlink(missing_ok=True)
    return final
