"""What was measured, cell by cell: kept in a JSON file that is whole after each of them, and read from it again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from measure import Measured

COLUMNS: Mapping[str, str] = {"cold": "cold", "warm": "nothing changed", "changed": "one file changed"}
TAGS = (1, 2, 4)


@dataclass(frozen=True)
class Cell:
    """One row of one project, for so many Python tags, in one column."""

    project: str
    row: str
    tags: int
    column: str

    def __str__(self) -> str:
        return f"{self.project}, {self.row}, {self.tags} tag{'s' * (self.tags > 1)}, {COLUMNS[self.column]}"


@dataclass(frozen=True)
class Result:
    """What a run took, or why there is no number: it was `not_run`, or it `failed` with these last lines of its log."""

    measured: Measured | None = None
    not_run: str = ""
    failed: str = ""
    tail: tuple[str, ...] = ()
    untested: bool = False

    @property
    def seconds(self) -> float | None:
        return self.measured.seconds if self.measured else None

    @property
    def why(self) -> str:
        return self.failed or self.not_run


@dataclass
class Results:
    """`about` says of what machine, images and versions they are; `limits` has what each part of limits.py measured."""

    about: Mapping[str, Any]
    cells: dict[Cell, Result] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)

    def seconds(self, project: str, row: str, tags: int = 1, column: str = "cold") -> float | None:
        """None where there is no number."""
        result = self.cells.get(Cell(project, row, tags, column))
        return result.seconds if result else None

    def write(self, path: Path) -> None:
        cells = [{**asdict(cell), **_written(result)} for cell, result in self.cells.items()]
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps({"about": self.about, "cells": cells, "limits": self.limits}, indent=1) + "\n")
        draft.replace(path)


def read(path: Path) -> Results:
    document = json.loads(path.read_text())
    return Results(document["about"], dict(_read_cells(document["cells"])), document["limits"])


def _written(result: Result) -> dict[str, Any]:
    """Without what is empty."""
    return {name: value for name, value in asdict(result).items() if value}


def _read_cells(rows: list[dict[str, Any]]) -> Iterator[tuple[Cell, Result]]:
    for row in rows:
        measured = Measured(**row["measured"]) if "measured" in row else None
        yield (
            Cell(row["project"], row["row"], row["tags"], row["column"]),
            Result(
                measured,
                row.get("not_run", ""),
                row.get("failed", ""),
                tuple(row.get("tail", ())),
                row.get("untested", False),
            ),
        )
