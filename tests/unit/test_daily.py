from __future__ import annotations

import pytest

from daily import turn


@pytest.mark.parametrize(("cases", "count", "days"), [(10, 3, 4), (4, 2, 2), (16, 6, 3), (5, 5, 1), (2, 3, 1)])
def test_all_cases_have_their_turn_within_some_days(cases: int, count: int, days: int) -> None:
    numbers = range(cases)
    for first in (0, 739_000, 739_001):
        assert {case for day in range(first, first + days) for case in turn(numbers, count, day)} == {*numbers}
        assert len(turn(numbers, count, first)) == min(cases, count)
