"""`wheels`: build wheels, logs and a report from a source."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.auditing.rules.rule import Rule
from crosswheel.commands import plan as planning
from crosswheel.commands.cache import keep_within_limit
from crosswheel.commands.call import (
    Call,
    Own,
    from_code,
    public,
    quiet_libraries,
    refuse_decided,
    write_files,
)
from crosswheel.commands.plan import Plan, expected, plan_for, planned
from crosswheel.commands.result import Result
from crosswheel.commands.scheduler import pool_of
from crosswheel.engines import Engine
from crosswheel.engines.backend import quieten_backends
from crosswheel.engines.facts import Facts, look_around, reference_of
from crosswheel.engines.image_pythons import fetch_python, with_image_pythons
from crosswheel.engines.services import Services
from crosswheel.errors import (
    INTERRUPTED,
    CrosswheelError,
    MissingTool,
    NothingToDo,
    NotReproducible,
    UsageError,
    explaining,
)
from crosswheel.images.pins import image_arch
from crosswheel.model import job as model
from crosswheel.model.config import Config
from crosswheel.model.config_reader import changed
from crosswheel.model.job import Interpreter, Job, Listener, Note, Outcome, Planned, Sdist, chore, deaf
from crosswheel.model.keywords import parse_keywords
from crosswheel.model.targets import PythonTag
from crosswheel.pipeline import source as sources
from crosswheel.pipeline.adoption import adopted, pack_whole_project, with_project
from crosswheel.pipeline.multibuild import fetch_folder
from crosswheel.pipeline.plan import promised_targets
from crosswheel.pipeline.run import Run
from crosswheel.reporting.document import Document, plan_document, report_document, write_json
from crosswheel.reporting.earlier import earlier_runs
from crosswheel.reporting.markdown import report_markdown
from crosswheel.reporting.page.beside import write_page
from crosswheel.reporting.run import plan_text, summary_text
from crosswheel.reporting.wording import count_text
from crosswheel.steps import MAKE, Composition, Steps, Work
from crosswheel.steps.journal import journal_of
from crosswheel.steps.multibuild import with_multibuild
from crosswheel.steps.wheelhouse import keep
from crosswheel.system.locks import at_work
from crosswheel.system.rust_toolchain import add_target
from crosswheel.system.scratch import check_temporary_folder, clear_abandoned, temporary_folder
from crosswheel.system.secrecy import conceal
from crosswheel.toolchains.rust import rust_target

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.fleet.pool import Pool
    from crosswheel.fleet.run import FleetRun
    from crosswheel.model.keyword_types import PathText, WheelsOptions


@dataclass(frozen=True)
class Report(Result, model.Report):
    """The outcome of each job in `.outcomes`; `.wheels` are the files that passed the audit."""

    interrupted: bool = False
    dry_run: bool = False
    """True for `--dry-run`: nothing is built, the plan is shown."""

    @property
    def exit_code(self) -> int:
        """The code of the first failed job; then that of --fail-fast, of --twice, and of targets without a job."""
        if self.interrupted:
            return INTERRUPTED
        for outcome in self.outcomes:
            if outcome.failure:
                return outcome.failure.exit_code
        if any(not outcome.ok for outcome in self.outcomes):
            return CrosswheelError.exit_code
        if any(outcome.differences for outcome in self.outcomes):
            return NotReproducible.exit_code
        missing = any(entry.asked_for for entry in self.plan.left_out) or not self.plan.jobs
        return NothingToDo.exit_code if missing else 0

    def document(self) -> Document:
        return plan_document(self.plan) if self.dry_run else report_document(self)

    def summary(self) -> str:
        return "" if self.dry_run else report_markdown(self)

    def text(self, console: Console | None = None) -> str:
        return plan_text(self.plan, console) if self.dry_run else summary_text(self, console)


@public
def wheels(
    source: PathText | Plan | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    steps: Steps[Work] | None = None,
    rules: Iterable[Rule] = (),
    own_engines: Mapping[str, Engine] | None = None,
    **options: Unpack[WheelsOptions],
) -> Report:
    """Build, repair, audit and test a wheel for every target; wheels, logs and report.json go to the output folder.

    `source` is a Plan, a folder, an sdist file, or NAME or NAME==VERSION from the index; default: the project. With a
    Plan, its jobs are done with its configuration, and further options may change what it has not decided. `project`
    is the folder whose pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`), in threads.
    `steps` are those of each job, such as steps.MAKE.after("repair", sign); `rules` are checked beside the audit's own.
    `own_engines` are engines by name (`crosswheel.engines.Engine`), for the options `engine` and `engines`.

    Returns a Report: `.wheels` (files that passed, each usable as a path), `.outcomes` (one for each job), `.ok`,
    `.exit_code`, `.document()` (report.json); str() is the summary. A job that fails is an outcome with a failure.
    Raises UsageError for wrong options, NothingToDo for a plan without jobs, SourceError, IndexUnreachable, DiskFull.
    """
    own = Own(steps, tuple(rules), own_engines or {})
    if isinstance(source, Plan):
        report = from_plan(source, listener or deaf, options, own)
    else:
        report = from_code(run, "wheels", project, listener, {"source": source, **options}, own)
    if report.interrupted:
        raise KeyboardInterrupt
    return report


def from_plan(plan: Plan, listener: Listener, options: WheelsOptions, own: Own) -> Report:
    """Build the jobs of a plan."""
    if plan.config is None:
        raise UsageError("this plan has no configuration", hint="use a plan from crosswheel.plan()")
    refuse_decided(options, _DECIDED)
    with explaining(), quiet_libraries():
        given = parse_keywords(options, "wheels", plan.project)
        own = replace(own, engines={**plan.own_engines, **own.engines})
        config = changed(plan.config, plan.project, given, own.rule_codes, own.engines)
        report = run(Call(plan.project, config, listener, own=own), plan)
        write_files(report, config)
    return report


# Options that decide the jobs of a plan.
_DECIDED = (
    "source",
    "arch",
    "python",
    "policy",
    "engine",
    "engines",
    "image",
    "images",
    "docker_host",
    "container_host",
)


def run(call: Call, plan: Plan | None = None) -> Report:
    """Build all jobs. After Ctrl-C, the report has `interrupted` set."""
    config, listener = call.config, call.listener
    if config.output.dry_run:
        return Report(plan or planning.run(call), (), None, time.time(), 0.0, dry_run=True)
    _check_output(config.output.folder)
    check_temporary_folder()
    conceal()
    quieten_backends()
    with temporary_folder() as folder, ExitStack() as stack:
        started, clock = time.time(), time.monotonic()
        facts = stack.enter_context(look_around(config, listener, call.wheels, call.room))
        config = adopted(config, call.project, facts.host, listener)
        call = replace(call, config=config)
        stack.enter_context(at_work(facts.host.cache))
        clear_abandoned()
        pool = stack.enter_context(pool_of(call))
        whole = pack_whole_project(config, Path(folder))
        sdist = with_project(_fetch(config, facts, Path(folder), listener), config, whole)
        plan, call, services = _planned(plan, sdist, call, facts.dated(sdist.epoch), pool)
        config.output.folder.mkdir(parents=True, exist_ok=True)
        if sdist.path.resolve().is_relative_to(Path(folder).resolve()) and not config.multibuild:
            keep(sdist.path, config.output.folder)  # made here and now: a release is to have the one wheels came from
        outcomes, interrupted = _carry_out(plan, sdist, services, call, pool)
        earlier = earlier_runs(config.output.folder / "report.json", sdist.name)
        report = Report(plan, outcomes, sdist, started, time.monotonic() - clock, earlier, interrupted)
        if not interrupted:
            keep_within_limit(config, services.facts, listener)
    _write(report, config.output.folder, listener)
    return report


def _planned(
    given: Plan | None, sdist: Sdist, call: Call, facts: Facts, pool: Pool | None
) -> tuple[Plan, Call, Services]:
    """The plan, and what it was made with. Raises NothingToDo."""
    if pool:
        from crosswheel.fleet.plan import plan_on

        made = given or plan_on(pool.workers(), call.config, sdist.requires_python, call.config.build.source)
        services = Services(facts, call.listener)
    else:
        if given is None:
            facts = with_image_pythons(call.config, facts)
            facts = facts.with_interpreters(_interpreters(call.config, facts, call.listener))
            call = _with_rust(call, sdist, facts)
        services = Services(facts, call.listener)
        made = _with_images(given, sdist, call, services)
    plan = planned(made, call)
    if not plan.jobs:
        named = any(left_out.hint for left_out in plan.left_out if left_out.asked_for)
        hint = "" if named else "crosswheel plan, with other --python, --arch or --policy"
        raise NothingToDo(str(plan).strip(), hint=hint)
    return plan, call, services


def _write(report: Report, folder: Path, listener: Listener) -> None:
    """Write report.json and the page. Both come before any output: a terminal that sent SIGHUP is no more."""
    document = report.document()
    write_json(folder / "report.json", document)
    try:
        write_page(folder, document)
    except CrosswheelError as error:  # the wheels are there all the same
        listener(Note(f"report.html was not written: {error.message}"))


def _carry_out(
    plan: Plan, sdist: Sdist, services: Services, call: Call, pool: Pool | None
) -> tuple[tuple[Outcome, ...], bool]:
    """The outcomes of all jobs, and whether Ctrl-C ended the run."""
    call.listener(Planned(plan))
    journal = journal_of(sdist.name, services.facts.host, call.listener)
    jobs: Run | FleetRun
    if pool:
        from crosswheel.fleet.run import FleetRun

        jobs = FleetRun(plan, sdist, call.config, services, journal, pool, call.own.rules)
    else:
        steps, multibuild = call.own.steps or MAKE, call.config.multibuild
        steps = with_multibuild(steps, multibuild) if multibuild else steps
        composition = Composition(steps, call.own.rules, call.own.all_engines())
        jobs = Run(plan, sdist, call.config, services, journal, composition, call.room)
    try:
        jobs.execute()
    except KeyboardInterrupt:
        return jobs.results, True
    return jobs.results, False


def _fetch(config: Config, facts: Facts, folder: Path, listener: Listener) -> Sdist:
    """The sdist, or the whole folder where multibuild builds."""
    build, output = config.build, config.output.folder
    if multibuild := config.multibuild:
        return fetch_folder(multibuild, facts.host, folder, output, listener)
    return sources.fetch(
        build.source,
        facts.host,
        folder,
        listener,
        timeout=build.timeout,
        output=output,
        constraints=config.sdist_constraint,
    )


def _check_output(folder: Path) -> None:
    """Raise UsageError early if wheels cannot be written there."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"--output: {there} is not a folder", hint="--output FOLDER")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"--output: no permission to write to {there}", hint="--output FOLDER")


def _with_images(given: Plan | None, sdist: Sdist, call: Call, services: Services) -> model.Plan:
    """The plan, with images pulled: what those have that were not here, only a second plan can know."""
    config, engines, facts = call.config, call.own.all_engines(), services.facts
    if count := facts.remove_stale():
        services.listener(Note(f"removed {count_text(count, 'container')} of an earlier run"))
    made: model.Plan = given or plan_for(config, facts, sdist.requires_python, engines, sdist.needs)
    if not _pull(made.jobs, config, services, engines):
        return given or expected(made, config, facts, engines)
    anew = expected(plan_for(config, facts, sdist.requires_python, engines, sdist.needs), config, facts, engines)
    if given is None:
        return anew
    targets = {job.target for job in given.jobs}
    return replace(anew, jobs=tuple(job for job in anew.jobs if job.target in targets), left_out=given.left_out)


def _pull(jobs: Sequence[Job], config: Config, services: Services, engines: Mapping[str, Engine]) -> bool:
    """Fetch what containers will be made of; whether anything was not there."""
    fetched = False
    for job in jobs:
        if family := engines[job.engine].family:
            own = config.for_target(job.target)
            # If a pull fails, the plan gives the reason.
            with suppress(CrosswheelError):
                if services.facts.image_for(job.target, own, family) is None:
                    fetched = True
                    services.pull(reference_of(job.target, own, family), image_arch(job.target, family))
    return fetched


def _with_rust(call: Call, sdist: Sdist, facts: Facts) -> Call:
    """Download missing standard libraries of Rust with rustup; whatever is missing then is missing for this plan.

    Failed downloads are reported and left out of the plan.
    """
    config, rust = call.config, facts.rust() if sdist.needs_of("rust") else ""
    if not isinstance(rust, str) and rust.rustup and config.build.download_rust == "auto" and not config.build.offline:
        targets = promised_targets(config, sdist.requires_python, list(facts.host.interpreters))
        wanted = [target for target in targets if config.build.engine_for(target) in {"auto", "cross"}]
        for triple in sorted({rust_target(target) for target in wanted}):
            if not rust.compiles_for(triple) and not rust.lacks_for_good(triple):
                try:
                    with chore(f"downloading Rust's standard library for {triple} with rustup", call.listener):
                        add_target(rust, triple, facts.host.processes, facts.host.rustup_environ)
                except MissingTool as error:
                    call.listener(Note(error.message))  # the plan has the remedy
    return replace(call, config=replace(config, build=replace(config.build, download_rust="never")))


def _interpreters(config: Config, facts: Facts, listener: Listener) -> dict[PythonTag, Interpreter]:
    """Download requested CPythons that are missing here and in images, like nox's --download-python.

    Failed downloads are reported and left out of the plan.
    """
    if config.build.download_python == "never" or config.build.offline:
        return {}
    fetched: dict[PythonTag, Interpreter] = {}
    for tag in config.build.python:
        if tag not in facts.host.interpreters and tag not in facts.pythons_elsewhere(config):
            try:
                fetched[tag] = fetch_python(tag, config, facts, listener)
            except MissingTool as error:
                listener(Note(str(error)))
    return fetched
