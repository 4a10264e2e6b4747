"""The invoke adapter and the console command: `from crosswheel.tasks import namespace` in a tasks file.

The verbs and options are those of the nox sessions: `invoke wheels --arch aarch64 --source kiwisolver`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit, ParseError
from invoke.program import Program
from invoke.tasks import Task

from crosswheel import __version__
from crosswheel.errors import INTERRUPTED, CrosswheelError, UsageError, explaining
from crosswheel.model.flags import flag_options, parse_value, takes_many
from crosswheel.model.options import Option
from crosswheel.model.targets import did_you_mean
from crosswheel.model.verbs import VERBS
from crosswheel.report.streams import guarded_streams, standard_output
from crosswheel.report.untrusted import error_text
from crosswheel.system.endings import ending_in_order


def _task(verb: str, text: str) -> Task[Any]:
    """A task whose flags are the options of options.toml."""
    options = {option.name.replace("-", "_"): option for option in flag_options(verb)}

    def body(_context: Context, **given: Any) -> None:
        from crosswheel.commands import run_verb

        try:
            # An empty text is an answer, too: it takes back what pyproject.toml says.
            said = {name: value for name, value in given.items() if value not in {None, False}}
            values = {options[name].name: parse_value(options[name], value) for name, value in said.items()}
            with explaining(), standard_output() as stream:
                code = run_verb(verb, Path(), values, stream)
        except KeyboardInterrupt:
            raise Exit("crosswheel: interrupted", INTERRUPTED) from None
        except Exception as error:
            exit_code = error.exit_code if isinstance(error, CrosswheelError) else CrosswheelError.exit_code
            raise Exit(f"crosswheel: {error_text(error)}", exit_code) from error
        if code:
            raise Exit(code=code)

    body.__doc__ = text
    # invoke reads a task's flags from its function's parameters.
    context = inspect.Parameter("c", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [_parameter(name, option) for name, option in options.items()]
    body.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    texts = {name: option.help for name, option in options.items()}
    return Task(body, name=verb, positional=(), help=texts, auto_shortflags=False)


def _parameter(name: str, option: Option) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False if option.type == "flag" else None)


namespace = Collection(*(_task(verb, text) for verb, (text, _) in VERBS.items()))
ns = namespace  # invoke's own short name for it


class _Console(Program):
    """`crosswheel wheels kiwisolver`: as invoke's, and what a verb is about may stand right after it."""

    def normalize_argv(self, argv: list[str] | None) -> None:
        super().normalize_argv(argv)
        self.argv = with_positional_flag(self.argv)

    def parse_core(self, argv: list[str] | None) -> None:
        with _usage_errors():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        with _usage_errors():
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        with _usage_errors():
            super().parse_cleanup()


@contextmanager
def _usage_errors() -> Iterator[None]:
    """A word that invoke cannot place ends with the exit code of every other mistake on the command line."""
    try:
        yield
    except ParseError as error:
        text = re.sub(r"<Argument: ([\w-]+).*?>", r"'--\1'", str(error))
        word = re.search(r"No idea what '(.*?)'", text)
        known = [*VERBS, *(f"--{option.name}" for verb in VERBS for option in flag_options(verb))]
        near = did_you_mean(word[1], known) if word else ""
        verb = error.context.name if error.context else None
        hint = f"crosswheel --help {verb}" if verb in VERBS else "crosswheel --list"
        usage = UsageError(f"{text}{near}", hint=hint)
        raise Exit(f"crosswheel: {error_text(usage)}", usage.exit_code) from error


def with_positional_flag(argv: Sequence[str]) -> list[str]:
    """Name the word after the verb: ``wheels kiwisolver`` -> ``wheels --source kiwisolver``.

    Of a verb that takes many, every word that belongs to no flag: ``audit a b`` -> ``audit --wheels a,b``.
    """
    words = list(argv)
    at = next((at for at, word in enumerate(words[1:], start=1) if word in VERBS), len(words))
    verb, rest = words[at : at + 1], words[at + 1 :]
    positional = VERBS[verb[0]].positional if verb else ""
    if positional and takes_many(verb[0]):
        flags, others = _told_apart(rest, verb[0])
        return [*words[: at + 1], *([f"--{positional}", ",".join(others)] if others else []), *flags]
    if positional and rest and not rest[0].startswith("-"):
        return [*words[: at + 1], f"--{positional}", *rest]
    return words


def _told_apart(words: Sequence[str], verb: str) -> tuple[list[str], list[str]]:
    """Flags with their values, and all the rest."""
    with_value = {f"--{option.name}" for option in flag_options(verb) if option.type != "flag"}
    flags: list[str] = []
    others: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        (flags if word.startswith("-") or before in with_value else others).append(word)
    return flags, others


def main(argv: list[str] | None = None) -> None:
    """The console command `crosswheel`."""
    # From the first moment on: what verbs import takes a while.
    with ending_in_order(), guarded_streams():
        _Console(name="crosswheel", binary="crosswheel", version=__version__, namespace=namespace).run(argv)
