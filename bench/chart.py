"""The numbers of a run as a picture: bars on a logarithmic axis, one panel per project, readable on light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from results import COLUMNS, Cell, Result, Results
from rows import ROWS

from projects import PROJECTS

_LABELS, _AXIS, _VALUES = 210, 520, 90  # widths: of names, of what lies between the ends of the axis, of numbers
_BAR, _GAP, _HEAD, _FOOT = 11, 9, 44, 26
_SHORTEST = 0.1  # seconds, where the axis begins

_STYLE = """\
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 14px }
.quiet { fill: #59636e }
.grid { stroke: #d1d9e0 }
.cold { fill: #0969da } .warm { fill: #1a7f37 } .changed { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
  .cold { fill: #4493f8 } .warm { fill: #3fb950 } .changed { fill: #db6d28 }
}
"""


def svg(results: Results, tags: int = 1) -> str:
    """Wall clock of every project's rows, for so many tags; what has no number says so."""
    panels = [panel for project in PROJECTS if (panel := _panel(results, project, tags))]
    longest = max((each.seconds or 0 for _, rows in panels for _, row in rows for each in row), default=0)
    decades = max(1, math.ceil(math.log10(max(longest, 1) / _SHORTEST)))
    body, top = list(_legend()), 54
    for title, rows in panels:
        body += _drawn(title, rows, top, decades)
        top += _HEAD + _FOOT + len(rows) * _row_height()
    width = _LABELS + _AXIS + _VALUES
    said = f"Seconds of wall clock for {tags} Python tag{'s' * (tags > 1)}, on a logarithmic axis"
    return "\n".join((
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top}" viewBox="0 0 {width} {top}">',
        f"<title>{said}</title>",
        f"<style>\n{_STYLE}</style>",
        f'<text class="title" x="8" y="20">{said}</text>',
        *body,
        "</svg>\n",
    ))  # fmt: skip


Rows = Sequence[tuple[str, Sequence[Result]]]


def _panel(results: Results, project: str, tags: int) -> tuple[str, Rows] | None:
    """A title, and for each row that has something to say its results by column."""
    rows = []
    for name, row in ROWS.items():
        cells = [results.cells.get(Cell(project, name, tags, column), Result()) for column in COLUMNS]
        if any(each.measured or each.why for each in cells):
            rows.append((row.title, cells))
    return (PROJECTS[project].requirement.replace("==", " "), rows) if rows else None


def _legend() -> Iterator[str]:
    for number, (column, title) in enumerate(COLUMNS.items()):
        x = _LABELS + 150 * number
        yield f'<rect class="{column}" x="{x}" y="32" width="{_BAR}" height="{_BAR}" rx="2"/>'
        yield f'<text class="quiet" x="{x + _BAR + 6}" y="42">{title}</text>'


def _drawn(title: str, rows: Rows, top: int, decades: int) -> Iterator[str]:
    bottom = top + _HEAD + len(rows) * _row_height()
    yield f'<text class="title" x="8" y="{top + 28}">{escape(title)}</text>'
    for decade in range(decades + 1):
        x = _LABELS + _AXIS * decade / decades
        seconds = _SHORTEST * 10**decade
        yield f'<line class="grid" x1="{x:.1f}" y1="{top + _HEAD - 6}" x2="{x:.1f}" y2="{bottom}"/>'
        yield f'<text class="quiet" x="{x:.1f}" y="{bottom + 14}" text-anchor="middle">{seconds:g} s</text>'
    for number, (name, cells) in enumerate(rows):
        y = top + _HEAD + number * _row_height()
        yield f'<text x="8" y="{y + 2 * _BAR}">{escape(name)}</text>'
        for place, (column, cell) in enumerate(zip(COLUMNS, cells, strict=True)):
            yield from _bar(column, cell, y + place * _BAR, decades)


def _bar(column: str, cell: Result, y: int, decades: int) -> Iterator[str]:
    if cell.seconds is None:
        if cell.why:
            yield _text(_LABELS + 4, y, "failed" if cell.failed else "not run", "quiet")
        return
    length = _AXIS * max(0.0, math.log10(max(cell.seconds, _SHORTEST) / _SHORTEST)) / decades
    yield f'<rect class="{column}" x="{_LABELS}" y="{y}" width="{max(length, 1):.1f}" height="{_BAR - 1}" rx="2"/>'
    yield _text(_LABELS + length + 5, y, f"{cell.seconds:.1f} s")


def _text(x: float, y: int, text: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text{name} x="{x:.1f}" y="{y + _BAR - 2}" style="font-size: 10px">{text}</text>'


def _row_height() -> int:
    return len(COLUMNS) * _BAR + _GAP
