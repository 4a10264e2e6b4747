"""Plans and reports as tables, and the display of a run in progress."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from crosswheel.model.job import Plan, Report
from crosswheel.reporting.adoption import adoption_lines
from crosswheel.reporting.console import console_for, plain_console, styled
from crosswheel.reporting.document import report_document
from crosswheel.reporting.folds import fold_for
from crosswheel.reporting.lanes import lane_lines
from crosswheel.reporting.live import LiveDisplay
from crosswheel.reporting.plain import PlainDisplay
from crosswheel.reporting.tables import REFUSED, drawn, fitting, plan_columns, summary_columns
from crosswheel.reporting.timeline import timeline_of
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.verdict import Verdict, run_verdict
from crosswheel.reporting.wording import (
    STYLES,
    Line,
    closing_lines,
    estimate_lines,
    failure_lines,
    headline,
    left_out_lines,
    plan_untested_lines,
    refusal_lines,
    remark_lines,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def display(stream: TextIO, environ: Mapping[str, str], *, plain: bool = False) -> LiveDisplay | PlainDisplay:
    """The listener for a stream: a live display on a terminal, plain lines elsewhere and where asked for."""
    console, fold = console_for(stream, environ), fold_for(environ)
    # FORCE_COLOR makes rich treat a file as a terminal, and some CI services offer a terminal.
    if not plain and stream.isatty() and console.is_interactive and not fold:
        return LiveDisplay(console)
    return PlainDisplay(console, fold)


def plan_text(plan: Plan, console: Console | None = None) -> str:
    """The table of jobs, then the targets that were left out; plain text without a console."""
    console = console or plain_console()
    if not plan.jobs:
        nothing = styled([("", "nothing to build")])
        return shown(console, [*nothing, *_block(adoption_lines(plan)), *_block(left_out_lines(plan))])
    columns = fitting(console, plan_columns(plan.jobs), plan.jobs)
    parts: list[RenderableType] = [drawn(columns, plan.jobs)]
    if all(column.name != REFUSED for column in columns):
        parts += _block(refusal_lines(plan))
    parts += _block(plan_untested_lines(plan))
    parts += _block(estimate_lines(plan))
    parts += _block(adoption_lines(plan))
    return shown(console, [*parts, *_block(left_out_lines(plan))])


def summary_text(report: Report, console: Console | None = None) -> str:
    """The outcome of every job, then the problems, then the totals in one line.

    With a console, it follows what the display has said: the failure of a single job is just above it.
    """
    outcomes = report.outcomes
    retold = outcomes if console is None or len(outcomes) > 1 else ()
    console = console or plain_console()
    parts: list[RenderableType] = []
    if outcomes:
        # A narrow terminal has no room for these columns; report.json has their values.
        parts.append(drawn(fitting(console, summary_columns(outcomes), outcomes), outcomes))
    for outcome in retold:
        if outcome.failure:
            parts += _block([(STYLES["failed"], headline(outcome)), *failure_lines(outcome)])
    parts += _block(line for outcome in outcomes for line in remark_lines(outcome))
    parts += _block(left_out_lines(report.plan))
    parts += _block(_timeline_lines(report, console.width))
    parts += _block(closing_lines(report))
    return shown(console, parts)


_MOODS = {"good": "bold green", "mixed": "bold yellow", "bad": "bold red"}


def _timeline_lines(report: Report, width: int) -> Iterator[Line]:
    """After a run of more than one job: its lanes, and the verdict, as on the page."""
    document = report_document(report)
    if (timeline := timeline_of(document)) and (lanes := list(lane_lines(timeline, width))):
        yield from lanes
        verdict = run_verdict(document)
        yield _MOODS[verdict.mood], verdict.text


def page_text(verdicts: Iterable[Verdict], files: Iterable[Path], console: Console | None = None) -> str:
    """The verdicts of a page, a line each, then the files that were written."""
    told = [(_MOODS[verdict.mood], verdict.text) for verdict in verdicts]
    return shown(console or plain_console(), styled([*told, *(("", one_line(str(file))) for file in files)]))


def _block(lines: Iterable[Line]) -> list[RenderableType]:
    """The lines after an empty line; nothing if there are none."""
    content = styled(lines)
    return ["", *content] if content else []


def shown(console: Console, parts: Iterable[RenderableType]) -> str:
    """Draw renderables to text of the console's width."""
    from rich.console import Group

    with console.capture() as capture:
        # In a group, because a text that is printed alone loses its no_wrap.
        console.print(Group(*parts), crop=False)
    # rich pads blocks with spaces, which would be copied along.
    return re.sub(r" +$", "", capture.get(), flags=re.MULTILINE)
