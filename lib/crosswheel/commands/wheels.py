"""`wheels`: from a source to wheels, logs and a report."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TextIO

from crosswheel.commands.cache import keep_within_limit
from crosswheel.commands.plan import exit_code_of, expected, plan, plan_for
from crosswheel.commands.settings import settings
from crosswheel.containers.container import remove_stale
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.images import image_arch
from crosswheel.engines import ENGINES
from crosswheel.engines.backend import quieten_backends
from crosswheel.engines.site import Site, look_around
from crosswheel.errors import (
    INTERRUPTED,
    CrosswheelError,
    MissingTool,
    NothingToDo,
    NotReproducible,
    UsageError,
    explaining,
)
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Listener, Note, Planned, Report, chore
from crosswheel.model.targets import PythonTag
from crosswheel.pipeline import source
from crosswheel.pipeline.run import Run
from crosswheel.report.console import console_for
from crosswheel.report.document import report_document, write_json
from crosswheel.report.markdown import report_markdown
from crosswheel.report.run import display, plan_text, summary_text
from crosswheel.report.wording import count_text
from crosswheel.steps.journal import journal_of
from crosswheel.steps.wheelhouse import keep
from crosswheel.system.interpreters import fetch_interpreter
from crosswheel.system.locks import at_work
from crosswheel.system.scratch import check_temporary_folder, clear_abandoned, temporary_folder
from crosswheel.system.secrecy import conceal


@explaining()
def wheels(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Build, repair and audit a wheel for every target; wheels, logs and report.json go to the output folder.

    So does the sdist, where it was made from a folder.
    """
    config = settings(project, options)
    if config.output.dry_run:
        return plan(project, options, stream)
    _check_output(config.output.folder)
    check_temporary_folder()
    conceal()
    quieten_backends()
    with (
        display(stream, os.environ) as listener,
        temporary_folder() as folder,
        ExitStack() as stack,
    ):
        started, clock = time.time(), time.monotonic()
        site = look_around(config, listener)
        stack.enter_context(at_work(site.host.cache))
        clear_abandoned()
        sdist = source.fetch(
            config.build.source,
            site.host,
            Path(folder),
            listener,
            timeout=config.build.timeout,
            output=config.output.folder,
        )
        site = site.dated(sdist.epoch).with_interpreters(_interpreters(site, listener))
        _pull_images(site, sdist.requires_python, listener)
        made = expected(plan_for(site, sdist.requires_python), site)
        if not made.jobs:
            raise NothingToDo(plan_text(made).strip(), hint="crosswheel plan, with other --python, --arch or --policy")
        config.output.folder.mkdir(parents=True, exist_ok=True)
        if sdist.path.resolve().is_relative_to(Path(folder).resolve()):
            keep(
                sdist.path, config.output.folder
            )  # made here and now: a release is to have the one that wheels came from
        listener(Planned(made))
        run = Run(made, sdist, site, journal_of(sdist.name, site.host, listener))
        interrupted = False
        try:
            run.execute()
        except KeyboardInterrupt:
            interrupted = True
        done = Report(made, run.results, sdist, started, time.monotonic() - clock)
        if not interrupted:
            keep_within_limit(site, listener)
    _publish(done, config, stream)
    return INTERRUPTED if interrupted else _exit_code(done)


def _check_output(folder: Path) -> None:
    """Whether wheels can be put there: minutes of building are no way to find out."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"--output: {there} is no folder", hint="--output FOLDER")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"--output: this user may not write into {there}", hint="--output FOLDER")


def _pull_images(site: Site, requires_python: str, listener: Listener) -> None:
    """Fetch what containers would be made of, so that the plan knows which Pythons there are."""
    if isinstance(site.docker, DockerHost) and (count := remove_stale(site.docker)):
        listener(Note(f"removed {count_text(count, 'container')} that an earlier run had left"))
    for job in plan_for(site, requires_python).jobs:
        if family := ENGINES[job.engine].family:
            # What cannot be had, the plan says of the engine that needs it.
            with suppress(CrosswheelError):
                site.pull(site.reference(job.target, family), image_arch(job.target, family))


def _interpreters(site: Site, listener: Listener) -> dict[PythonTag, Interpreter]:
    """What was asked for by name and no image has either, downloaded as nox would (--download-python).

    What cannot be had is said, and left out of the plan.
    """
    config, host = site.config, site.host
    if config.build.download_python == "never" or config.build.offline:
        return {}
    fetched: dict[PythonTag, Interpreter] = {}
    for tag in config.build.python:
        if tag not in host.interpreters and tag not in site.pythons_elsewhere:
            try:
                with chore(f"downloading CPython for {tag} with uv", listener):
                    fetched[tag] = fetch_interpreter(tag, host.processes, host.installer_environ)
            except MissingTool as error:
                listener(Note(str(error)))
    return fetched


def _publish(done: Report, config: Config, stream: TextIO) -> None:
    document = report_document(done)
    # First: the terminal of a run that was ended by SIGHUP is no more.
    for path in filter(None, (config.output.folder / "report.json", config.output.json)):
        write_json(path, document)
    stream.write(summary_text(done, console_for(stream, os.environ)))
    stream.flush()  # before whoever called us logs its own last words
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(report_markdown(done))


def _exit_code(done: Report) -> int:
    """That of the first job that failed; a run cut short by --fail-fast failed too, and then what --twice found."""
    for outcome in done.outcomes:
        if outcome.failure:
            return outcome.failure.exit_code
    if any(not outcome.ok for outcome in done.outcomes):
        return CrosswheelError.exit_code
    if any(outcome.differences for outcome in done.outcomes):
        return NotReproducible.exit_code
    return exit_code_of(done.plan)
