"""The options of options.toml as keyword arguments: `before_build` for before-build."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crosswheel.errors import UsageError
from crosswheel.model.options import Option, options, options_for
from crosswheel.model.targets import did_you_mean


def keyword_of(option: Option) -> str:
    """``"before-build"`` -> ``"before_build"``."""
    return option.name.replace("-", "_")


def parse_keywords(given: Mapping[str, Any], verb: str, project: Path = Path()) -> dict[str, Any]:
    """Parse ``{"arch": "aarch64", "json": Path("x")}`` to ``{"arch": ["aarch64"], "json": "x"}``, by option name.

    A text stands for a list of one, a path for its text. Relative paths are relative to the current folder, not to
    `project`. Raises UsageError with every name that is no option of the verb.
    """
    known = {keyword_of(option): option for option in options_for(verb)}
    elsewhere = {keyword_of(option) for option in options().values()}
    mistakes = [
        f"{name}: no option of {verb}" if name in elsewhere else f"{name}: no such option{did_you_mean(name, known)}"
        for name in given
        if name not in known
    ]
    if mistakes:
        raise UsageError(mistakes, hint=f"help(crosswheel.{verb})")
    said = {name: value for name, value in given.items() if value is not None}
    return {known[name].name: _plain(value, known[name], project) for name, value in said.items()}


def of_verb(verb: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Of options for many verbs those of one; names that no verb knows stay, for `parse_keywords` to refuse."""
    known = {keyword_of(option) for option in options_for(verb)}
    elsewhere = {keyword_of(option) for option in options().values()} - known
    return {name: value for name, value in given.items() if name not in elsewhere}


def _plain(value: Any, option: Option, project: Path) -> Any:
    """The value in the types of a TOML file."""
    if option.type == "texts" and isinstance(value, (str, os.PathLike)):
        value = [value]
    if isinstance(value, Mapping):
        return {key: _plain(item, option, project) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, os.PathLike)):
        return [_text(item, option, project) for item in value]
    return _text(value, option, project)


def _text(value: Any, option: Option, project: Path) -> Any:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    # Paths of options are later resolved below the project, so a relative path is made absolute here.
    moved = option.path and isinstance(value, str) and value and project != Path()
    return os.path.abspath(value) if moved and option.name not in _AS_GIVEN else value  # noqa: PTH100 - Path keeps `..`


# A source or a requirement may be a name on an index; a .pypirc is opened as given; a changelog is the project's file.
_AS_GIVEN = {"source", "requirements", "config-file", "changelog"}
