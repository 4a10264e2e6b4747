"""Which cells a run measures, and why it leaves the others out: a whole default run takes an hour and a half."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from results import COLUMNS, TAGS, Cell, Results
from rows import ACCELERATE, BASELINE, NATIVE, ROWS

from projects import LARGE, MAIN, PROJECTS, SMALL

# By project and number of tags, where that is not all of them: what matters, and what is over in minutes.
_QUICK = (NATIVE, "cross", "accelerated")
_DEFAULT: Mapping[tuple[str, int], Collection[str]] = {
    (MAIN, 1): tuple(ROWS),
    (MAIN, 2): (*_QUICK, "dockcross", ACCELERATE),
    (MAIN, 4): (NATIVE, "cross"),
    (SMALL, 1): tuple(ROWS),
    (LARGE, 1): _QUICK,
}
PYTHONS: Mapping[int, tuple[str, ...]] = {
    1: ("cp311",),
    2: ("cp311", "cp313"),
    4: ("cp310", "cp311", "cp312", "cp313"),
}
_AS_COLD = 30.0  # seconds that a row may take to show what is known: that it keeps nothing


@dataclass(frozen=True)
class Choice:
    """What was asked for; None where the default is meant. `full` takes everything, however long."""

    projects: Collection[str] | None = None
    rows: Collection[str] | None = None
    tags: Collection[int] | None = None
    columns: Collection[str] | None = None
    full: bool = False
    budget: float = 600

    @property
    def asked_for(self) -> bool:
        return any(part is not None for part in (self.projects, self.rows, self.tags, self.columns))

    def series(self) -> Iterator[tuple[Cell, ...]]:
        """The cells that follow each other in one state: columns of the same project, row and tags."""
        columns = [column for column in COLUMNS if self.columns is None or column in self.columns]
        for project, tags, row in product(
            self.projects or PROJECTS, self.tags or self._usual_tags(), self.rows or ROWS
        ):
            yield tuple(Cell(project, row, tags, column) for column in columns)

    def _usual_tags(self) -> Collection[int]:
        return (1,) if self.asked_for and not self.full else TAGS

    def left_out(self, cell: Cell, results: Results) -> str:
        """Why a cell is not run before anything of it was tried; empty where it is to be run."""
        if self.full:
            return ""
        usual = cell.row in _DEFAULT.get((cell.project, cell.tags), ())
        expected = _expected(cell, results)
        if expected and expected > self.budget:
            reason = f"as much slower than native as for {MAIN}, that is"
            return f"not run: would take more than {self.budget:.0f} s ({reason} {expected:.0f} s)"
        return "" if usual or self.asked_for else "not run by default: --full runs it"


def keeps_nothing(cell: Cell, results: Results, choice: Choice) -> str:
    """Why a row that keeps nothing between runs is not run again; empty where it is."""
    cold = results.seconds(cell.project, cell.row, cell.tags)
    if cell.column == "cold" or ROWS[cell.row].keeps or choice.full or cold is None or cold <= _AS_COLD:
        return ""
    return "not run: keeps nothing between runs, so it would be as cold"


def _expected(cell: Cell, results: Results) -> float | None:
    """Seconds that a row without compilers of this machine's own will take, from what native takes for the project.

    None where there is nothing to tell from.
    """
    if cell.row not in {"emulated", "docker-run", BASELINE}:
        return None
    native = results.seconds(cell.project, NATIVE)
    one, other = results.seconds(MAIN, cell.row), results.seconds(MAIN, NATIVE)
    return native * cell.tags * one / other if native and one and other else None
