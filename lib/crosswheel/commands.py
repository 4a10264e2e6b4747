"""The verbs, as nox sessions, invoke tasks and the console command all call them.

Each takes the project's folder and the options that were given by name (`--policy X` is ``{"policy": "X"}``), prints
to `stream`, and returns the exit code (see errors.py). What goes wrong before there is a report is raised.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from crosswheel import source
from crosswheel.backend import quieten_backends
from crosswheel.config import Config, load_config
from crosswheel.engines import ENGINES, LADDER
from crosswheel.errors import INTERRUPTED, CrosswheelError, MissingTool, NothingToDo, UsageError, explained
from crosswheel.hosts import LocalHost, local_host
from crosswheel.interpreters import fetch_interpreter
from crosswheel.model import Interpreter, Listener, Note, Plan, Planned, Report, chore, deaf
from crosswheel.pipeline import Run
from crosswheel.plan import make_plan
from crosswheel.report.console import console_for
from crosswheel.report.document import plan_document, report_document, write_json
from crosswheel.report.markdown import report_markdown
from crosswheel.report.terminal import display, plan_text, summary_text
from crosswheel.targets import Target


@contextmanager
def _explaining() -> Iterator[None]:
    """A full disk, a folder that nobody may write to: wherever it happens, one clear error and no traceback."""
    try:
        yield
    except OSError as error:
        raise explained(error) from error


@_explaining()
def plan(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show what `wheels` would do, and why; builds nothing and downloads no file."""
    config = load_config(project, options)
    host = local_host(offline=config.offline, listener=deaf)
    made = _plan(config, host, source.requires_python_of(config.source, host))
    stream.write(plan_text(made, console_for(stream, os.environ)))
    if config.json:
        write_json(config.json, plan_document(made))
    return _exit_code_of_plan(made)


@_explaining()
def wheels(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Build, repair and audit a wheel for every target; wheels, logs and report.json go to the output folder."""
    config = load_config(project, options)
    if config.dry_run:
        return plan(project, options, stream)
    _check_output(config.output)
    quieten_backends()
    with display(stream, os.environ) as listener, tempfile.TemporaryDirectory(prefix="crosswheel-") as folder:
        started, clock = time.time(), time.monotonic()
        host = local_host(offline=config.offline, listener=listener)
        sdist = source.fetch(config.source, host, Path(folder), listener, timeout=config.timeout)
        host = _with_interpreters(config, host, listener)
        made = _plan(config, host, sdist.requires_python)
        if not made.jobs:
            raise NothingToDo(plan_text(made).strip(), hint="crosswheel plan, with other --python, --arch or --policy")
        config.output.mkdir(parents=True, exist_ok=True)
        listener(Planned(made))
        run = Run(made, sdist, config, host, listener)
        interrupted = False
        try:
            run.execute()
        except KeyboardInterrupt:
            interrupted = True
        done = Report(made, run.results, sdist, started, time.monotonic() - clock)
    _publish(done, config, stream)
    return INTERRUPTED if interrupted else _exit_code(done)


def _check_output(folder: Path) -> None:
    """Whether wheels can be put there: minutes of building are no way to find out."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"--output: {there} is no folder", hint="--output FOLDER")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"--output: this user may not write into {there}", hint="--output FOLDER")


def _plan(config: Config, host: LocalHost, requires_python: str) -> Plan:
    def refuses(engine: str, target: Target, interpreter: Interpreter | None) -> str:
        return ENGINES[engine].refusal(target, interpreter, config)

    return make_plan(config, requires_python, host.interpreters, LADDER, refuses)


def _with_interpreters(config: Config, host: LocalHost, listener: Listener) -> LocalHost:
    """The host with what was asked for by name and is missing, downloaded as nox would (--download-python).

    What cannot be had is said, and left out of the plan.
    """
    if config.download_python == "never" or config.offline:
        return host
    fetched = {}
    for tag in config.python:
        if tag not in host.interpreters:
            try:
                with chore(f"downloading CPython for {tag} with uv", listener):
                    fetched[tag] = fetch_interpreter(tag, host.processes, host.installer_environ)
            except MissingTool as error:
                listener(Note(str(error)))
    return host.with_interpreters(fetched)


def _publish(done: Report, config: Config, stream: TextIO) -> None:
    stream.write(summary_text(done, console_for(stream, os.environ)))
    stream.flush()  # before whoever called us logs its own last words
    document = report_document(done)
    for path in filter(None, (config.output / "report.json", config.json)):
        write_json(path, document)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(report_markdown(done))


def _exit_code(done: Report) -> int:
    """That of the first job that failed; a run cut short by --fail-fast failed too."""
    for outcome in done.outcomes:
        if outcome.failure:
            return outcome.failure.exit_code
    if any(not outcome.ok for outcome in done.outcomes):
        return CrosswheelError.exit_code
    return _exit_code_of_plan(done.plan)


def _exit_code_of_plan(made: Plan) -> int:
    """Nothing that was asked for may be missing."""
    complete = made.jobs and not any(entry.asked_for for entry in made.left_out)
    return 0 if complete else NothingToDo.exit_code
