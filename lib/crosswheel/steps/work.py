"""The work that a job passes from step to step, and the composition of a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosswheel.auditing.rules.rule import Rule
from crosswheel.engines import ENGINES, Engine
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.engines.test_containers import TestContainer
from crosswheel.engines.workspace import Workspace
from crosswheel.errors import UsageError, WheelCount
from crosswheel.formats.uncompiled import Uncompiled
from crosswheel.formats.wheels import Wheel, named_wheel, read_wheel
from crosswheel.model.config import Config
from crosswheel.model.job import Artifact, Difference, Finding, Job, LaidOver, Sdist, Usage
from crosswheel.steps.journal import Journal, JournalEntry
from crosswheel.steps.sequence import Need, Steps, traits_of
from crosswheel.steps.wheelhouse import OutputFolder
from crosswheel.system.hashes import sha256_of

_UNTESTED = "no step tests it"


@dataclass(frozen=True)
class Composition:
    """The steps for each wheel, additional audit rules, and the engines by name."""

    steps: Steps[Work]
    rules: tuple[Rule, ...] = ()
    engines: Mapping[str, Engine] = field(default_factory=lambda: ENGINES)

    @property
    def before_audit(self) -> Steps[Work]:
        """The steps before the audit, which determine the wheel."""
        return self.steps.until("audit")

    def needs(self, what: Need) -> bool:
        """Whether any step has this need."""
        return any(what in traits_of(step).needs for step in self.steps)

    def check(self) -> None:
        """Raise UsageError for steps that could not save a wheel, before the build."""
        names = self.steps.names
        for name in ("audit", "save"):
            if name not in names:
                raise UsageError(f"the steps have no {name!r}: no wheel would be saved", hint=f"keep the step {name!r}")
        if names.index("save") < names.index("audit"):
            raise UsageError("the step 'save' is before 'audit': no wheel would be saved", hint="steps.MAKE")


@dataclass(frozen=True)
class Work:
    """One job in progress. A step takes it and returns it with a new wheel or with more facts.

    `folder` is a folder of this machine for the steps, removed at the end of the job. `key` names the job's entry in
    the journal; it is empty until the job's image is pulled.
    """

    job: Job
    sdist: Sdist
    config: Config
    services: Services
    composition: Composition
    journal: Journal
    output: OutputFolder
    folder: Path
    log: Path
    key: str = ""
    limit: float = math.inf
    """The time limit of the job as a time of `time.monotonic`; the workspace's own limit wins."""
    bare: bool = False
    """Whether the build has no compilers."""
    opened: Workspace | None = None
    began: float = 0.0
    """When the workspace was opened, or the job began without one, by `time.monotonic`."""
    first_test: Callable[[], TestContainer] | None = None
    """Waits for the container of the first test and returns it; None if none is being started."""
    file: Path | None = None
    parsed: Wheel | None = field(default=None, repr=False, compare=False)
    """The wheel as last returned by `read`."""
    uncompiled: tuple[Uncompiled, ...] = ()
    """Extensions that the project declares but the wheel lacks."""
    requirements: tuple[LaidOver, ...] = ()
    """Build requirements whose libraries and headers were to be the target's."""
    usage: Usage = field(default_factory=Usage)
    entry: JournalEntry | None = None
    """The journal's entry of this wheel."""
    found: bool = False
    """Whether an earlier run made the wheel."""
    noted: tuple[Finding, ...] = ()
    """What steps before the audit found out and the finished wheel does not show."""
    findings: tuple[Finding, ...] = ()
    passed: str = ""
    """The sha256 of the wheel that passed the audit; empty if none did."""
    untested: str = _UNTESTED
    """The reason why the wheel was not tested on its architecture; empty once it was."""
    tested_before: bool = False
    tested_how: str = ""
    """Where the test ran; empty if there was none, or nobody said."""
    differences: tuple[Difference, ...] | None = None
    """The differences from the wheel of a second build; None without one."""
    saved: Artifact | None = None
    note: str = ""
    """The target of an identical wheel that another job saved before."""

    @property
    def facts(self) -> Facts:
        """What the run knows of this machine and its Docker host."""
        return self.services.facts

    @property
    def workspace(self) -> Workspace:
        """The workspace for the job's commands. Raises UsageError in a step that does not declare the need."""
        if self.opened is None:
            raise UsageError("no workspace is open for this step", hint='decorate it: @step(needs=["workspace"])')
        return self.opened

    @property
    def deadline(self) -> float:
        """The time limit of the job's commands, by `time.monotonic`."""
        opened = self.opened.deadline if self.opened else None
        return self.limit if opened is None else opened

    @property
    def wheel(self) -> Path:
        """The wheel of the earlier steps. Raises WheelCount if none made one."""
        if self.file is None:
            raise WheelCount("no step before this one made a wheel", hint="put the step after `build`")
        return self.file

    def with_wheel(self, path: Path) -> Work:
        """The work with another wheel."""
        return replace(self, file=path, parsed=None)

    def read(self) -> Wheel:
        """The wheel, parsed once for the same bytes if the step passes it on as `parsed`. Raises AuditFailed."""
        known = self.parsed
        if known and known.path == self.wheel and known.sha256 == sha256_of(self.wheel):
            return known
        wheel = read_wheel(self.wheel)
        _ = wheel.sha256  # the sha256 of these bytes, before anything else is read
        return wheel

    @property
    def is_compiled(self) -> bool:
        """Whether the build called a compiler, or made a platform wheel."""
        if self.file is None:
            return False
        asked = self.opened is not None and self.opened.asked_for_compiler
        return asked or not named_wheel(self.file).is_pure
