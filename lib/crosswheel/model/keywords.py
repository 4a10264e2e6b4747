"""The options of options.toml as keyword arguments of functions: `before_build` for before-build."""

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
    """``{"arch": "aarch64", "json": Path("x")}`` -> ``{"arch": ["aarch64"], "json": "x"}``: values by option name.

    A text stands for a list of one, a path for its text. Relative paths are those of the current folder, whatever the
    `project`. Raises UsageError for names that are no options of the verb, with all of them in it.
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
    """The same in the types that a TOML file has."""
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
    # What belongs to the project is read as the project's: only there does a relative path lead elsewhere.
    moved = option.path and isinstance(value, str) and value and project != Path()
    return os.path.abspath(value) if moved and option.name not in _AS_GIVEN else value  # noqa: PTH100 - Path keeps `..`


# A source may be a name on an index; a .pypirc is opened as it stands; a changelog is one of the project's files.
_AS_GIVEN = {"source", "config-file", "changelog"}
