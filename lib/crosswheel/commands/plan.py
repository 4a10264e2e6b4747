"""`plan`: what would be done, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.engines import ENGINES, LADDER, offers
from crosswheel.engines.site import Site, look_around
from crosswheel.errors import NothingToDo
from crosswheel.model import job as model
from crosswheel.model.config import Config
from crosswheel.model.job import Job, Listener, deaf
from crosswheel.pipeline import source as sources
from crosswheel.pipeline.plan import make_plan
from crosswheel.pipeline.schedule import expected_plan, history_of
from crosswheel.report.document import Document, plan_document
from crosswheel.report.run import plan_text
from crosswheel.steps.journal import journal_of
from crosswheel.steps.test import untested

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import PathText, PlanOptions


@dataclass(frozen=True)
class Plan(Result, model.Plan):
    """The jobs of one source, what was left out and why, and the configuration that decided it."""

    config: Config | None = field(default=None, repr=False, compare=False)
    project: Path = field(default=Path(), repr=False)

    @property
    def exit_code(self) -> int:
        """That of NothingToDo where anything that was asked for is missing."""
        complete = self.jobs and not any(entry.asked_for for entry in self.left_out)
        return 0 if complete else NothingToDo.exit_code

    def document(self) -> Document:
        return plan_document(self)

    def text(self, console: Console | None = None) -> str:
        return plan_text(self, console)


@public
def plan(
    source: PathText | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[PlanOptions],
) -> Plan:
    """Say what `wheels` would build, with which engine, and why; builds nothing and downloads no file.

    `source` is a folder, an sdist file, or NAME or NAME==VERSION from the index; default: the project. `project` is the
    folder whose pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`) while it works.

    Returns a Plan: `.jobs`, `.left_out`, `.ok` (all that was asked for can be built), `.exit_code`, `.document()` (what
    --json writes); str() is the table. `wheels(plan)` carries it out.
    Raises UsageError for wrong options, SourceError for no source, IndexUnreachable.
    """
    return from_code(run, "plan", project, listener, {"source": source, **options})


def run(call: Call) -> Plan:
    site = look_around(call.config, call.listener)
    requires_python = sources.requires_python_of(call.config.build.source, site.host)
    return planned(expected(plan_for(site, requires_python), site), call)


def planned(made: model.Plan, call: Call) -> Plan:
    """A plan with what decided it."""
    return Plan(
        source=made.source,
        jobs=made.jobs,
        left_out=made.left_out,
        seconds=made.seconds,
        config=call.config,
        project=call.project,
    )


def plan_for(site: Site, requires_python: str) -> model.Plan:
    """One job per target; engines are asked in the order of the ladder."""
    given = (site.config, requires_python, site.host.interpreters)
    made = make_plan(*given, LADDER, offers(site), site.pythons_elsewhere)
    return replace(made, jobs=on_site(made.jobs, site))


def expected(made: model.Plan, site: Site) -> model.Plan:
    """The plan with what it may take, where the journal knows the project."""
    name = sources.name_of(made.source)
    return expected_plan(made, history_of(journal_of(name, site.host, deaf)), site) if name else made


def on_site(jobs: Sequence[Job], site: Site) -> tuple[Job, ...]:
    """The same jobs, each with its image and why its wheel would stay untested."""
    return tuple(_on_site(job, site) for job in jobs)


def _on_site(job: Job, site: Site) -> Job:
    family = ENGINES[job.engine].family
    return replace(
        job,
        image=site.reference(job.target, family) if family else "",
        untested=untested(job.target, site),
        fallbacks=on_site(job.fallbacks, site),
    )
