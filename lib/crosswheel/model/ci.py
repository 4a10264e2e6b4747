"""What [tool.crosswheel.ci] says about the file that a CI system reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from crosswheel import __version__
from crosswheel.model.targets import architectures, did_you_mean

SYSTEMS = ("github", "gitlab", "circleci", "travis")


@dataclass(frozen=True)
class CISettings:
    """The keys of [tool.crosswheel.ci], with underscores.

    `environment` is where the job runs that publishes. `runners` adds to, or replaces, the runners of the system by
    architecture; an empty text removes one. `branches` are built at each push, `schedule` is a line of cron in UTC.
    `timeout` is the limit of one CI job in minutes.
    """

    system: str = "github"
    environment: str = "pypi"
    runners: Mapping[str, str] = field(default_factory=dict)
    pull_requests: bool = True
    branches: tuple[str, ...] = ()
    schedule: str = ""
    install: str = f"python -m pip install crosswheel=={__version__}"
    timeout: int = 120


def parse_settings(table: Mapping[str, Any], mistakes: list[str]) -> CISettings:
    """The settings of the table; each mistake is added to `mistakes`."""
    settings = CISettings()
    for key, value in table.items():
        parse = _KEYS.get(key)
        if parse is None:
            mistakes.append(f"ci.{key}: no such key{did_you_mean(key, _KEYS)}; known: {', '.join(_KEYS)}")
        elif wrong := list(parse(value)):
            mistakes.extend(f"ci.{key}{text}" for text in wrong)
        else:
            settings = replace(settings, **{key.replace("-", "_"): _frozen(value)})
    return settings


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return MappingProxyType(dict(value)) if isinstance(value, dict) else value


def _system(value: Any) -> Iterator[str]:
    if value not in SYSTEMS:
        yield f": must be one of {', '.join(SYSTEMS)}, not {value!r}"


def _line(value: Any) -> Iterator[str]:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        yield f": must be a text of one line, not {value!r}"


def _cron(value: Any) -> Iterator[str]:
    if not isinstance(value, str) or not re.fullmatch(r"(?:[\d*,/A-Za-z-]+ ){4}[\d*,/A-Za-z-]+", value):
        yield f': must be five fields of cron, such as "17 4 * * 1", not {value!r}'


def _flag(value: Any) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f": must be true or false, not {value!r}"


def _minutes(value: Any) -> Iterator[str]:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        yield f": must be a number of minutes, 1 or more, not {value!r}"


def _lines(value: Any) -> Iterator[str]:
    if not isinstance(value, list) or any(list(_line(one)) for one in value):
        yield f": must be a list of texts, not {value!r}"


def _runners(value: Any) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f": must be a table, not {value!r}"
        return
    for arch, label in value.items():
        if arch not in architectures():
            yield f".{arch}: no such architecture{did_you_mean(arch, architectures())}"
        if label != "":
            yield from (f".{arch}{text}" for text in _line(label))


_KEYS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "system": _system,
    "environment": _line,
    "runners": _runners,
    "pull-requests": _flag,
    "branches": _lines,
    "schedule": _cron,
    "install": _line,
    "timeout": _minutes,
}
