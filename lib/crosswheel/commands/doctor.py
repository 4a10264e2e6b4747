"""`doctor`: what this machine and its Docker hosts can do, and what mends what they cannot."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from crosswheel.commands.register import register
from crosswheel.commands.settings import settings
from crosswheel.containers.emulation import probe
from crosswheel.errors import CrosswheelError, explaining
from crosswheel.model.job import Note, deaf
from crosswheel.report.console import console_for
from crosswheel.report.doctor import diagnosis_document, diagnosis_text
from crosswheel.report.document import write_json
from crosswheel.report.run import display
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.locks import at_work
from crosswheel.toolchains.zig import ensure_zig
from crosswheel.upkeep.doctor import Problem, diagnose


@explaining()
def doctor(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show what was found; with --fix, mend what is ours to mend first. The code is that of what is still wrong."""
    config = settings(project, options)
    host = local_host(offline=config.build.offline, listener=deaf)
    found = diagnose(config, host)
    if config.upkeep.fix:
        _mend(found.problems, project, options, host, stream)
        probe.cache_clear()
        found = diagnose(config, host)
    stream.write(diagnosis_text(found, console_for(stream, os.environ)))
    if config.output.json:
        write_json(config.output.json, diagnosis_document(found))
    return found.exit_code


def _mend(
    problems: Iterable[Problem], project: Path, options: Mapping[str, Any], host: LocalHost, stream: TextIO
) -> None:
    """Each remedy once; what does not help is told, and seen again afterwards."""

    def fetch_zig() -> None:
        with display(stream, os.environ) as listener, at_work(host.cache):
            ensure_zig(host.index, host.cache, host.processes, listener)

    def register_emulators() -> None:
        register(project, {name: options[name] for name in ("arch", "docker-host") if name in options}, stream)

    remedies = {"zig": fetch_zig, "register": register_emulators}
    for mending in dict.fromkeys(problem.mending for problem in problems if problem.mending):
        _try(remedies[mending], stream)


def _try(remedy: Callable[[], None], stream: TextIO) -> None:
    try:
        remedy()
    except CrosswheelError as error:
        with display(stream, os.environ) as listener:
            listener(Note(str(error)))
