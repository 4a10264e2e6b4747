"""The audit of wheels, by any builder and for any architecture, without running, installing or fetching anything.

>>> audit_wheel(Path("wheelhouse/tiny-1.0-cp313-cp313-manylinux_2_17_aarch64.whl"))
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from crosswheel.auditing.policies import Analysis, analyses
from crosswheel.auditing.rules import RULES, SET_RULES
from crosswheel.auditing.rules.linkage import excluding
from crosswheel.auditing.rules.rule import Rule
from crosswheel.auditing.rules.unreadable import UnreadableWheel
from crosswheel.auditing.rules.wheelhouse import Entry, Wheelhouse, entry
from crosswheel.errors import CrosswheelError, UsageError
from crosswheel.formats.wheels import Wheel, read_wheel
from crosswheel.model.job import Artifact, Finding
from crosswheel.model.targets import Target

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

# So much is audited sooner than worker processes have started: 0.3 s of a processor, for 16 MB/s and 0.01 s a wheel.
_LITTLE = 4_000_000  # bytes
_FEW = 20  # wheels
# What rules import when the first wheel needs it: each worker would do it again.
_IMPORTED_LATER = ("auditwheel.policy", "elftools.elf.elffile", "email_validator")
_MOST_PLACES = 1000  # findings for one rule in one wheel


@dataclass(frozen=True)
class Audit:
    """The findings of one file; `wheel` and `entry` are None if the file could not be read.

    `names` are those of the members of an sdist.
    """

    path: Path
    findings: tuple[Finding, ...]
    seconds: float
    wheel: Artifact | None = None
    analyses: tuple[Analysis, ...] = field(default=(), repr=False)
    entry: Entry | None = field(default=None, repr=False)
    names: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def passed(self) -> bool:
        """Whether no rule finds an error."""
        return not any(finding.is_error for finding in self.findings)


@dataclass(frozen=True)
class AuditReport:
    """The audits of many files, and `together`, the findings about all of them.

    `own_rules` are a project's rules, which were checked besides the audit's.
    """

    audits: tuple[Audit, ...]
    sdists: tuple[Path, ...] = ()
    together: tuple[Finding, ...] = ()
    seconds: float = 0.0
    own_rules: tuple[Rule, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*(finding for audit in self.audits for finding in audit.findings), *self.together)


def audit_wheel(path: Path, target: Target | None = None, beside: tuple[Path, ...] = ()) -> tuple[Finding, ...]:
    """The findings of a wheel in the order of the rules; `target` is the target it was built for, None if unknown.

    `beside` are wheels that are installed with it and provide libraries. Raises AuditFailed if the file is no wheel.
    """
    return findings_of(read_wheel(path, beside), target)


def audit_files(
    paths: Sequence[Path],
    ignore: Mapping[str, str] | None = None,
    processes: int = 0,
    exclude: Sequence[str] = (),
    own: Sequence[Rule] = (),
) -> Generator[Audit, None, None]:
    """Yield an audit per file, in the given order; an unreadable file gets a finding.

    `ignore` maps codes of switched-off rules to reasons; `exclude` has patterns of libraries that users install, such
    as ``libcuda*``: W403 is a note for them. `processes` is the number of worker processes, 0: one per processor, none
    for a few small wheels. Workers do not import the main module, so a script needs no ``if __name__ == "__main__":``
    for them. For the same reason a project's `own` rules are checked in this process, on each wheel that a worker could
    read.
    """
    terms, beside = _Terms(dict(ignore or {}), tuple(exclude)), tuple(paths)
    with closing(_audits(paths, terms, beside, processes)) as audits:
        for audit in audits:
            yield replace(audit, findings=(*audit.findings, *_own_findings(own, audit, terms, beside)))


def _audits(
    paths: Sequence[Path], terms: _Terms, beside: tuple[Path, ...], processes: int
) -> Generator[Audit, None, None]:
    count = min(processes or _useful_processes(paths), len(paths))
    if count < 2:  # noqa: PLR2004 - a process more would only take its time to start
        yield from (_audit(path, terms, beside) for path in paths)
        return
    with _workers(count) as workers:
        with _sockets(), _without_main():
            # The largest first, so that no process ends with a large one while the others have nothing left to do.
            largest_first = sorted(dict.fromkeys(paths), key=_size, reverse=True)
            under_way = {path: workers.submit(_audit, path, terms, beside) for path in largest_first}
        for path in paths:
            yield _result(under_way[path]) or _alone(path, terms, beside)


def _size(path: Path) -> int:
    """The size in bytes; 0 for a file that cannot be read, which its audit reports."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _useful_processes(paths: Sequence[Path]) -> int:
    if len(paths) <= _FEW and sum(path.stat().st_size for path in paths if path.is_file()) <= _LITTLE:
        return 1
    return len(os.sched_getaffinity(0))


def audit_together(wheelhouse: Wheelhouse, ignore: Mapping[str, str] | None = None) -> tuple[Finding, ...]:
    """The findings of the set rules about the wheels of a folder."""
    return switched_off((finding for rule in SET_RULES for finding in rule.check(wheelhouse)), ignore or {})


def switched_off(
    findings: Iterable[Finding], ignore: Mapping[str, str], exclude: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """All findings; those of rules in `ignore` get its reason, and a missing library in `exclude` is a note."""
    told = (excluding(finding, exclude) for finding in findings)
    return tuple(replace(finding, ignored=ignore.get(finding.rule, "").strip()) for finding in told)


def unreadable(reason: str) -> Finding:
    return UnreadableWheel().finding(found=reason)


@dataclass(frozen=True)
class _Terms:
    """The findings that the caller accepts: switched-off rules, and libraries that users install."""

    ignore: Mapping[str, str]
    exclude: tuple[str, ...]


def findings_of(wheel: Wheel, target: Target | None, own: Sequence[Rule] = ()) -> tuple[Finding, ...]:
    """The findings of all rules and of a project's `own` on a parsed wheel, in the order of the rules."""
    return tuple(finding for rule in (*RULES, *own) for finding in _places(rule, wheel, target))


def _own_findings(own: Sequence[Rule], audit: Audit, terms: _Terms, beside: tuple[Path, ...]) -> tuple[Finding, ...]:
    """The findings of a project's own rules; a rule that fails is an error of that wheel."""
    if not own or audit.wheel is None:
        return ()
    wheel = read_wheel(audit.path, beside)
    found = (finding for rule in own for finding in _guarded(rule, wheel))
    return switched_off(found, terms.ignore, terms.exclude)


def _guarded(rule: Rule, wheel: Wheel) -> Iterator[Finding]:
    try:
        yield from _places(rule, wheel, None)
    except Exception as error:  # noqa: BLE001 - the fault of a project's rule must not keep other wheels from their audit
        found = f"the rule failed: {type(error).__name__}: {error}"
        yield replace(rule.finding(found=found), level="error")


def _places(rule: Rule, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
    """The findings of one rule, limited in number: a malicious wheel may have a million."""
    found = rule.check(wheel, target)
    yield from itertools.islice(found, _MOST_PLACES)
    if next(found, None):
        yield rule.finding(found=f"more than {_MOST_PLACES} places; only the first are listed")


def _audit(path: Path, terms: _Terms, beside: tuple[Path, ...]) -> Audit:
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
        findings = (*findings, unreadable("not enough memory to read it"))
    except Exception as error:  # noqa: BLE001 - a file made to find our faults must not keep the others from their audit
        reason = f"{type(error).__name__}: {error} (a bug: please report it with the file)"
        findings = (*findings, unreadable(reason))
    findings = switched_off(findings, terms.ignore, terms.exclude)
    return Audit(path, findings, time.monotonic() - began, made, analysed, told)


# ---- processes ----------------------------------------------------------------------------------------------------


@contextmanager
def _workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes that end with the block, and at once if an exception such as KeyboardInterrupt leaves it."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # Threads may hold locks, and a fork would copy those: then a server forks, in which modules are loaded once.
    single = len(list(Path("/proc/self/task").iterdir())) == 1
    context = multiprocessing.get_context("fork" if single else "forkserver")
    context.set_forkserver_preload([__name__, *_IMPORTED_LATER])
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
    """Raise UsageError if TMPDIR is too long: the fork server needs a socket there, whose path the kernel limits."""
    try:
        yield
    except OSError as error:
        if "AF_UNIX" not in str(error):
            raise
        raise UsageError(
            f"TMPDIR is too long for a socket in it, whose path is limited to 107 bytes: {tempfile.gettempdir()}",
            hint="TMPDIR=/tmp crosswheel ..., or --jobs 1",
        ) from error


@contextmanager
def _without_main() -> Iterator[None]:
    """Start workers that do not import the main module: they need nothing of it, and a script would run again in each.

    multiprocessing has no setting for this; it imports what `sys.modules` has under that name when a process starts.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin() -> None:
    """Set up a worker: the parent handles Ctrl-C, and the worker ends with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):  # a fork has the parent's handlers
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    import multiprocessing

    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _result(future: Future[Audit]) -> Audit | None:
    """The result of a worker; None if one died, which ends all others too and hides the culprit."""
    from concurrent.futures.process import BrokenProcessPool

    try:
        return future.result()
    except BrokenProcessPool:
        return None


def _alone(path: Path, terms: _Terms, beside: tuple[Path, ...]) -> Audit:
    """Audit one file in a process of its own."""
    began = time.monotonic()
    with _workers(1) as worker, _sockets(), _without_main():
        audit = _result(worker.submit(_audit, path, terms, beside))
    reason = "the process that read it died, perhaps because memory ran out: see `dmesg | tail`"
    return audit or Audit(path, switched_off([unreadable(reason)], terms.ignore), time.monotonic() - began)
