"""What flows through crosswheel, all of it frozen: a plan of jobs goes in, outcomes and a report come out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from crosswheel.model.targets import PythonTag, Target


@dataclass(frozen=True)
class Interpreter:
    """A CPython of this machine that build backends can run on; without `headers` it cannot compile extensions."""

    tag: PythonTag
    version: str
    path: Path
    headers: bool = True


@dataclass(frozen=True)
class Sdist:
    """The one source archive that every job of a run builds from.

    `epoch` is the time of its content, in seconds since 1970, which wheels are dated to. `content` is a sha256 of what
    unpacking it gives: not of times, owners, and how or in what order it was packed.

    `compiled` says whether it holds anything that a compiler reads, `cxx` whether C++, or Cython that becomes C++;
    guesses both: what decides is the wheel that comes out. `stable_abi` has the minor versions since which its build
    files ask for the limited API (PEP 384), as far as they name any; None where they do not speak of it at all.
    """

    path: Path
    name: str
    version: str
    sha256: str
    requires_python: str = ""
    epoch: int = 315_532_800  # the first that a ZIP archive can name
    content: str = ""
    compiled: bool = False
    cxx: bool = False
    stable_abi: frozenset[int] | None = None


@dataclass(frozen=True)
class Refusal:
    """An engine that could not serve a target, and why."""

    engine: str
    reason: str


@dataclass(frozen=True)
class Job:
    """One target on one engine, with everything concrete."""

    target: Target
    engine: str
    interpreter: Interpreter | None = None
    reason: str = ""
    refused: tuple[Refusal, ...] = ()
    fallbacks: tuple[Job, ...] = ()
    """The same on engines further down the ladder, should this one fail."""
    image: str = ""
    """What its container is made of, where the engine has one."""
    untested: str = ""
    """Why its wheel will not be tried on its architecture, as far as the plan can know."""
    processors: int = 0
    """How many it may use at a time, where others run beside it; 0: all."""
    seconds: float | None = None
    """What it may take, by what earlier runs took; None where nobody knows."""
    following: Job | None = None
    """The one that whoever does this one is expected to do next: what it begins with can be made ready already."""


@dataclass(frozen=True)
class LeftOut:
    """A target that was asked for, or could have been, and has no job: why, and the command that would mend it."""

    what: str
    reason: str
    hint: str = ""
    asked_for: bool = False


@dataclass(frozen=True)
class Plan:
    """The jobs of one source, in the order in which they start, and what was left out."""

    source: str
    jobs: tuple[Job, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    seconds: float | None = None
    """What all of it may take on this machine, by what earlier runs took."""


DifferenceKind: TypeAlias = Literal["name", "missing", "bytes", "time", "mode", "order", "compression"]


@dataclass(frozen=True)
class Difference:
    """What two wheels of one job differ in: a member, or without one the archive; `cause` as far as it is known."""

    member: str
    kind: DifferenceKind
    where: str = ""
    cause: str = ""


Level: TypeAlias = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """What a rule has to say of a wheel: the evidence is what was `found` where `expected` should stand.

    `ignored` is the reason for which the rule is switched off, where it is.
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
        """Whether the wheel may not pass."""
        return self.level == "error" and not self.ignored


@dataclass(frozen=True)
class Artifact:
    """A finished wheel: size in bytes, tags as its file name spells them (``cp313-cp313-manylinux_2_17_aarch64``)."""

    path: Path
    size: int
    sha256: str
    tag: str

    def __fspath__(self) -> str:
        """So that it can stand wherever a path can."""
        return str(self.path)


@dataclass(frozen=True)
class StepTime:
    """How long one step of a job took, wall clock."""

    step: str
    seconds: float


@dataclass(frozen=True)
class Usage:
    """What a job took: `memory` in bytes at its highest (0: unknown), compiles that a cache served, and the others."""

    memory: int = 0
    hits: int = 0
    misses: int = 0


@dataclass(frozen=True)
class Failure:
    """An error as data: the class name and exit code of `errors`, and the last lines of the job's log."""

    kind: str
    exit_code: int
    step: str
    message: str
    hint: str = ""
    log_tail: tuple[str, ...] = ()


Status: TypeAlias = Literal["built", "kept", "reused", "pure", "failed", "cancelled"]


@dataclass(frozen=True)
class Outcome:
    """How one job ended.

    ``built`` made `wheel`; ``kept`` is one that an earlier run built of the very same; ``reused`` and ``pure`` are
    served by a wheel of another job (`note` says which); ``failed`` has a `failure`; ``cancelled`` was never finished
    because the run was stopped.
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
    """Why the wheel was not tried on its architecture; empty where it was."""
    tested_before: bool = False
    """Whether an earlier run tried this very wheel in the same way."""
    usage: Usage = Usage()
    reproducible: bool | None = None
    """Whether a second build came out the same; None where there was none."""
    differences: tuple[Difference, ...] = ()

    @property
    def ok(self) -> bool:
        return self.status in {"built", "kept", "reused", "pure"}

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


@dataclass(frozen=True)
class Report:
    """A whole run: `started` in seconds since the epoch, `seconds` of wall clock."""

    plan: Plan
    outcomes: tuple[Outcome, ...]
    sdist: Sdist | None
    started: float
    seconds: float

    @property
    def wheels(self) -> tuple[Artifact, ...]:
        """Each wheel that serves a target, once: what may be released."""
        served = (outcome.wheel for outcome in self.outcomes if outcome.ok and outcome.wheel)
        return tuple({wheel.path: wheel for wheel in served}.values())


@dataclass(frozen=True)
class Note:
    """A sentence for whoever waits."""

    text: str


@dataclass(frozen=True)
class Transfer:
    """A download under way, or with `sending` an upload, in bytes; `total` is None where the server does not say."""

    what: str
    done: int
    total: int | None
    sending: bool = False


@dataclass(frozen=True)
class Chore:
    """Something that takes long and serves more than one job; `seconds` says how long, once it is done."""

    text: str
    seconds: float | None = None


@dataclass(frozen=True)
class Planned:
    """What is about to run; nothing has begun yet."""

    plan: Plan


@dataclass(frozen=True)
class StepStarted:
    job: Job
    step: str


@dataclass(frozen=True)
class JobFinished:
    outcome: Outcome


@dataclass(frozen=True)
class Progress:
    """How many of `total` things are done; `doing` says what happens to them, as in ``auditing``."""

    doing: str
    done: int
    total: int


@dataclass(frozen=True)
class Stage:
    """What a release does next, and what holds when it is done; `number` of `count` stages, counted from 1."""

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
    """Tell the listener when something long begins and how long it took."""
    began = time.monotonic()
    listener(Chore(text))
    try:
        yield
    finally:
        listener(Chore(text, time.monotonic() - began))


_Item = TypeVar("_Item")


def counted(items: Iterable[_Item], doing: str, total: int, listener: Listener) -> Iterator[_Item]:
    """The items as they come; the listener hears how many there are by now, where there are several."""
    for done, item in enumerate(items, start=1):
        if total > 1:
            listener(Progress(doing, done, total))
        yield item


def deaf(_event: Event) -> None:
    """The listener that nobody needs."""
