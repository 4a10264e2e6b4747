"""Cases of which a few run each day: all have run within some days, and each run is short.

A test marked ``daily(2)`` runs for two of its parameters, or of those of them that have the mark; the next day for the
next two. With ``daily(4, of="podman")``, all cases that say so take turns, whatever their test. With ``daily(2,
by="image")`` the values of that parameter take turns: all tests of a file that say so run for the same two.
``--day=2026-11-30`` runs those of that day, ``--day=all`` every one.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeVar, cast

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
    turns: dict[tuple[str, int], dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        # A group of cases wins over the turns of a test.
        if mark := max(item.iter_markers("daily"), key=lambda mark: "of" in mark.kwargs, default=None):
            group, case = _place(item, mark)
            turns[group, mark.args[0]][case].append(item)
    others: list[pytest.Item] = []
    for (_, count), cases in turns.items():
        # Other plugins shuffle what is collected.
        chosen = turn(sorted(cases), count, number)
        others += [item for case, those in cases.items() if case not in chosen for item in those]
    if others:
        config.hook.pytest_deselected(items=others)
        away = {*others}
        items[:] = [item for item in items if item not in away]


def _place(item: pytest.Item, mark: pytest.Mark) -> tuple[str, str]:
    """The group that an item takes turns in, and its case there."""
    if by := mark.kwargs.get("by"):
        number = cast("pytest.Function", item).callspec.indices[by]
        return f"{item.nodeid.partition('::')[0]} {by}", f"{number:04}"
    return mark.kwargs.get("of") or item.nodeid.partition("[")[0], item.nodeid


def turn(cases: Sequence[_Case], count: int, day: int) -> list[_Case]:
    """So many of the cases, for the day with that number."""
    return [cases[(day * count + place) % len(cases)] for place in range(min(count, len(cases)))]
