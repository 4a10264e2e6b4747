"""The status of a release as a table and as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.publishing.status import Lack, ReleaseStatus, Standing
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.index_answers import answers_document, status_lines, window_lines
from crosswheel.reporting.run import shown
from crosswheel.reporting.tables import Column, drawn, fitting
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import Line, count_text, reason_text

if TYPE_CHECKING:
    from rich.console import Console

_MARKS = {True: "✔", False: "✘", None: "-"}
_STYLES = {"✔": "green", "✘": "red", "-": "dim"}


def status_text(status: ReleaseStatus, console: Console | None = None) -> str:
    """The table, untested and yanked wheels, platforms that the release loses, and the totals in one line."""
    console = console or plain_console()
    table = drawn(fitting(console, _columns(), status.standings), status.standings)
    lines = [
        *_untested_lines(status),
        *_yanked_lines(status),
        *_lacking_lines(status),
        *status_lines(status.name, status.repository, status.project_status, status.status_reason),
        *window_lines(f"{status.name} {status.version}", status.repository, status.window),
        _closing(status),
    ]
    return shown(console, [table, "", *styled(lines)])


def status_document(status: ReleaseStatus) -> Document:
    return {
        "schema": SCHEMA,
        "kind": "status",
        "crosswheel": __version__,
        "name": status.name,
        "version": str(status.version),
        "repository": status.repository,
        "complete": status.complete,
        "standings": [{**asdict(standing), "complete": standing.complete} for standing in status.standings],
        "last": status.last or None,
        **answers_document(status.project_status, status.status_reason, status.window),
        "lacking": [{"place": str(lack.place), "file": lack.file} for lack in status.lacking],
    }


def _columns() -> list[Column[Standing]]:
    return [
        Column("target", _subject, _subject_style),
        _marks("planned", lambda standing: standing.planned or None),
        _marks("built", lambda standing: standing.built),
        _marks("audited", lambda standing: standing.audited),
        _marks("tested", lambda standing: standing.tested or None),
        _marks("on index", lambda standing: standing.on_index),
        _marks("same bytes", lambda standing: standing.same_bytes),
        Column("file", lambda standing: one_line(standing.file), spare=1),
    ]


def _marks(name: str, fact: Callable[[Standing], bool | None]) -> Column[Standing]:
    return Column(name, lambda standing: _MARKS[fact(standing)], lambda standing: _STYLES[_MARKS[fact(standing)]])


def _subject(standing: Standing) -> str:
    return f"{_MARKS[standing.complete]} {one_line(standing.subject)}"


def _subject_style(standing: Standing) -> str:
    return _STYLES[_MARKS[standing.complete]]


def _untested_lines(status: ReleaseStatus) -> Iterator[Line]:
    """One line per reason."""
    subjects: dict[str, list[str]] = {}
    for standing in status.standings:
        if standing.untested:
            subjects.setdefault(reason_text(standing.untested), []).append(standing.subject)
    for reason, those in subjects.items():
        yield "yellow", f"{count_text(len(those), 'wheel')} not tested: {reason}"


def _yanked_lines(status: ReleaseStatus) -> Iterator[Line]:
    for file, reason in {standing.file: standing.yanked for standing in status.standings if standing.yanked}.items():
        yield "red", f"{one_line(file)} is yanked on {one_line(status.repository)}: {reason_text(reason)}"


def _lacking_lines(status: ReleaseStatus) -> Iterator[Line]:
    """The lost platforms, grouped by the file of the previous release that supports them."""
    places: dict[str, list[Lack]] = {}
    for lack in status.lacking:
        places.setdefault(lack.file, []).append(lack)
    if places:
        yield "bold red", f"{status.last} supports these, {status.version} does not"
    for file, those in places.items():
        yield "red", f"    {', '.join(str(lack.place) for lack in those)} ({one_line(file)})"


def _closing(status: ReleaseStatus) -> Line:
    done = sum(standing.complete for standing in status.standings)
    release = f"{status.name} {status.version} on {one_line(status.repository)}"
    word = "complete" if status.complete else "not complete"
    parts = [f"{release}: {word}", f"{done} of {len(status.standings)}"]
    if status.lacking:
        parts.append(f"{len(status.lacking)} lost since {status.last}")
    return "bold green" if status.complete else "bold red", " · ".join(parts)
