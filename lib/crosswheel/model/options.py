"""The rows of data/options.toml: keys, types, defaults, and the check of values."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from crosswheel.model.targets import did_you_mean, load_table


@dataclass(frozen=True)
class Option:
    """One row of options.toml; `group` and `field` locate its value in a Config."""

    name: str
    type: Literal["text", "texts", "number", "flag", "table"]
    default: Any
    help: str
    where: Literal["both", "flag", "file"]
    group: str
    field: str
    choices: tuple[str, ...] = ()
    path: bool = False
    verbs: tuple[str, ...] = ("plan", "wheels")


@functools.cache
def options() -> dict[str, Option]:
    """Every option by name, in the order of the file."""
    return {
        name: Option(
            name=name,
            type=row["type"],
            default=row["default"],
            help=row["help"],
            where=row["where"],
            group=row["group"],
            field=row.get("field", name.replace("-", "_")),
            choices=tuple(row.get("choices", ())),
            path=row.get("path", False),
            verbs=tuple(row.get("verbs", Option.verbs)),
        )
        for name, row in load_table("options.toml").items()
    }


def options_for(verb: str) -> list[Option]:
    """Every option that a verb takes from code, in the order of the file."""
    return [option for option in options().values() if verb in option.verbs]


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the table [tool.crosswheel], for editors."""
    shapes: dict[str, dict[str, Any]] = {
        "text": {"type": "string"},
        "texts": {"type": "array", "items": {"type": "string"}},
        "number": {"type": "integer", "minimum": 0},
        "flag": {"type": "boolean"},
        "table": {"type": "object"},
    }
    properties = {
        name: {
            **shapes[option.type],
            **({"enum": list(option.choices)} if option.choices else {}),
            "default": option.default,
            "description": option.help,
        }
        for name, option in options().items()
        if option.where != "flag"
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "[tool.crosswheel] in pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "texts": (list, tuple),
    "number": (int,),
    "flag": (bool,),
    "table": (dict,),
}


def checked(given: Mapping[str, Any], prefix: str, where: str, mistakes: list[str]) -> dict[str, Any]:
    """The values with known keys and right types; others are added to `mistakes`.

    `where` is "file", "flag" or "code"; code may give every option.
    """
    known = {name: option for name, option in options().items() if where == "code" or option.where in {"both", where}}
    good = {}
    for name, value in given.items():
        if name not in known:
            mistakes.append(f"{prefix}{name}: {_only_elsewhere(name) or 'no such option'}{did_you_mean(name, known)}")
        elif not _fits(value, known[name]):
            mistakes.append(f"{prefix}{name}: must be {_wanted(known[name])}, not {value!r}")
        else:
            good[name] = value
    return good


def _only_elsewhere(name: str) -> str:
    """The place for an option that is not allowed here; empty for an unknown name."""
    place = options()[name].where if name in options() else ""
    return {"file": "can only be set in pyproject.toml", "flag": "can only be given as a flag"}.get(place, "")


def _fits(value: Any, option: Option) -> bool:
    if isinstance(value, bool) != (option.type == "flag") or not isinstance(value, _TYPES[option.type]):
        return False
    if isinstance(value, (list, tuple)):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, int):
        return value >= 0
    return not option.choices or value in option.choices


def _wanted(option: Option) -> str:
    if option.choices:
        return "one of " + ", ".join(option.choices)
    words = {"text": "a text", "texts": "a list of texts", "number": "a number, 0 or more", "flag": "true or false"}
    return words.get(option.type, "a table")
