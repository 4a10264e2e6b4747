"""What a person reads about a tree: remedies, advice, and how many packages are ready."""

from __future__ import annotations

import pytest

from crosswheel.model.targets import parse_target
from crosswheel.reporting.readiness import readiness_text
from crosswheel.trees.cells import cell_of
from crosswheel.trees.explanations import Explanation
from crosswheel.trees.readiness import Advice, TreeReadiness
from crosswheel.trees.verdicts import State, Verdict

CELL = cell_of(parse_target("cp313-manylinux_2_28_aarch64"))


def text_of(state: State = "to build", told: Explanation | None = None, advice: tuple[Advice, ...] = ()) -> str:
    verdict = Verdict("demo", "1.0", CELL, state, "demo-1.0.tar.gz", "it has no sdist")
    explanations = {verdict: told} if told else {}
    ready = Verdict("pure", "2.0", CELL, "pure")
    tree = TreeReadiness("app", (CELL,), (verdict, ready), {"demo": ("app",)}, explanations, advice)
    return " ".join(readiness_text([tree]).split())


@pytest.mark.parametrize(
    ("told", "remedy"),
    [
        (None, "build it"),
        (Explanation("1.1"), "1.1 has a wheel"),
        (Explanation("0.9"), "build it; the last version with a wheel is 0.9"),
        (Explanation("1.0"), "build it (the index has a wheel of this version, the lock does not name it)"),
        (Explanation(lacking="429"), "build it (no answer about other versions: 429)"),
        (Explanation(), "build it; no version has a wheel"),
    ],
)
def test_a_missing_wheel_comes_with_what_to_do(told: Explanation | None, remedy: str) -> None:
    assert remedy in text_of(told=told)


def test_what_cannot_be_built_says_why() -> None:
    text = text_of("impossible")
    assert "it has no sdist" in text
    assert "1 of 2 packages ready · 1 impossible" in text


@pytest.mark.parametrize(
    ("advice", "said"),
    [
        (Advice(CELL, {"demo": "0.9"}), "wheels alone with demo==0.9"),
        (Advice(CELL, reason="demo has none"), "no set of wheels alone: demo has none"),
    ],
)
def test_advice_names_the_pins_or_why_there_are_none(advice: Advice, said: str) -> None:
    assert said in text_of(advice=(advice,))
