"""One job, from the sdist to a wheel that is proved: found in the journal or built, then audited, tested and saved."""

from __future__ import annotations

import shutil
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from crosswheel.engines import ENGINES
from crosswheel.engines.site import Site
from crosswheel.engines.workspace import idle_workspace
from crosswheel.errors import AuditFailed, CrosswheelError, TestFailed, explained
from crosswheel.formats.wheels import named_wheel, read_wheel
from crosswheel.model.job import Failure, Job, Outcome, Sdist, Status, StepStarted, StepTime, Usage
from crosswheel.steps import Step, audit, build, repair, test
from crosswheel.steps.journal import Journal, Made
from crosswheel.steps.keys import build_key, test_key
from crosswheel.steps.rebuild import again
from crosswheel.steps.test import first_trial, untested
from crosswheel.steps.wheelhouse import Output, keep
from crosswheel.steps.work import Work
from crosswheel.system.package_index import sha256_of
from crosswheel.system.process import Stopped, log_tail
from crosswheel.system.scratch import scratch_folder

_TAIL = 30  # lines of a log that a failure shows
_PURE = "a pure wheel: no cross build needed"
_BECAME_PURE = "a pure wheel, because its extensions were not compiled"


@dataclass(frozen=True)
class Maker:
    """What all jobs of a run share."""

    sdist: Sdist
    site: Site
    output: Output
    journal: Journal

    def known(self, job: Job) -> Made | None:
        """What an earlier run made of the very same; nothing with `--fresh`, and where it is to be built twice."""
        if self.site.config.build.fresh or self.site.config.build.twice:
            return None
        key = build_key(job, self.sdist, self.site)
        return self.journal.find(key) if key else None

    def make(self, job: Job) -> Outcome:
        """How the job ended, whatever happens: errors are data here."""
        return self._guard(job, lambda times, log: self._make(job, times, log))

    def make_pure(self, job: Job) -> Outcome:
        """Likewise without a compiler, for a source that seems to need none; cancelled where the wheel is not pure."""
        return self._guard(job, lambda times, log: self._make(job, times, log, bare=True))

    def _make(self, job: Job, times: list[StepTime], log: Path, *, bare: bool = False) -> Outcome:
        with scratch_folder(f"{self.sdist.name}-{job.target}") as folder, ExitStack() as stack:
            made = self.known(job)
            ready = self._kept(made, job, folder, log, times) if made else None
            ready = ready or self._built(job, folder, log, times, stack, bare=bare)
            pure = ready is not None and named_wheel(ready.work.made).is_pure
            if ready is None or (bare and not pure):
                return Outcome(job, "cancelled")
            reason, before = self._test(ready, times)
            work = self._steps(ready.work, [again], times) if self.site.config.build.twice else ready.work
            wheel, note = self.output.save(work.made, job.target, work.passed)
        status: Status = "reused" if note else "pure" if pure else "kept" if ready.kept else "built"
        return Outcome(
            job=job,
            status=status,
            wheel=wheel,
            steps=tuple(times),
            findings=work.findings,
            log=log,
            note=note or (_pure_note(work) if pure else ready.kept),
            untested=reason,
            tested_before=before,
            usage=ready.usage,
            reproducible=None if work.differences is None else not work.differences,
            differences=work.differences or (),
        )

    def _kept(self, made: Made, job: Job, folder: Path, log: Path, times: list[StepTime]) -> _Ready | None:
        """What an earlier run built is audited again: rules change, and wheels are cheap to read.

        A copy, for a run beside this one may replace the entry at any time; None where that just happened.
        """
        try:
            shutil.copyfile(made.log, log)
            wheel = keep(made.path, folder.with_name("kept"))
        except FileNotFoundError:
            return None
        if sha256_of(wheel) != made.sha256:
            return None
        workspace = idle_workspace(self.site.host, folder, log, self.site.config.build.timeout)
        work = Work(job, self.sdist, self.site, workspace, wheel=wheel, uncompiled=made.uncompiled)
        kept = f"built by an earlier run, in {made.seconds:.1f} s"
        return _Ready(self._steps(work, [audit], times), made, Usage(), kept)

    def _built(
        self, job: Job, folder: Path, log: Path, times: list[StepTime], stack: ExitStack, *, bare: bool
    ) -> _Ready | None:
        """None where a workspace without compilers did not do."""
        began = time.monotonic()
        workspace = stack.enter_context(ENGINES[job.engine].open(job, self.sdist, self.site, folder, log, bare=bare))
        trial = stack.enter_context(first_trial(job, self.sdist, self.site))
        work = self._steps(Work(job, self.sdist, self.site, workspace, bare=bare, trial=trial), [build], times)
        if bare and (workspace.asked_for_compiler or not read_wheel(work.made).is_pure):
            return None
        work = self._steps(work, [repair, audit], times)
        usage, key = workspace.usage(), build_key(job, self.sdist, self.site)
        seconds = time.monotonic() - began
        if not key:
            return _Ready(work, None, usage)
        return _Ready(work, self.journal.keep(key, job, work.made, log, seconds, usage, work.uncompiled), usage)

    def _test(self, ready: _Ready, times: list[StepTime]) -> tuple[str, bool]:
        """Why the wheel stays untested, and whether it has passed this very test before."""
        work, made = ready.work, ready.entry
        if reason := untested(work.job.target, self.site):
            return reason, False
        key = test_key(work.job, made.sha256, self.sdist, self.site) if made else ""
        if made and made.passed(key):
            return "", True
        self._steps(work, [test], times)
        if made and key:
            made.remember_test(key, times[-1].seconds)
        return "", False

    def _steps(self, work: Work, steps: Sequence[Step], times: list[StepTime]) -> Work:
        for step in steps:
            name = step.__name__
            self.site.listener(StepStarted(work.job, name))
            began = time.monotonic()
            try:
                work = step(work)
            except TestFailed:
                self.output.reject(work.made)
                raise
            finally:
                times.append(StepTime(name, time.monotonic() - began))
            self._check(work)
        return work

    def _check(self, work: Work) -> None:
        """What is not what its name says goes no further."""
        errors = [finding for finding in work.findings if finding.is_error]
        if errors:
            kept = self.output.reject(work.made)
            first = errors[0]
            text = first.message + (f" (found {first.found})" if first.found else "")
            more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
            where = f"{first.rule} {first.member}".strip()
            raise _Rejected(work, f"{where}: {text}{more}", hint=first.fix or f"unzip -l {kept}")

    def _guard(self, job: Job, action: Callable[[list[StepTime], Path], Outcome]) -> Outcome:
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


@dataclass(frozen=True)
class _Ready:
    """A wheel that has passed its audit; with its journal entry, and where it came from, if that was not now."""

    work: Work
    entry: Made | None
    usage: Usage
    kept: str = ""


def _pure_note(work: Work) -> str:
    return _BECAME_PURE if work.uncompiled else _PURE


class _Rejected(AuditFailed):
    """AuditFailed, with all that was found."""

    def __init__(self, work: Work, message: str, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.work = work


def _unforeseen(error: Exception, log: Path | None) -> CrosswheelError:
    """With all that is needed to mend it at the end of the log."""
    if log:
        with suppress(OSError), log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(traceback.format_exception(error))
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    hint = f"less {log}, and tell its authors" if log else "tell its authors"
    return CrosswheelError(f"{text}, which is a fault of crosswheel's own", hint=hint)


def failure(error: CrosswheelError | OSError, step: str, log: Path | None = None) -> Failure:
    """An error as data; what the system itself says of a disk becomes one of ours."""
    ours = error if isinstance(error, CrosswheelError) else explained(error)
    kind = AuditFailed.__name__ if isinstance(ours, _Rejected) else type(ours).__name__
    return Failure(kind, ours.exit_code, step, ours.message, ours.hint, log_tail(log, _TAIL) if log else ())
