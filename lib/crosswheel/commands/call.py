"""A call of a verb, from code or from a command line."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from crosswheel.commands.result import Result
from crosswheel.errors import UsageError, explaining
from crosswheel.model.config import STANDARD_OUTPUT, Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Listener, deaf
from crosswheel.model.keywords import keyword_of, parse_keywords
from crosswheel.model.options import Option, options_for
from crosswheel.model.verbs import INSTEAD, VERBS
from crosswheel.reporting.document import json_text, write_json

if TYPE_CHECKING:
    from crosswheel.auditing.rules.rule import Rule
    from crosswheel.engines import Engine
    from crosswheel.steps import Steps, Work
    from crosswheel.system.room import Room

_Result = TypeVar("_Result", bound=Result)
_Function = TypeVar("_Function", bound=Callable[..., Any])

# Takes a question and returns whether the answer was yes.
Ask = Callable[[str], bool]


@dataclass(frozen=True)
class Own:
    """What a project adds to crosswheel: steps of each job (None: steps.MAKE), audit rules, and engines by name."""

    steps: Steps[Work] | None = None
    rules: tuple[Rule, ...] = ()
    engines: Mapping[str, Engine] = field(default_factory=dict)

    def rule_codes(self) -> tuple[str, ...]:
        """The codes that `ignore` may name."""
        from crosswheel.auditing.rules import ALL_RULES

        return tuple(rule.code for rule in (*ALL_RULES, *self.rules))

    def all_engines(self) -> Mapping[str, Engine]:
        """The engines by name; an own one with the name of ours replaces it."""
        from crosswheel.engines import ENGINES

        return {**ENGINES, **self.engines}


NOTHING = Own()


@dataclass(frozen=True)
class Call:
    """The input of a verb.

    `listener` is called with progress events. `ask` confirms what cannot be undone; None if there is nobody to ask.
    """

    project: Path
    config: Config
    listener: Listener = deaf
    ask: Ask | None = field(default=None, repr=False)
    own: Own = NOTHING
    wheels: tuple[Path, ...] = ()
    """Folders of wheels that installations of requirements search first."""
    room: Room | None = None
    """What this run shares with others of this process; None for a run that has the machine for itself."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    """The environment at the time of the call: the only place where verbs read os.environ."""


def config_for(
    verb: str, project: Path, flags: Mapping[str, Any], code: Mapping[str, Any], own: Own = NOTHING
) -> Config:
    """Flags override keyword arguments, which override pyproject.toml. Raises UsageError with every mistake in it."""
    given = {**INSTEAD.get(verb, {}), **parse_keywords(code, verb, project)}
    if project != Path() and any(option.name == "source" for option in options_for(verb)):
        given = {"source": str(project), **given}
    return load_config(project, flags, own.rule_codes, code=given, engines=own.engines)


def from_code(
    run: Callable[[Call], _Result],
    verb: str,
    project: str | os.PathLike[str],
    listener: Listener | None,
    options: Mapping[str, Any],
    own: Own = NOTHING,
) -> _Result:
    """Run a verb with keyword arguments, and write `json` and `sarif`. Raises CrosswheelError."""
    folder = Path(project)
    with explaining(), quiet_libraries():
        config = config_for(verb, folder, {}, options, own)
        result = run(Call(folder, config, listener or deaf, own=own))
        write_files(result, config)
    return result


def write_files(result: Result, config: Config, stream: TextIO | None = None) -> None:
    """Write the files of --json and --sarif; ``--json -`` writes into `stream`. Raises UsageError, DiskFull."""
    if stream and config.output.json == STANDARD_OUTPUT:
        stream.write(json_text(result.document()))
        stream.flush()
    elif config.output.json:
        write_json(config.output.json, result.document())
    if config.output.sarif and (sarif := result.sarif()):
        write_json(config.output.sarif, sarif)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Let the loggers of libraries report errors only, as long as the context is open."""
    import logging

    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)


_LIBRARIES = ("auditwheel", "build", "docker", "filelock", "keyring", "paramiko", "urllib3")


def public(function: _Function) -> _Function:
    """Decorate a verb's function: put its options into signature and docstring, for help() and editors."""
    verb = function.__name__
    shown = inspect.signature(function)
    own = [one for one in shown.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    taken = {VERBS[verb].positional, *(one.name for one in own)}
    rows = [option for option in options_for(verb) if option.name not in taken]
    keywords = [inspect.Parameter(keyword_of(option), inspect.Parameter.KEYWORD_ONLY, default=None) for option in rows]
    function.__signature__ = shown.replace(parameters=[*own, *keywords])  # type: ignore[attr-defined]
    lines = [f"    {keyword_of(option)}: {_help(option)}" for option in rows]
    heading = "Options; they win over pyproject.toml (None: not given):"
    function.__doc__ = "\n".join([inspect.getdoc(function) or "", "", heading, *lines, ""])
    return function


def _help(option: Option) -> str:
    return f"{option.help} [{option.default!r}]"


def refuse_decided(given: Mapping[str, Any], decided: Collection[str]) -> None:
    """Raise UsageError for options that the plan has already decided."""
    if wrong := sorted(set(given) & set(decided)):
        raise UsageError(
            [f"{name}: already fixed by the plan" for name in wrong], hint="crosswheel.plan() with it, and the new plan"
        )
