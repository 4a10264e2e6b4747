"""The options of options.toml as command-line flags."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from crosswheel.config import Option, options
from crosswheel.errors import UsageError
from crosswheel.targets import did_you_mean


def flag_options() -> list[Option]:
    """What may stand on a command line."""
    return [option for option in options().values() if option.where != "file"]


def parse_value(option: Option, text: Any) -> Any:
    """The value that a flag's text stands for; a flag without a text passes as it is. Raises UsageError."""
    if option.type == "texts":
        return [item.strip() for item in text.split(",") if item.strip()]
    if option.type == "number":
        try:
            return int(text)
        except ValueError:
            raise UsageError(f"--{option.name}: must be a number, and is {text!r}") from None
    return text


def parse_flags(arguments: Sequence[str], verb: str) -> dict[str, Any]:
    """``["kiwisolver", "--python", "cp313"]`` -> ``{"source": "kiwisolver", "python": ["cp313"]}``: what was given.

    Raises UsageError.
    """
    parser = _Parser(prog=f"nox -s {verb} --", allow_abbrev=False, argument_default=argparse.SUPPRESS)
    parser.add_argument("positional", nargs="?", help=options()["source"].help, metavar="SOURCE")
    for option in flag_options():
        action = "store_true" if option.type == "flag" else "store"
        parser.add_argument(f"--{option.name}", action=action, dest=option.name, help=option.help.replace("%", "%%"))
    parsed, unknown = parser.parse_known_args(list(arguments))
    if unknown:
        names = [f"--{option.name}" for option in flag_options()]
        words = [f"{word}{did_you_mean(word.partition('=')[0], names)}" for word in unknown]
        parser.error(f"unrecognized arguments: {' '.join(words)}")
    given = vars(parsed)
    if "positional" in given:
        given["source"] = given.pop("positional")
    return {name: parse_value(options()[name], value) for name, value in given.items()}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"{self.prog} --help")
