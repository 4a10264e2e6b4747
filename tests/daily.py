"""Cases of which a few run each day: all have run within some days, and each run is short.

A test marked ``daily(2)`` runs for two of its parameters, or of those of them that have the mark; the next day for the
next two. ``--day=2026-11-30`` runs those of that day, ``--day=all`` every one.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar

import pytest

_VARIABLE = "CROSSWHEEL_TESTS_DAY"
ALL = "all"

_Case = TypeVar("_Case")


def add_option(parser: pytest.Parser) -> None:
    # The processes of xdist are told by the environment: for them, too, it is still the day on which all began.
    today = os.environ.setdefault(_VARIABLE, dt.datetime.now(dt.timezone.utc).date().isoformat())
    parser.addoption("--day", default=today, metavar="DATE|all", help="which cases of tests that take turns (daily)")


def header(config: pytest.Config) -> str:
    return f"daily: the cases of {config.getoption('--day')}; those of another day with --day=DATE, all with --day=all"


def deselect(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take those of other days off `items`."""
    day = config.getoption("--day")
    if day == ALL:
        return
    number = dt.date.fromisoformat(day).toordinal()
    turns: dict[tuple[str, int], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if mark := item.get_closest_marker("daily"):
            turns[item.nodeid.partition("[")[0], mark.args[0]].append(item)
    others = {item for (_, count), cases in turns.items() for item in set(cases) - set(turn(cases, count, number))}
    if others:
        config.hook.pytest_deselected(items=list(others))
        items[:] = [item for item in items if item not in others]


def turn(cases: Sequence[_Case], count: int, day: int) -> list[_Case]:
    """So many of the cases, for the day with that number."""
    return [cases[(day * count + place) % len(cases)] for place in range(min(count, len(cases)))]
