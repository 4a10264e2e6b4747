"""The numbers of a run as Markdown, and their place in a page that has prose around them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from measure import Measured
from results import COLUMNS, TAGS, Cell, Result, Results
from rows import NATIVE, ROWS
from targets import Target, targets

from projects import PROJECTS

BEGIN, END = "<!-- nox -s bench: begin -->", "<!-- nox -s bench: end -->"


def markdown(results: Results) -> str:
    notes: list[str] = []
    parts = [_about(results), "\n".join(_rows(results, notes))]
    if notes:
        parts.append("\n".join(f"{number}. {note}" for number, note in enumerate(notes, start=1)))
    if results.limits:
        parts += ["\n".join(_limits(targets(results))), *_ten(results), *_failed(results)]
    return "\n\n".join(parts) + "\n"


def put_into(page: Path, text: str) -> None:
    """Between the two markers."""
    before, begin, rest = page.read_text("utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page} lacks {BEGIN} and {END}: nowhere to put the table")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", "utf-8")


def _about(results: Results) -> str:
    about = results.about
    return f"{about['when']}: {about['machine']}; {about['versions']}; images {about['images']}."


def _rows(results: Results, notes: list[str]) -> Iterator[str]:
    heads = [f"{name}: s | CPU s | MiB" for name in COLUMNS.values()]
    yield f"| project | tags | row | {' | '.join(heads)} | cold, of native |"
    yield f"|---|---|---|{'---|' * (3 * len(COLUMNS) + 1)}"
    for project in PROJECTS:
        for tags in TAGS:
            for row, of in ROWS.items():
                cells = [results.cells.get(Cell(project, row, tags, column)) for column in COLUMNS]
                if any(cells):
                    shown = " | ".join(_shown(cell, notes) for cell in cells)
                    ratio = _ratio(results.seconds(project, row, tags), results.seconds(project, NATIVE, tags))
                    yield f"| {project} | {tags} | {of.title} | {shown} | {ratio} |"


def _shown(cell: Result | None, notes: list[str]) -> str:
    if cell is None:
        return " | | "
    note = cell.why or ("without a test" if cell.untested else "")
    if note and note not in notes:
        notes.append(note)
    mark = f"<sup>{notes.index(note) + 1}</sup>" if note else ""
    return f"{_numbers(cell.measured, mark)}" if cell.measured else f"✘{mark} | | " if cell.failed else f"-{mark} | | "


def _numbers(measured: Measured, mark: str) -> str:
    return f"{measured.seconds:.1f}{mark} | {measured.cpu:.1f} | {measured.peak / 2**20:.0f}"


def _ratio(one: float | None, other: float | None) -> str:
    return f"{one / other:.2f}" if one and other else ""


def _limits(reached: list[Target]) -> Iterator[str]:
    yield "| to reach | | measured | reached |"
    yield "|---|---|---|---|"
    for each in reached:
        mark = {True: "✔", False: "✘", None: ""}[each.reached]
        yield f"| {each.what} | {each.goal} | {each.measured} | {mark} |"


def _ten(results: Results) -> Iterator[str]:
    rows = results.limits.get("ten")
    if isinstance(rows, list):
        lines = ["| sdist | cross s | native s | ratio | cross MiB | native MiB |", "|---|---|---|---|---|---|"]
        for row in rows:
            cross, native = Measured(**row["cross"]), Measured(**row["native"])
            seconds = f"{cross.seconds:.1f} | {native.seconds:.1f} | {row['ratio']:.2f}"
            lines.append(f"| {row['project']} | {seconds} | {cross.peak / 2**20:.0f} | {native.peak / 2**20:.0f} |")
        yield "\n".join(lines)


def _failed(results: Results) -> Iterator[str]:
    for name, found in results.limits.items():
        if isinstance(found, dict) and "failed" in found:
            yield f"{name} failed: {found['failed']}"
