"""Tuples of steps: immutable, put together by name, and helpful about names that are wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from crosswheel.errors import UsageError
from crosswheel.steps.sequence import Steps, identity_of, name_of, step, traits_of


def double(value: int) -> int:
    return value * 2


def increase(value: int) -> int:
    return value + 1


def halve(value: int) -> int:
    return value // 2


STEPS: Steps[int] = Steps([double, increase])


def test_steps_are_put_before_after_and_away_and_the_tuple_itself_stays() -> None:
    assert STEPS.names == ("double", "increase")
    assert STEPS.after("double", halve) == (double, halve, increase)
    assert STEPS.before("double", halve) == (halve, double, increase)
    assert STEPS.without("double") == (increase,)
    assert STEPS.until("increase") == (double,)
    assert STEPS.until("audit") == (double, increase)
    assert tuple(STEPS) == (double, increase)
    assert repr(STEPS.after("double", halve)) == "Steps(double, halve, increase)"


@pytest.mark.parametrize(
    "ask",
    [lambda: STEPS.after("doubel", halve), lambda: STEPS.before("doubel", halve), lambda: STEPS.without("doubel")],
)
def test_an_unknown_name_is_answered_with_the_nearest_and_all_others(ask: Callable[[], object]) -> None:
    with pytest.raises(UsageError) as caught:
        ask()
    assert (
        str(caught.value) == "there is no step 'doubel' (did you mean double?)\n  try: the steps are double, increase"
    )


def test_no_name_occurs_twice() -> None:
    with pytest.raises(UsageError, match="two steps have the name double"):
        STEPS.after("increase", double)


def test_a_step_says_its_name_and_what_it_needs() -> None:
    @step(name="round", needs=["workspace"], quiet=True)
    def rounded(value: int) -> int:
        return value

    assert (name_of(rounded), rounded(3)) == ("round", 3)
    assert traits_of(rounded).needs == {"workspace"}
    assert traits_of(rounded).quiet
    assert (name_of(double), traits_of(double).needs, traits_of(double).instead(1)) == ("double", frozenset(), None)


def test_steps_with_other_settings_are_told_apart() -> None:
    def multiply(by: int) -> Callable[[int], int]:
        def multiplied(value: int) -> int:
            return value * by

        return multiplied

    assert identity_of(multiply(2)) == identity_of(multiply(2)) != identity_of(multiply(3))
    assert identity_of(double)[0].endswith("test_sequence.double")
    assert "value * 2" in identity_of(double)[1]
    assert identity_of(functools.partial(pow, exp=2)) != identity_of(functools.partial(pow, exp=3))
