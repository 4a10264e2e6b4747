"""The options of options.toml as command-line flags."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from typing import Any, NoReturn

from crosswheel.errors import UsageError
from crosswheel.model.options import Option, options, options_for
from crosswheel.model.targets import did_you_mean
from crosswheel.model.verbs import VERBS


def flag_options(verb: str) -> list[Option]:
    """The options that a verb accepts as flags."""
    return [option for option in options_for(verb) if option.where != "file"]


def takes_many(verb: str) -> bool:
    """Whether the verb accepts several words without a flag."""
    positional = VERBS[verb].positional
    return bool(positional) and options()[positional].type == "texts"


def split_command(words: Sequence[str], verb: str) -> tuple[list[str], list[str]]:
    """Our own flags, and the words of the command that follows, for a verb that runs one; ``--`` may separate them.

    ``["--dry-run", "cibuildwheel", "--archs", "aarch64"]`` -> ``["--dry-run"]`` and the rest.
    """
    if not VERBS[verb].is_command:
        return list(words), []
    with_value = {f"--{option.name}" for option in flag_options(verb) if option.type != "flag"}
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        at += 2 if words[at] in with_value else 1
    return list(words[:at]), list(words[at + 1 if words[at : at + 1] == ["--"] else at :])


def join_repeats(words: Sequence[str], verb: str) -> list[str]:
    """Join the values of a flag that takes several: ``--python cp312 --python=cp313`` -> ``--python cp312,cp313``."""
    several = {f"--{option.name}" for option in flag_options(verb) if option.type == "texts"}
    joined: list[str] = []
    place: dict[str, int] = {}
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        text = value if equals or flag not in several else next(rest, None)
        if flag not in several or text is None:
            joined.append(word)
        elif flag in place:
            joined[place[flag]] += f",{text}"
        else:
            joined += [flag, text]
            place[flag] = len(joined) - 1
    return joined


def parse_value(option: Option, text: Any) -> Any:
    """Parse the text of a flag to the option's type; other values pass unchanged. Raises UsageError."""
    if option.type == "texts":
        return [item.strip() for item in text.split(",") if item.strip()]
    if option.type == "number":
        try:
            return int(text)
        except ValueError:
            raise UsageError(f"--{option.name}: must be a number, not {text!r}") from None
    return text


def parse_flags(arguments: Sequence[str], verb: str, session: str = "") -> dict[str, Any]:
    """Parse ``["kiwisolver", "--python", "cp313"]`` to ``{"source": "kiwisolver", "python": ["cp313"]}``.

    `session` is the caller's name of the verb, for messages. Raises UsageError.
    """
    arguments, command = split_command(arguments, verb)
    known = flag_options(verb)
    parser = _Parser(prog=f"nox -s {session or verb} --", allow_abbrev=False, argument_default=argparse.SUPPRESS)
    positional = VERBS[verb].positional
    if positional:
        count = "*" if takes_many(verb) else "?"
        parser.add_argument("positional", nargs=count, help=options()[positional].help, metavar=positional.upper())
    for option in known:
        action: Any = "store_true" if option.type == "flag" else _Once
        parser.add_argument(f"--{option.name}", action=action, dest=option.name, help=option.help.replace("%", "%%"))
    parsed, unknown = parser.parse_known_intermixed_args(join_repeats(arguments, verb))
    if unknown:
        names = [f"--{option.name}" for option in known]
        words = [_unrecognized(word, names) for word in unknown]
        parser.error(f"unrecognized arguments: {' '.join(words)}")
    given = vars(parsed)
    words = given.pop("positional", None)
    if words and positional in given:
        parser.error(f"give the {positional} once: as --{positional} or as a word")
    values = {name: parse_value(options()[name], value) for name, value in given.items()}
    if command:
        return {**values, positional: shlex.join(command)}
    return {**values, positional: words} if words else values


def _unrecognized(word: str, flags: list[str]) -> str:
    """The word and, if it is an option of pyproject.toml or a misspelled flag, the correction."""
    flag = word.partition("=")[0]
    option = options().get(flag.removeprefix("--"))
    in_file = flag.startswith("--") and option and option.where == "file"
    return f"{word} (can only be set in pyproject.toml)" if in_file else f"{word}{did_you_mean(flag, flags)}"


class _Once(argparse.Action):
    """Refuses a repeated flag, where argparse would silently drop the first one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if hasattr(namespace, self.dest):
            parser.error(f"{option_string} was given twice")
        setattr(namespace, self.dest, values)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help")
