"""The configuration of a project as cibuildwheel's own reader resolves it, for each build identifier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Assignment:
    """A variable of `environment`: its value, or why only a container can know it.

    `passed`: it is the caller's (environment-pass). `needs` names variables of the container, and `runs` says that the
    value is the output of a command there; `text` is the value as it is written.
    """

    name: str
    value: str = ""
    passed: bool = False
    text: str = ""
    needs: tuple[str, ...] = ()
    runs: bool = False


@dataclass(frozen=True)
class Build:
    """The options of one build identifier, such as ``cp312-manylinux_aarch64``.

    `written` names the options that the project or the caller has set. `image` is a full reference. `front_end` has the
    name and its arguments, `config_settings` NAME=VALUE. Commands are as cibuildwheel gives them to ``sh -c``, with
    placeholders such as {project}; an empty one is not run. `tested` is false if test-skip matches.
    """

    identifier: str
    written: tuple[str, ...]
    image: str
    environment: tuple[Assignment, ...]
    config_settings: tuple[str, ...]
    front_end: tuple[str, ...]
    before_all: str
    before_build: str
    repair: str
    tested: bool
    test_command: str
    before_test: str
    test_requires: tuple[str, ...]
    test_extras: str
    test_sources: tuple[str, ...]
    test_environment: tuple[Assignment, ...]
    create_args: tuple[str, ...]


@dataclass(frozen=True)
class Resolution:
    """The builds of a project in cibuildwheel's order, as its release `version` resolves them."""

    version: str
    archs: tuple[str, ...]
    builds: tuple[Build, ...]


def parse_resolution(answer: Mapping[str, Any]) -> Resolution:
    """Read the answer of inside/resolve.py."""
    return Resolution(answer["version"], tuple(answer["archs"]), tuple(map(_build, answer["identifiers"])))


def _build(entry: Mapping[str, Any]) -> Build:
    return Build(**{field.name: _frozen(field.name, entry[field.name]) for field in fields(Build)})


def _frozen(name: str, value: Any) -> Any:
    if name in {"environment", "test_environment"}:
        return tuple(Assignment(**{**one, "needs": tuple(one.get("needs", ()))}) for one in value)
    return tuple(value) if isinstance(value, list) else value
