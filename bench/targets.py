"""What is to be reached, and whether it was: from the cells and the limits of one run, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from results import COLUMNS, Results
from rows import ACCELERATE, BASELINE, ENGINES

from projects import MAIN


@dataclass(frozen=True)
class Target:
    """`reached` is None where it was not measured."""

    what: str
    goal: str
    measured: str
    reached: bool | None


def targets(results: Results) -> list[Target]:
    return [*_of_ten(results), *_of_engines(results), *_of_accelerate(results), *_of_limits(results)]


def geometric_mean(ratios: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def _target(what: str, goal: str, value: float | None, unit: str, limit: float, *, at_least: bool = False) -> Target:
    if value is None:
        return Target(what, goal, "not measured", None)
    return Target(what, goal, f"{value:.2f}{unit}", value >= limit if at_least else value <= limit)


def _of_ten(results: Results) -> Iterator[Target]:
    ratios = [row["ratio"] for row in _part(results, "ten", [])]
    what = "cross against native, ten sdists: "
    mean, most = (geometric_mean(ratios), max(ratios)) if ratios else (None, None)
    yield _target(f"{what}geometric mean", "≤ 0.75", mean, "", 0.75)
    yield _target(f"{what}the highest", "≤ 1.1", most, "", 1.1)


def _of_engines(results: Results) -> Iterator[Target]:
    """Whole runs with repair and test; cibuildwheel keeps nothing, so that its first run stands for its later ones."""
    baseline = results.seconds(MAIN, BASELINE)
    changed = results.seconds(MAIN, BASELINE, column="changed") or baseline
    for engine, times in (("accelerated", 12), ("cross", 18)):
        value = _quotient(baseline, results.seconds(MAIN, engine))
        yield _target(
            f"{engine}, cold, against cibuildwheel emulated", f"≥ {times} x", value, " x", times, at_least=True
        )
    for engine in ("accelerated", "cross"):
        value = _quotient(changed, results.seconds(MAIN, engine, column="changed"))
        what = f"{engine}, one file changed, against cibuildwheel emulated"
        yield _target(what, "≥ 20 x", value, " x", 20, at_least=True)
    for engine in ENGINES:
        kept = ((cell, each.seconds) for cell, each in results.cells.items() if cell.row == engine)
        per_target = [seconds / cell.tags for cell, seconds in kept if cell.column == "warm" and seconds is not None]
        what = f"{engine}, nothing changed, per target"
        yield _target(what, "< 2 s", max(per_target, default=None), " s", 2)


def _of_accelerate(results: Results) -> Iterator[Target]:
    """Two tags with repair and test: `accelerate` in front of cibuildwheel, against cibuildwheel alone."""
    plain = results.seconds(MAIN, BASELINE, tags=2)
    for column, times in (("cold", 6), ("warm", 10)):
        value = _quotient(plain, results.seconds(MAIN, ACCELERATE, tags=2, column=column))
        what = f"cibuildwheel with accelerate, 2 tags, {COLUMNS[column]}, against cibuildwheel emulated"
        yield _target(what, f"≥ {times} x", value, " x", times, at_least=True)


def _of_limits(results: Results) -> Iterator[Target]:
    side = _part(results, "side-by-side", {})
    what = f"{side.get('targets', 4)} targets on cross, two at a time"
    gained = _quotient(side.get("alone"), side.get("2"))
    yield _target(f"{what}, against one after another", "≥ 1.8 x", gained, " x", 1.8, at_least=True)
    gained = _quotient(side.get("1"), side.get("2"))
    said = f"{gained:.2f} x" if gained else "not measured"
    yield Target(f"{what}, against --jobs 1, whose compilers go side by side", "", said, None)
    for engine in ("cross", "accelerated"):
        overhead, what = _part(results, "overhead", {}), f"{engine}, a job that compiles nothing"
        yield _target(f"{what}, without its commands", "< 0.5 s", overhead.get(f"{engine}-own"), " s", 0.5)
        yield Target(f"{what}, with them", "", _seconds(overhead.get(engine)), None)
    many = _part(results, "many", [])
    few = [each["seconds"] for each in many if each["jobs"] == 1_000]  # noqa: PLR2004 - as limits.py has it
    most: dict[str, float] = next((each for each in many if each["jobs"] == 10_000), {})  # noqa: PLR2004
    yield _target("10,000 jobs with a no-op engine", "< 60 s", most.get("seconds"), " s", 60)
    memory = most["peak"] / 1e6 if most else None
    yield _target("the same, memory", "< 300 MB", memory, " MB", 300)
    # Linear is ten times as long; a fifth more is what a busy machine may add.
    growth = _quotient(most.get("seconds"), mean(few) if few else None)
    yield _target("the same against 1,000 jobs", "≤ 12 x", growth, " x", 12)
    small = _part(results, "small-things", {})
    yield _target("a plan of 10,000 jobs", "< 1 s", small.get("plan"), " s", 1)
    importing = small["import"] * 1000 if small else None
    yield Target("importing crosswheel.sessions", "", f"{importing:.1f} ms" if importing else "not measured", None)


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f} s"


def _part(results: Results, name: str, empty: dict[str, float] | list[dict[str, float]]) -> Any:
    """What a part measured; nothing where it was not run, or failed."""
    found = results.limits.get(name)
    return found if type(found) is type(empty) and "failed" not in found else empty


def _quotient(one: float | None, other: float | None) -> float | None:
    return one / other if one and other else None
