from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

import daily
from daily import turn


@pytest.mark.parametrize(("cases", "count", "days"), [(10, 3, 4), (4, 2, 2), (16, 6, 3), (5, 5, 1), (2, 3, 1)])
def test_all_cases_have_their_turn_within_some_days(cases: int, count: int, days: int) -> None:
    numbers = range(cases)
    for first in (0, 739_000, 739_001):
        assert {case for day in range(first, first + days) for case in turn(numbers, count, day)} == {*numbers}
        assert len(turn(numbers, count, first)) == min(cases, count)


class Case:
    """As much of an item as is looked at."""

    def __init__(self, nodeid: str, marks: list[pytest.Mark], indices: Mapping[str, int] | None = None) -> None:
        self.nodeid, self._marks = nodeid, marks
        self.callspec = SimpleNamespace(indices=indices)

    def iter_markers(self, _name: str) -> Iterator[pytest.Mark]:
        return iter(self._marks)


def left(marks: Mapping[str, list[pytest.Mark]], day: str) -> set[str]:
    """The cases that run on a day, of those that are collected in this order."""
    return chosen([Case(name, given) for name, given in marks.items()], day)


def chosen(items: list[Any], day: str) -> set[str]:
    config: Any = SimpleNamespace(getoption=lambda _: day, hook=SimpleNamespace(pytest_deselected=lambda **_: None))
    daily.deselect(config, items)
    return {item.nodeid for item in items}


def test_cases_of_a_group_take_turns_across_tests() -> None:
    """And not in those of their own tests."""
    group, own = (pytest.mark.daily(*words, **more).mark for words, more in (((1,), {"of": "podman"}), ((1,), {})))
    marks = {
        "a.py::test[docker]": [own],
        "a.py::test[namespace]": [own],
        "a.py::test[podman]": [own, group],
        "b.py::test[podman]": [group],
        "b.py::test[docker]": [],
    }
    seen = [left(marks, day) for day in ("2026-11-30", "2026-12-01")]
    assert [len(names) for names in seen] == [3, 3]
    assert all("b.py::test[docker]" in names for names in seen)
    assert {name for names in seen for name in names} == {*marks}


def test_a_shuffled_collection_changes_no_turn() -> None:
    marks = {f"a.py::test[{number}]": [pytest.mark.daily(2).mark] for number in range(7)}
    backwards = dict(reversed(marks.items()))
    for day in ("2026-11-30", "2026-12-01"):
        assert left(marks, day) == left(backwards, day)


def test_values_of_a_parameter_take_turns_and_every_test_has_the_same() -> None:
    mark = pytest.mark.daily(2, by="image").mark
    seen = []
    for day in ("2026-11-30", "2026-12-01", "2026-12-02"):
        items = [
            Case(f"a.py::{test}[{flag}-{image}]", [mark], {"flag": flag, "image": image})
            for test, flag, image in product(("one", "two"), range(2), range(5))
        ]
        seen.append(chosen(items, day))
        images = {name[-2] for name in seen[-1]}
        assert len(images) == 2
        assert len(seen[-1]) == 8
    assert {name[-2] for names in seen for name in names} == {*"01234"}
