"""`plan`: what would be done, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from crosswheel.commands.settings import settings
from crosswheel.engines import ENGINES, LADDER, offers
from crosswheel.engines.site import Site, look_around
from crosswheel.errors import NothingToDo, explaining
from crosswheel.model.job import Job, Plan, deaf
from crosswheel.pipeline import source
from crosswheel.pipeline.plan import make_plan
from crosswheel.pipeline.schedule import expected_plan, history_of
from crosswheel.report.console import console_for
from crosswheel.report.document import plan_document, write_json
from crosswheel.report.run import plan_text
from crosswheel.steps.journal import journal_of
from crosswheel.steps.test import untested


@explaining()
def plan(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show what `wheels` would do, and why; builds nothing and downloads no file."""
    config = settings(project, options)
    site = look_around(config, deaf)
    made = expected(plan_for(site, source.requires_python_of(config.build.source, site.host)), site)
    stream.write(plan_text(made, console_for(stream, os.environ)))
    if config.output.json:
        write_json(config.output.json, plan_document(made))
    return exit_code_of(made)


def plan_for(site: Site, requires_python: str) -> Plan:
    """One job per target; engines are asked in the order of the ladder."""
    given = (site.config, requires_python, site.host.interpreters)
    made = make_plan(*given, LADDER, offers(site), site.pythons_elsewhere)
    return replace(made, jobs=tuple(_on_site(job, site) for job in made.jobs))


def expected(made: Plan, site: Site) -> Plan:
    """The plan with what it may take, where the journal knows the project."""
    name = source.name_of(made.source)
    return expected_plan(made, history_of(journal_of(name, site.host, deaf)), site) if name else made


def _on_site(job: Job, site: Site) -> Job:
    """The same job, with its image and why its wheel would stay untested."""
    family = ENGINES[job.engine].family
    return replace(
        job,
        image=site.reference(job.target, family) if family else "",
        untested=untested(job.target, site),
        fallbacks=tuple(_on_site(fallback, site) for fallback in job.fallbacks),
    )


def exit_code_of(made: Plan) -> int:
    """Nothing that was asked for may be missing."""
    complete = made.jobs and not any(entry.asked_for for entry in made.left_out)
    return 0 if complete else NothingToDo.exit_code
