"""The frozen values of a run: a plan of jobs goes in, outcomes and a report come out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

from crosswheel.model.targets import PythonTag, Target

if TYPE_CHECKING:
    from crosswheel.model.adoption import Adoption, WorkflowValue


@dataclass(frozen=True)
class Interpreter:
    """A CPython of this machine for build backends; without `headers` it cannot compile extensions.

    `borrowed` are shared libraries of the image that it comes from, which it needs and this machine lacks.
    """

    tag: PythonTag
    version: str
    path: Path
    headers: bool = True
    borrowed: tuple[Path, ...] = ()


NeedName: TypeAlias = Literal["rust", "openmp", "fortran", "interpreter", "program", "multibuild"]


@dataclass(frozen=True)
class Need:
    """A compiler or runtime that a source asks for beside C and C++.

    ``interpreter`` is the target's, during the build; ``program`` is any that the build has compiled for the target.

    `evidence` is where it says so, as in ``setup.py: RustExtension(``. If it is not `sure`, the build may have a way
    without.
    """

    name: NeedName
    evidence: str
    sure: bool = False


@dataclass(frozen=True)
class ProjectTree:
    """An archive of the whole project folder, with its top folder `project`; `content` is a sha256 of its files."""

    archive: Path
    content: str


@dataclass(frozen=True)
class Sdist:
    """The source archive that every job of a run builds from.

    `epoch` is the time of its content in seconds since 1970, which is the date of wheels' members. `content` is a
    sha256 of the unpacked files, without times, owners, order and compression.

    `compiled`: it seems to contain source code for a compiler, and its build backend may compile it; `cxx`: C++, or
    Cython that becomes C++. Both are guesses, and the built wheel decides. `stable_abi` has the minor versions for
    which its build files request the limited API (PEP 384), as far as they state any; None if they do not mention it.
    `needs` are what else they ask for.
    """

    path: Path
    name: str
    version: str
    sha256: str
    requires_python: str = ""
    epoch: int = 315_532_800  # the earliest time that a ZIP archive can store
    content: str = ""
    compiled: bool = False
    cxx: bool = False
    stable_abi: frozenset[int] | None = None
    needs: tuple[Need, ...] = ()
    tree: ProjectTree | None = None
    """The folder that it was made from, for jobs that need all of it."""

    def needs_of(self, name: NeedName) -> Need | None:
        """The need of that name."""
        return next((need for need in self.needs if need.name == name), None)


@dataclass(frozen=True)
class LaidOver:
    """A build requirement with libraries for linkers, and the target's wheel of it whose files took their place.

    `lacking` is the reason if this machine's stayed, and `wheel` and `sha256` are empty then; `passing`: the next run
    may get it.
    """

    name: str
    version: str
    wheel: str = ""
    sha256: str = ""
    lacking: str = ""
    passing: bool = False


@dataclass(frozen=True)
class Refusal:
    """An engine that cannot serve a target, and the reason."""

    engine: str
    reason: str


BEST = "best engine for it"
"""The reason for the engine of a job that `auto` chose."""


@dataclass(frozen=True)
class Job:
    """One target on one engine, with interpreter, image and fallback engines resolved."""

    target: Target
    engine: str
    interpreter: Interpreter | None = None
    reason: str = ""
    refused: tuple[Refusal, ...] = ()
    fallbacks: tuple[Job, ...] = ()
    """The same job on fallback engines, in order."""
    image: str = ""
    """The image of its container or, without a container, of its sysroot; empty without one."""
    untested: str = ""
    """The reason why its wheel cannot be tested on its architecture, if the plan knows one."""
    processors: int = 0
    """The number of processors it may use beside other jobs; 0: all."""
    seconds: float | None = None
    """The estimated time in seconds, from earlier runs; None if unknown."""
    following: Job | None = None
    """The job expected to run next on the same slot: its container can be started early."""


@dataclass(frozen=True)
class LeftOut:
    """A requested or possible target without a job: the reason, and a command that helps."""

    what: str
    reason: str
    hint: str = ""
    asked_for: bool = False


@dataclass(frozen=True)
class Plan:
    """The jobs of one source in starting order, and the targets that were left out."""

    source: str
    jobs: tuple[Job, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    seconds: float | None = None
    """The estimated time of the run in seconds, from earlier runs; None if unknown."""
    adoption: Adoption | None = None
    """The project's configuration for cibuildwheel, if it counts."""
    not_taken: tuple[WorkflowValue, ...] = ()
    """The literal CIBW_ variables in the project's CI workflows, which do not count."""


DifferenceKind: TypeAlias = Literal["name", "missing", "bytes", "time", "mode", "order", "compression"]


@dataclass(frozen=True)
class Difference:
    """A difference between two wheels of one job: in a member, or in the archive if empty; `cause` if it is known."""

    member: str
    kind: DifferenceKind
    where: str = ""
    cause: str = ""


Level: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """A violation of a rule by a wheel: `found` is the evidence, `expected` the correct state.

    `ignored` is the reason why the rule is switched off, empty if it is not.
    """

    rule: str
    level: Level
    message: str
    member: str = ""
    found: str = ""
    expected: str = ""
    fix: str = ""
    ignored: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the finding fails the audit."""
        return self.level == "error" and not self.ignored


@dataclass(frozen=True)
class Artifact:
    """A finished wheel: size in bytes, tags as its file name spells them (``cp313-cp313-manylinux_2_17_aarch64``)."""

    path: Path
    size: int
    sha256: str
    tag: str

    def __fspath__(self) -> str:
        """The path as text: an artifact can be passed as a path."""
        return str(self.path)


@dataclass(frozen=True)
class StepTime:
    """The time of one step of a job: `seconds` of wall clock from `started`, in seconds since the epoch.

    `cpu_seconds` are those of all processors, for the step's own thread and for the commands that it waited for. What
    is not known is None, such as the time of commands of a container engine that does not count it.
    """

    step: str
    seconds: float
    started: float | None = None
    cpu_seconds: float | None = None


@dataclass(frozen=True)
class Usage:
    """The resources of a job: peak `memory` in bytes (0: unknown), and compiles with and without a cache hit.

    With the engine accelerated: the compiler's `commands`, and `by_gcc` of them, which clang could not serve, with the
    `gcc_seconds` that they took.
    """

    memory: int = 0
    hits: int = 0
    misses: int = 0
    commands: int = 0
    by_gcc: int = 0
    gcc_seconds: float = 0.0


@dataclass(frozen=True)
class Failure:
    """An error as a value: class name and exit code as in `errors`, and the last lines of the job's log.

    `cause` is the kind of a known failure in data/failures.toml; empty for others.
    """

    kind: str
    exit_code: int
    step: str
    message: str
    hint: str = ""
    log_tail: tuple[str, ...] = ()
    cause: str = ""


Status: TypeAlias = Literal["built", "kept", "reused", "pure", "failed", "cancelled"]


@dataclass(frozen=True)
class Outcome:
    """The result of one job.

    ``built``: made `wheel`; ``kept``: an earlier run built it from the same inputs; ``reused`` and ``pure``: served by
    a wheel of another job, named in `note`; ``failed``: see `failure`; ``cancelled``: not finished, because the run
    was stopped.
    """

    job: Job
    status: Status
    wheel: Artifact | None = None
    steps: tuple[StepTime, ...] = ()
    findings: tuple[Finding, ...] = ()
    failure: Failure | None = None
    log: Path | None = None
    note: str = ""
    untested: str = ""
    """The reason why the wheel was not tested on its architecture; empty if it was."""
    tested_before: bool = False
    """Whether an earlier run tested exactly this wheel in the same way."""
    tested_how: str = ""
    """Where the test ran, as in ``in namespaces of this machine, under QEMU``; empty if it did not, or is not known."""
    usage: Usage = Usage()
    reproducible: bool | None = None
    """Whether a second build gave the same wheel; None without a second build."""
    differences: tuple[Difference, ...] = ()
    started: float | None = None
    """When it began, in seconds since the epoch; None if nothing was to be done."""
    ended: float | None = None
    cpu_seconds: float | None = None
    """As of a step, but of the whole job, with the opening of its workspace."""
    waits_for: tuple[Target, ...] = ()
    """The jobs that had to end before it could begin, because their wheels might serve it; of many, the last."""
    worker: str = ""
    """The worker that carried it out; empty for this process."""

    @property
    def ok(self) -> bool:
        return self.status in {"built", "kept", "reused", "pure"}

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


@dataclass(frozen=True)
class EarlierRun:
    """What remains of a run in the reports of later ones: counts of jobs, files and bytes, and seconds of wall clock.

    `started` is a date and time in ISO 8601.
    """

    started: str
    version: str
    jobs: int
    built: int
    failed: int
    wheels: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Report:
    """A whole run: `started` in seconds since the epoch, `seconds` of wall clock."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    sdist: Sdist | None
    started: float
    seconds: float
    earlier: tuple[EarlierRun, ...] = ()
    """Runs of the same project into the same folder before this one, newest first."""

    @property
    def wheels(self) -> tuple[Artifact, ...]:
        """Each wheel that serves a target, once: what may be released."""
        served = (outcome.wheel for outcome in self.outcomes if outcome.ok and outcome.wheel)
        return tuple({wheel.path: wheel for wheel in served}.values())


@dataclass(frozen=True)
class Note:
    """A message for the user during a run."""

    text: str


@dataclass(frozen=True)
class Transfer:
    """A download in progress, or with `sending` an upload, in bytes; `total` is None if unknown."""

    what: str
    done: int
    total: int | None
    sending: bool = False


@dataclass(frozen=True)
class Chore:
    """A long task for more than one job; `seconds` is its time once it is done."""

    text: str
    seconds: float | None = None


@dataclass(frozen=True)
class Planned:
    """The plan of a run that is about to begin."""

    plan: Plan


@dataclass(frozen=True)
class StepStarted:
    """`project` is the job's, with its version, where several projects are built at the same time."""

    job: Job
    step: str
    project: str = ""


@dataclass(frozen=True)
class JobFinished:
    """`project` is as of `StepStarted`."""

    outcome: Outcome
    project: str = ""


@dataclass(frozen=True)
class Progress:
    """How many of `total` things are done; `doing` says what happens to them, as in ``auditing``."""

    doing: str
    done: int
    total: int


@dataclass(frozen=True)
class Stage:
    """What a release does next; `number` of `count` stages, counted from 1."""

    name: str
    aim: str
    number: int
    count: int


@dataclass(frozen=True)
class Fact:
    """What holds now; with `holds` false, what was left out."""

    text: str
    holds: bool = True


class Telling(Protocol):
    """Anything with a text for people; `console` is rich's."""

    def text(self, console: Any = None) -> str: ...


@dataclass(frozen=True)
class Told:
    """A result on the way to another one, such as the audit within a release."""

    what: Telling


Event: TypeAlias = Note | Chore | Transfer | Planned | StepStarted | JobFinished | Progress | Stage | Fact | Told
Listener: TypeAlias = Callable[[Event], None]


@contextmanager
def chore(text: str, listener: Listener) -> Iterator[None]:
    """Report the begin of a long task to the listener, and its time at the end."""
    began = time.monotonic()
    listener(Chore(text))
    try:
        yield
    finally:
        listener(Chore(text, time.monotonic() - began))


SOON = 2.0  # seconds


@contextmanager
def late_chore(text: str, listener: Listener) -> Iterator[None]:
    """Like `chore`, and silent about a task that ends soon, as most questions to an index do."""
    began, told = time.monotonic(), threading.Event()

    def tell() -> None:
        told.set()
        listener(Chore(text))

    timer = threading.Timer(SOON, tell)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if told.is_set():
            listener(Chore(text, time.monotonic() - began))


_Item = TypeVar("_Item")


def counted(items: Iterable[_Item], doing: str, total: int, listener: Listener) -> Iterator[_Item]:
    """The items as they come; the listener hears how many there are by now, where there are several."""
    for done, item in enumerate(items, start=1):
        if total > 1:
            listener(Progress(doing, done, total))
        yield item


def deaf(_event: Event) -> None:
    """A listener that ignores all events."""
