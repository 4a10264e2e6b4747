"""Tables that drop columns, the least important first, where the console is too narrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from crosswheel.model.job import Job, Outcome
from crosswheel.reporting.console import UNWRAPPED
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import MARKS, STYLES, about_text, reason_text, seconds_text, size_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One column; columns with the highest `spare` are dropped first, 0 never; cells of `prose` may wrap."""

    name: str
    cell: Callable[[Row], str]
    style: Callable[[Row], str] = lambda _row: ""
    number: bool = False
    prose: bool = False
    spare: int = 0


def fitting(console: Console, columns: Sequence[Column[Row]], rows: Sequence[Row]) -> Sequence[Column[Row]]:
    """The columns that fit on the console."""
    unbounded = console.options.update(width=UNWRAPPED)
    while console.measure(drawn(columns, rows), options=unbounded).maximum > console.width:
        most = max(column.spare for column in columns)
        if not most:
            break
        columns = [column for column in columns if column.spare < most]
    return columns


def drawn(columns: Iterable[Column[Row]], rows: Iterable[Row]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column.name, justify="right" if column.number else "left", no_wrap=not column.prose)
    for row in rows:
        table.add_row(*(Text(column.cell(row), column.style(row)) for column in columns))
    return table


REFUSED = "refused"


def plan_columns(jobs: Iterable[Job]) -> list[Column[Job]]:
    about = Column[Job]("about", _about, number=True)
    return [
        Column("target", lambda job: str(job.target)),
        Column("engine", lambda job: one_line(job.engine), lambda _job: "cyan"),
        Column("python", lambda job: job.interpreter.version if job.interpreter else ""),
        *([about] if any(job.seconds for job in jobs) else []),
        Column("reason", lambda job: reason_text(job.reason), prose=True),
        Column(REFUSED, _refused, lambda _job: "dim", prose=True, spare=1),
    ]


def _about(job: Job) -> str:
    return about_text(job.seconds) if job.seconds else "?"


def _refused(job: Job) -> str:
    return "; ".join(f"{one_line(refusal.engine)}: {reason_text(refusal.reason)}" for refusal in job.refused)


def summary_columns(outcomes: Sequence[Outcome]) -> list[Column[Outcome]]:
    # In their order: a job that was kept has only the later ones.
    longest_first = sorted(outcomes, key=lambda outcome: -len(outcome.steps))
    steps = dict.fromkeys(step.step for outcome in longest_first for step in outcome.steps)
    compared = Column[Outcome]("reproducible", lambda outcome: _COMPARED[outcome.reproducible], _compared_style)
    return [
        Column("target", lambda outcome: f"{MARKS[outcome.status]} {outcome.job.target}", _status_style),
        Column("engine", lambda outcome: one_line(outcome.job.engine), spare=1),
        Column("result", lambda outcome: outcome.status, _status_style),
        *(Column(one_line(step), _step_cell(step), number=True, spare=3) for step in steps),
        *([compared] if any(outcome.reproducible is not None for outcome in outcomes) else []),
        Column("size", lambda outcome: size_text(outcome.wheel.size) if outcome.wheel else "", number=True),
        Column("sha256", lambda outcome: outcome.wheel.sha256[:12] if outcome.wheel else "", spare=2),
        Column("tag", lambda outcome: one_line(outcome.wheel.tag) if outcome.wheel else "", spare=4),
    ]


_COMPARED = {None: "", True: "yes", False: "no"}


def _compared_style(outcome: Outcome) -> str:
    return "red" if outcome.differences else "green"


def _status_style(outcome: Outcome) -> str:
    return STYLES[outcome.status]


def _step_cell(step: str) -> Callable[[Outcome], str]:
    def cell(outcome: Outcome) -> str:
        seconds = [timed.seconds for timed in outcome.steps if timed.step == step]
        return seconds_text(sum(seconds)) if seconds else ""

    return cell
