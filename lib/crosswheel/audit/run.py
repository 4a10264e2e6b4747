"""The audit of wheels, of any builder and for any architecture: nothing is run, installed or fetched.

>>> audit_wheel(Path("wheelhouse/tiny-1.0-cp313-cp313-manylinux_2_17_aarch64.whl"))
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosswheel.audit.policies import Analysis, analyses
from crosswheel.audit.rules import RULES, SET_RULES
from crosswheel.audit.rules.rule import Rule
from crosswheel.audit.rules.unreadable import Unreadable
from crosswheel.audit.rules.wheelhouse import Entry, Wheelhouse, entry
from crosswheel.errors import CrosswheelError, UsageError
from crosswheel.formats.wheels import Wheel, read_wheel
from crosswheel.model.job import Artifact, Finding
from crosswheel.model.targets import Target

_MOST_PLACES = 1000  # where one rule is broken in one wheel


@dataclass(frozen=True)
class Audit:
    """What there is to say of one file; `wheel` and `entry` are None where it could not be read so far."""

    path: Path
    findings: tuple[Finding, ...]
    seconds: float
    wheel: Artifact | None = None
    analyses: tuple[Analysis, ...] = field(default=(), repr=False)
    entry: Entry | None = field(default=None, repr=False)

    @property
    def passed(self) -> bool:
        """Whether no rule finds an error."""
        return not any(finding.is_error for finding in self.findings)


@dataclass(frozen=True)
class AuditReport:
    """An audit of many files: each by itself, and what only shows where one sees all of them."""

    audits: tuple[Audit, ...]
    sdists: tuple[Path, ...] = ()
    together: tuple[Finding, ...] = ()
    seconds: float = 0.0

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*(finding for audit in self.audits for finding in audit.findings), *self.together)


def audit_wheel(path: Path, target: Target | None = None, beside: tuple[Path, ...] = ()) -> tuple[Finding, ...]:
    """What there is to say of a wheel, in the order of the rules; `target` is what it was built for, if that is known.

    `beside` are wheels that are installed with it, whose libraries it may use. Raises AuditFailed for a file that is
    no wheel at all.
    """
    return findings_of(read_wheel(path, beside), target)


def audit_files(
    paths: Sequence[Path], ignore: Mapping[str, str] | None = None, processes: int = 0
) -> Generator[Audit, None, None]:
    """One audit after the other, in the order given; that a file cannot be read is a finding like others.

    `ignore` are rules that are switched off, and why. `processes` work at a time, 0: one per processor. They import
    the main module: a script that calls this guards its calls by ``if __name__ == "__main__":``.
    """
    reasons, beside = dict(ignore or {}), tuple(paths)
    count = min(processes or len(os.sched_getaffinity(0)), len(paths))
    if count < 2:  # noqa: PLR2004 - a process more would only take its time to start
        yield from (_audit(path, reasons, beside) for path in paths)
        return
    with _workers(count) as workers:
        with _sockets():
            under_way = [workers.submit(_audit, path, reasons, beside) for path in paths]
        for path, future in zip(paths, under_way, strict=True):
            yield _result(future) or _alone(path, reasons, beside)


def audit_together(wheelhouse: Wheelhouse, ignore: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """What there is to say of wheels that lie together."""
    return switched_off((finding for rule in SET_RULES for finding in rule.check(wheelhouse)), ignore or {})


def switched_off(findings: Iterable[Finding], ignore: Mapping[str, str]) -> tuple[Finding, ...]:
    """All of them, those of the rules in `ignore` with the reason."""
    return tuple(replace(finding, ignored=ignore.get(finding.rule, "").strip()) for finding in findings)


def unreadable(reason: str) -> Finding:
    return Unreadable().finding(found=reason)


def findings_of(wheel: Wheel, target: Target | None, own: Sequence[Rule] = ()) -> tuple[Finding, ...]:
    """The findings of all rules and of a project's `own` on a parsed wheel, in the order of the rules."""
    return tuple(finding for rule in (*RULES, *own) for finding in _places(rule, wheel, target))


def _places(rule: Rule, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
    """Where a rule is broken, as far as anybody could want to read it: a wheel made to harm may have a million."""
    found = rule.check(wheel, target)
    yield from itertools.islice(found, _MOST_PLACES)
    if next(found, None):
        yield rule.finding(found=f"more than {_MOST_PLACES} places, the first of which are told")


def _audit(path: Path, ignore: Mapping[str, str], beside: tuple[Path, ...]) -> Audit:
    began = time.monotonic()
    findings: tuple[Finding, ...] = ()
    made, told = None, None
    analysed: tuple[Analysis, ...] = ()
    try:
        wheel = read_wheel(path, beside)
        made = Artifact(path, wheel.size, wheel.sha256, wheel.tag)
        findings = findings_of(wheel, None)
        analysed = tuple(analyses(wheel))
        told = entry(wheel)
    except (CrosswheelError, OSError) as error:
        findings = (*findings, unreadable(str(error)))
    except MemoryError:
        findings = (*findings, unreadable("there is not enough memory for it"))
    except Exception as error:  # noqa: BLE001 - a file made to find our faults must not keep the others from their audit
        reason = f"{type(error).__name__}: {error} (a fault of the audit itself: please report it, with the file)"
        findings = (*findings, unreadable(reason))
    return Audit(path, switched_off(findings, ignore), time.monotonic() - began, made, analysed, told)


# ---- processes ----------------------------------------------------------------------------------------------------


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that end with the block, at once if it is left by an exception such as that of Ctrl-C."""
    # Not forked from here, where threads may hold locks; and what is imported beforehand is in memory once for all.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", __name__])
    others = set(multiprocessing.active_children())
    workers = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    try:
        yield workers
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        raise
    finally:
        workers.shutdown(cancel_futures=True)


@contextmanager
def _sockets() -> Iterator[None]:
    """The first process begins with a socket in the folder for temporary files, whose path the kernel limits."""
    try:
        yield
    except OSError as error:
        if "AF_UNIX" not in str(error):
            raise
        raise UsageError(
            f"TMPDIR is too long for a socket in it, which may have a path of 107 bytes: {tempfile.gettempdir()}",
            hint="TMPDIR=/tmp crosswheel ..., or --jobs 1",
        ) from error


def _begin() -> None:
    """A worker leaves Ctrl-C to its parent, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _result(future: Future[Audit]) -> Audit | None:
    """None where a process died, and with it what all others were about: nobody knows whose fault it was."""
    try:
        return future.result()
    except BrokenProcessPool:
        return None


def _alone(path: Path, ignore: Mapping[str, str], beside: tuple[Path, ...]) -> Audit:
    """In a process that no other file shares."""
    began = time.monotonic()
    with _workers(1) as worker, _sockets():
        audit = _result(worker.submit(_audit, path, ignore, beside))
    reason = "the process that read it died, for want of memory perhaps: `dmesg | tail` may know"
    return audit or Audit(path, switched_off([unreadable(reason)], ignore), time.monotonic() - began)
