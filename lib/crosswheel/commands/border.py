"""Between verbs and command lines: flags in; a display during the work; text, files and an exit code out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from crosswheel.commands.call import NOTHING, Call, Own, config_for, quiet_libraries, write_files
from crosswheel.commands.result import Result
from crosswheel.errors import explaining
from crosswheel.model.config import STANDARD_OUTPUT, Config
from crosswheel.reporting.console import console_for
from crosswheel.reporting.narrator import Narrator
from crosswheel.system.endings import ending_in_order
from crosswheel.system.terminal import is_interactive


def run_verb(verb: str, project: Path, options: Mapping[str, Any], stream: TextIO, **values: Any) -> int:
    """Call `perform` and return the exit code."""
    return perform(verb, project, options, stream, **values).exit_code


def perform(
    verb: str,
    project: Path,
    options: Mapping[str, Any],
    stream: TextIO,
    *,
    code: Mapping[str, Any] | None = None,
    own: Own = NOTHING,
) -> Result:
    """Run a verb, show its result on `stream`, write the files that were asked for, and return the result.

    `options` are flags by name; under them, and over pyproject.toml, are keyword arguments from `code`. Raises
    CrosswheelError if there is no result, and `Result.failure` after showing one.
    """
    with ending_in_order(), explaining(), quiet_libraries():
        # Only this verb's file is imported.
        run: Callable[[Call], Result] = import_module(f"crosswheel.commands.{verb}").run
        config = config_for(verb, project, options, code or {}, own)
        # Output of piped commands, and JSON for a pipe, must not be mixed with our own words.
        piped = verb == "accelerate" or (verb == "shell" and not is_interactive())
        words = sys.stderr if piped or config.output.json == STANDARD_OUTPUT else stream
        with Narrator(words, os.environ, plain=verb == "accelerate") as narrator:
            ask = narrator.ask if is_interactive() else None
            result = run(Call(project, config, narrator, ask, own))
        _show(result, config, words, stream)
    return result


def _show(result: Result, config: Config, words: TextIO, stream: TextIO) -> None:
    try:
        words.write(result.text(console_for(words, os.environ)))
        words.flush()  # before whoever called us logs its own last words
    finally:
        # After SIGHUP the terminal is gone; the files are written all the same.
        _write(result, config, stream)
    if result.failure:
        raise result.failure


def _write(result: Result, config: Config, stream: TextIO) -> None:
    write_files(result, config, stream)
    if (page := os.environ.get("GITHUB_STEP_SUMMARY")) and (summary := result.summary()):
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(summary)
