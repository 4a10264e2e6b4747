"""What a job carries from step to step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from crosswheel.engines.site import Site
from crosswheel.engines.test_containers import Trial
from crosswheel.engines.workspace import Workspace
from crosswheel.formats.uncompiled import Uncompiled
from crosswheel.model.config import Config
from crosswheel.model.job import Difference, Finding, Job, Sdist


@dataclass(frozen=True)
class Work:
    """One job under way: a step takes it and gives it back with the wheel replaced or more known of it."""

    job: Job
    sdist: Sdist
    site: Site
    workspace: Workspace
    wheel: Path | None = None
    findings: tuple[Finding, ...] = ()
    passed: str = ""
    """The sha256 of the wheel that passed the audit; empty where none did."""
    differences: tuple[Difference, ...] | None = None
    """From the wheel of a second build; None where there was none."""
    bare: bool = False
    """Whether it is built without compilers."""
    uncompiled: tuple[Uncompiled, ...] = ()
    """Extensions that the project declares and the wheel lacks."""
    trial: Callable[[], Trial] | None = None
    """Waits for the container of the first test and gives it; None where nobody makes one ready."""

    @property
    def config(self) -> Config:
        return self.site.config

    @property
    def made(self) -> Path:
        """The wheel of the steps before; the tuple of steps puts `build` first."""
        assert self.wheel is not None  # noqa: S101
        return self.wheel
