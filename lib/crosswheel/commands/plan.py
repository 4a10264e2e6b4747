"""`plan`: show what would be built, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.commands.call import Call, Own, from_code, public
from crosswheel.commands.result import Result
from crosswheel.commands.scheduler import pool_of
from crosswheel.engines import ENGINES, LADDER, Engine, offers
from crosswheel.engines.facts import Facts, image_of, look_around
from crosswheel.engines.image_pythons import with_image_pythons
from crosswheel.engines.needs import doubt, ladder_for
from crosswheel.errors import NothingToDo
from crosswheel.model import job as model
from crosswheel.model.config import Config
from crosswheel.model.job import Job, Listener, Need, Note, deaf
from crosswheel.pipeline import source as sources
from crosswheel.pipeline.adoption import adopted, not_taken
from crosswheel.pipeline.multibuild import needs_of
from crosswheel.pipeline.plan import make_plan
from crosswheel.pipeline.schedule import expected_plan, history_of
from crosswheel.reporting.document import Document, plan_document
from crosswheel.reporting.run import plan_text
from crosswheel.steps.journal import journal_of
from crosswheel.steps.test import untested

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import PathText, PlanOptions


@dataclass(frozen=True)
class Plan(Result, model.Plan):
    """The jobs of one source, what was left out and why, and the configuration of the plan."""

    config: Config | None = field(default=None, repr=False, compare=False)
    project: Path = field(default=Path(), repr=False)
    own_engines: Mapping[str, Engine] = field(default_factory=dict, repr=False, compare=False)

    @property
    def exit_code(self) -> int:
        """The code of NothingToDo if a target that was asked for has no job."""
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
    own_engines: Mapping[str, Engine] | None = None,
    **options: Unpack[PlanOptions],
) -> Plan:
    """Plan what `wheels` would build, with which engine, and why. Builds and downloads nothing.

    `source` is a folder, an sdist file, or NAME or NAME==VERSION from the index; default: the project. `project` is the
    folder whose pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`) while it works.
    `own_engines` are engines by name (`crosswheel.engines.Engine`), for the options `engine` and `engines`.

    Returns a Plan: `.jobs`, `.left_out`, `.ok` (all that was asked for can be built), `.exit_code`, `.document()` (what
    --json writes); str() is the table. `wheels(plan)` carries it out.
    Raises UsageError for wrong options, SourceError for no source, IndexUnreachable.
    """
    return from_code(run, "plan", project, listener, {"source": source, **options}, Own(engines=own_engines or {}))


def run(call: Call) -> Plan:
    config = call.config
    with look_around(config, call.listener) as facts:
        config = adopted(config, call.project, facts.host, call.listener)
        (requires_python, needs), engines = _asked_of(config, facts), call.own.all_engines()
        with pool_of(replace(call, config=config)) as pool:
            if pool:
                from crosswheel.fleet.plan import plan_on

                made = plan_on(pool.workers(), config, requires_python, config.build.source)
                return planned(made, replace(call, config=config))
        made = plan_for(config, with_image_pythons(config, facts), requires_python, engines, needs)
        note_doubts(made, needs, call.listener)
        note_images(made, config, facts, engines, call.listener)
        made = replace(expected(made, config, facts, engines), not_taken=not_taken(config, call.project))
        return planned(made, replace(call, config=config))


def _asked_of(config: Config, facts: Facts) -> tuple[str, tuple[Need, ...]]:
    """The requires-python and the needs of the source, as far as they are known without a build."""
    source = config.build.source
    if multibuild := config.multibuild:
        return sources.requires_python_of(str(multibuild.project), facts.host), needs_of(multibuild)
    return sources.requires_python_of(source, facts.host), sources.needs_of(source, facts.host)


def planned(made: model.Plan, call: Call) -> Plan:
    """The plan with its configuration."""
    return Plan(
        source=made.source,
        jobs=made.jobs,
        left_out=made.left_out,
        seconds=made.seconds,
        adoption=made.adoption,
        not_taken=made.not_taken,
        config=call.config,
        project=call.project,
        own_engines=call.own.engines,
    )


def plan_for(
    config: Config,
    facts: Facts,
    requires_python: str,
    engines: Mapping[str, Engine] = ENGINES,
    needs: Sequence[Need] = (),
) -> model.Plan:
    """One job per target; engines are asked in the order of the ladder, which depends on the source's needs."""
    ladder, why = ladder_for(needs, LADDER)
    given = (config, requires_python, facts.host.interpreters, ladder, offers(config, facts, engines, needs))
    made = make_plan(*given, facts.pythons_elsewhere(config), why)
    return replace(made, jobs=_completed(made.jobs, config, facts, engines))


def note_doubts(made: model.Plan, needs: Sequence[Need], listener: Listener) -> None:
    """Tell the listener what the source may need and the planned engine lacks."""
    if any(job.engine == "cross" for job in made.jobs) and (doubts := doubt(needs)):
        lacking = f"the project may need {doubts}, which the cross engine lacks"
        listener(Note(f"{lacking}; if so, --engine accelerated, which needs the image"))


def note_images(
    made: model.Plan, config: Config, facts: Facts, engines: Mapping[str, Engine], listener: Listener
) -> None:
    """Tell the listener which images are not here yet: whether they can be had, only a registry knows."""
    missing: dict[str, str] = {}
    for job in made.jobs:
        family = engines[job.engine].family
        if family and facts.image_for(job.target, config.for_target(job.target), family) is None:
            missing[job.image] = next((one.engine for one in job.fallbacks if not engines[one.engine].family), "")
    for image, other in missing.items():
        otherwise = f"; if it cannot be had, {other} builds without it" if other else ""
        listener(Note(f"{image} is not here yet, the first build fetches it{otherwise}"))


def expected(made: model.Plan, config: Config, facts: Facts, engines: Mapping[str, Engine] = ENGINES) -> model.Plan:
    """The plan with what it may take, where the journal knows the project."""
    name = sources.name_of(made.source)
    history = history_of(journal_of(name, facts.host, deaf)) if name else []
    return expected_plan(made, history, config, facts, engines) if name else made


def _completed(jobs: Sequence[Job], config: Config, facts: Facts, engines: Mapping[str, Engine]) -> tuple[Job, ...]:
    """The same jobs, each with its image and why its wheel would stay untested."""
    return tuple(_complete(job, config, facts, engines) for job in jobs)


def _complete(job: Job, config: Config, facts: Facts, engines: Mapping[str, Engine]) -> Job:
    config = config.for_target(job.target)
    return replace(
        job,
        image=image_of(job.target, config, facts, engines[job.engine].family),
        untested=untested(job.target, config, facts),
        fallbacks=_completed(job.fallbacks, config, facts, engines),
    )
