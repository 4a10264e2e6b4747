"""`plan`: what would be done, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from crosswheel import source
from crosswheel.config import Config, load_config
from crosswheel.engines import ENGINES, LADDER
from crosswheel.errors import NothingToDo, explaining
from crosswheel.hosts import LocalHost, local_host
from crosswheel.model import Interpreter, Plan, deaf
from crosswheel.plan import make_plan
from crosswheel.report.console import console_for
from crosswheel.report.document import plan_document, write_json
from crosswheel.report.terminal import plan_text
from crosswheel.targets import Target


@explaining()
def plan(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show what `wheels` would do, and why; builds nothing and downloads no file."""
    config = load_config(project, options)
    host = local_host(offline=config.offline, listener=deaf)
    made = plan_for(config, host, source.requires_python_of(config.source, host))
    stream.write(plan_text(made, console_for(stream, os.environ)))
    if config.json:
        write_json(config.json, plan_document(made))
    return exit_code_of(made)


def plan_for(config: Config, host: LocalHost, requires_python: str) -> Plan:
    def refuses(engine: str, target: Target, interpreter: Interpreter | None) -> str:
        return ENGINES[engine].refusal(target, interpreter, config)

    return make_plan(config, requires_python, host.interpreters, LADDER, refuses)


def exit_code_of(made: Plan) -> int:
    """Nothing that was asked for may be missing."""
    complete = made.jobs and not any(entry.asked_for for entry in made.left_out)
    return 0 if complete else NothingToDo.exit_code
