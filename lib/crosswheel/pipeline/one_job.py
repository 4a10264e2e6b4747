"""Executes one job: runs its work through the steps and returns an outcome in any case."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosswheel.engines.facts import image_of
from crosswheel.engines.services import Services
from crosswheel.errors import AuditFailed, CrosswheelError, TestFailed, UsageError, explained
from crosswheel.formats.uncompiled import NOT_COMPILED
from crosswheel.formats.wheels import named_wheel
from crosswheel.model.config import Config
from crosswheel.model.job import Artifact, Failure, Job, Outcome, Sdist, Status, StepStarted, StepTime
from crosswheel.model.targets import Target
from crosswheel.steps import Composition, Step, Work
from crosswheel.steps.journal import Journal, JournalEntry
from crosswheel.steps.keys import build_key
from crosswheel.steps.sequence import name_of, traits_of
from crosswheel.steps.test import first_container
from crosswheel.steps.wheelhouse import OutputFolder
from crosswheel.system.cpu_time import measured
from crosswheel.system.process import Stopped, log_tail
from crosswheel.system.scratch import scratch_folder

_TAIL = 100  # log lines kept with a failure; displays show fewer
_PURE = "a pure wheel: no cross build needed"
_BECAME_PURE = "a pure wheel, because its extensions were not compiled"

ONLY_THERE = "only tested on the Python that it was built for"


@dataclass(frozen=True)
class JobRunner:
    """The context shared by all jobs of a run."""

    sdist: Sdist
    config: Config
    services: Services
    composition: Composition
    journal: Journal
    output: OutputFolder
    _keys: dict[tuple[Target, str, str], str] = field(default_factory=dict)

    def known(self, job: Job) -> JournalEntry | None:
        """The journal entry of an earlier run with the same inputs; None with `--fresh` or `--twice`."""
        build = self.config.build
        if build.fresh or build.twice or "find" not in self.composition.steps.names:
            return None
        key = self.key(job)
        return self.journal.find(key) if key else None

    def run(self, job: Job, *, bare: bool = False) -> Outcome:
        """How the job ended, whatever happens: errors are data here.

        A `bare` job has no compiler, for a source that seems to need none: it is cancelled if its wheel is not pure.
        """
        job = self._with_image(job)
        return self._ended(job, lambda times, log: self._carried_out(job, times, log, bare=bare))

    def serve(self, job: Job, wheel: Artifact, entry: JournalEntry | None) -> Outcome:
        """How a job ended that a wheel built for another Python serves.

        A wheel of the stable ABI is tested on this Python, too. `entry` is the wheel's, None if it is not known.
        """
        job = self._with_image(job)
        reused = Outcome(job, "reused", wheel, note=f"served by {wheel.path.name}", untested=ONLY_THERE)
        tests = [step for step in self.composition.steps if name_of(step) == "test"]
        if not tests or not named_wheel(wheel.path).is_abi3:
            return reused
        return self._ended(job, lambda times, log: self._tested(reused, tests[0], entry, times, log))

    def _with_image(self, job: Job) -> Job:
        """The job with its image, which may have been fetched since it was planned."""
        family, config = self.composition.engines[job.engine].family, self.config.for_target(job.target)
        return replace(job, image=image_of(job.target, config, self.services.facts, family))

    def _ended(self, job: Job, action: Callable[[list[StepTime], Path], Outcome]) -> Outcome:
        """The outcome of the action, or of the error that it raised, with its times."""
        began = time.time()
        with measured() as cpu:
            outcome = self._outcome(job, action)
        return replace(outcome, started=began, ended=time.time(), cpu_seconds=cpu.seconds)

    def _outcome(self, job: Job, action: Callable[[list[StepTime], Path], Outcome]) -> Outcome:
        times: list[StepTime] = []
        log: Path | None = None
        try:
            log = self.output.log(self.sdist, job.target)
            return action(times, log)
        except Stopped:
            return Outcome(job, "cancelled", steps=tuple(times), log=log)
        except (CrosswheelError, OSError) as error:
            findings = error.work.findings if isinstance(error, _Rejected) else ()
            failed = failure(error, times[-1].step if times else "open", log)
            return Outcome(job, "failed", None, tuple(times), findings, failed, log)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs its own job, and none of those beside it
            failed = failure(_unforeseen(error, log), times[-1].step if times else "open", log)
            return Outcome(job, "failed", None, tuple(times), (), failed, log)

    def key(self, job: Job) -> str:
        """The job's key in the journal, computed once per image; empty until a container's image is pulled."""
        job = self._with_image(job)
        at = job.target, job.engine, job.image
        if not self._keys.get(at):
            self._keys[at] = build_key(
                job, self.sdist, self.config.for_target(job.target), self.services.facts, self.composition
            )
        return self._keys[at]

    def _carried_out(self, job: Job, times: list[StepTime], log: Path, *, bare: bool) -> Outcome:
        with scratch_folder(f"{self.sdist.name}-{job.target}") as place, ExitStack() as stack:
            work = replace(self._work(job, place.parent, log), key=self.key(job), bare=bare)
            done = self._fold(work, times, stack)
        return outcome_of(done, times) if done else Outcome(job, "cancelled")

    def _tested(
        self, reused: Outcome, test: Step[Work], entry: JournalEntry | None, times: list[StepTime], log: Path
    ) -> Outcome:
        """The outcome with what the step `test` finds out."""
        assert reused.wheel  # noqa: S101
        with scratch_folder(f"{self.sdist.name}-{reused.job.target}") as place:
            work = replace(self._work(reused.job, place.parent, log), file=reused.wheel.path, found=True, entry=entry)
            skipped = traits_of(test).instead(work)
            done = self._done(test, work, times) if skipped is None else skipped
        return replace(
            reused,
            steps=tuple(times),
            log=log,
            untested=done.untested,
            tested_before=done.tested_before,
            tested_how=done.tested_how,
        )

    def _work(self, job: Job, folder: Path, log: Path) -> Work:
        return Work(
            job=job,
            sdist=self.sdist,
            config=self.config.for_target(job.target),
            services=self.services,
            composition=self.composition,
            journal=self.journal,
            output=self.output,
            folder=folder,
            log=log,
            limit=time.monotonic() + self.config.build.timeout,
            began=time.monotonic(),
        )

    def _fold(self, work: Work, times: list[StepTime], stack: ExitStack) -> Work | None:
        """The work after all steps; None if a workspace without compilers did not suffice."""
        before_audit = self.composition.before_audit
        for step in self.composition.steps:
            if work.found and step in before_audit:
                continue  # done by an earlier run
            traits = traits_of(step)
            if (instead := traits.instead(work)) is not None:
                work = instead
                continue
            if "workspace" in traits.needs and work.opened is None:
                work = self._opened(work, stack)
            work = self._done(step, work, times)
            if work.bare and work.is_compiled:
                return None
        return work

    def _opened(self, work: Work, stack: ExitStack) -> Work:
        """The work in a workspace of its engine; the container of the first test is started meanwhile."""
        began, job = time.monotonic(), work.job
        engine = self.composition.engines[job.engine]
        workspace = stack.enter_context(
            engine.open(job, self.sdist, work.config, self.services, work.folder / "job", work.log, bare=work.bare)
        )
        tests = "test" in self.composition.steps.names
        opening = first_container(job, self.sdist, work.config, self.services, workspace) if tests else nullcontext()
        return replace(work, opened=workspace, began=began, first_test=stack.enter_context(opening))

    def _done(self, step: Step[Work], work: Work, times: list[StepTime]) -> Work:
        """The work after one step, with its event and time unless the step is quiet."""
        name, quiet, before = name_of(step), traits_of(step).quiet, work
        if not quiet:
            self.services.listener(StepStarted(work.job, name))
        state, started, began = _state(work), time.time(), time.monotonic()
        try:
            with measured() as cpu:
                work = step(work)
        except TestFailed:
            self.output.reject(work.wheel)
            raise
        finally:
            if not quiet:
                times.append(StepTime(name, time.monotonic() - began, started, cpu.seconds))
        if not isinstance(work, Work):
            raise UsageError(f"the step {name} returned {type(work).__name__}", hint="a step returns a Work")
        if before.passed and _state(work) != state:
            raise AuditFailed(
                f"the step {name} changed {before.wheel.name} after its audit",
                hint=f"put the step before the audit: steps.MAKE.before('audit', {name})",
            )
        self._check(work)
        return work

    def _check(self, work: Work) -> None:
        """Raise AuditFailed for a wheel with audit errors."""
        errors = [finding for finding in work.findings if finding.is_error]
        if errors:
            kept = self.output.reject(work.wheel)
            first = errors[0]
            text = first.message + (f" (found {first.found})" if first.found else "")
            more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
            where = f"{first.rule} {first.member}".strip()
            raise _Rejected(work, f"{where}: {text}{more}", hint=first.fix or f"unzip -l {kept}")


def outcome_of(work: Work, times: list[StepTime]) -> Outcome:
    """The outcome of a job whose work has passed all steps."""
    pure = named_wheel(work.wheel).is_pure
    kept = f"built by an earlier run, in {work.entry.seconds:.1f} s" if work.found and work.entry else ""
    status: Status = "reused" if work.note else "pure" if pure else "kept" if work.found else "built"
    return Outcome(
        job=work.job,
        status=status,
        wheel=work.saved,
        steps=tuple(times),
        findings=work.findings,
        log=work.log,
        note=work.note or (_pure_note(work) if pure else kept),
        untested=work.untested,
        tested_before=work.tested_before,
        tested_how=work.tested_how,
        usage=work.usage,
        reproducible=None if work.differences is None else not work.differences,
        differences=work.differences or (),
    )


def _state(work: Work) -> tuple[object, ...]:
    """The file state of the wheel, without reading it; saving detects hidden changes by the sha256."""
    if work.file is None:
        return ()
    found = work.file.stat()
    return work.file, found.st_ino, found.st_size, found.st_mtime_ns


def _pure_note(work: Work) -> str:
    return _BECAME_PURE if any(each.rule == NOT_COMPILED for each in work.uncompiled) else _PURE


class _Rejected(AuditFailed):
    """AuditFailed with all findings."""

    def __init__(self, work: Work, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.work = work


def _unforeseen(error: Exception, log: Path | None) -> CrosswheelError:
    """An unexpected exception as an error; its traceback is appended to the log."""
    if log:
        with suppress(OSError), log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(error))
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    hint = f"less {log}; please report it" if log else "tell its authors"
    return CrosswheelError(f"{text}: a bug in crosswheel", hint=hint)


def failure(error: CrosswheelError | OSError, step: str, log: Path | None = None) -> Failure:
    """An error as a value; an OSError becomes one of our errors."""
    ours = error if isinstance(error, CrosswheelError) else explained(error)
    kind = AuditFailed.__name__ if isinstance(ours, _Rejected) else type(ours).__name__
    tail = log_tail(log, _TAIL) if log else ()
    return Failure(kind, ours.exit_code, step, ours.message, ours.hint, tail, ours.cause)
