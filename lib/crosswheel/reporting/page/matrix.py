"""The wheels of a run by Python and platform."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crosswheel.reporting.wording import MARKS, reason_text, size_text

SYMBOLS = dict[str, str]([*MARKS.items(), ("unfinished", MARKS["cancelled"])])
"""The symbol of a state, for those who do not see its colour."""
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")
_LEGACY = {"manylinux1_": "2.5", "manylinux2010_": "2.12", "manylinux2014_": "2.17"}  # PEP 513, 571, 599
_MUSLLINUX = re.compile(r"musllinux_(\d+)_(\d+)_")


@dataclass(frozen=True)
class Cell:
    """A target: its state, and what its wheel is."""

    target: str
    status: str
    engine: str
    tested: str
    size: str
    floor: str
    sha256: str
    failed_in: str
    worst: str
    """The level of the worst finding that counts; empty without one."""

    @property
    def symbol(self) -> str:
        return SYMBOLS.get(self.status, "?")


@dataclass(frozen=True)
class File:
    """A wheel, and the targets that it serves."""

    name: str
    size: str
    sha256: str
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """Cells by Python, then by platform."""

    pythons: tuple[str, ...]
    platforms: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]


def matrix_of(report: Mapping[str, Any]) -> Matrix:
    """Of the document of a report."""
    cells = {(str(job["python"]), _platform(job)): _cell(job) for job in report["jobs"]}
    pythons = sorted({python for python, _ in cells}, key=_python_order)
    return Matrix(tuple(pythons), tuple(sorted({platform for _, platform in cells})), cells)


def files_of(report: Mapping[str, Any]) -> list[File]:
    """Each wheel once, in the order of the jobs."""
    targets: dict[str, list[str]] = defaultdict(list)
    wheels: dict[str, Mapping[str, Any]] = {}
    for job in report["jobs"]:
        if wheel := job["wheel"]:
            wheels[wheel["file"]] = wheel
            targets[wheel["file"]].append(job["target"])
    return [
        File(name, size_text(wheel["size"]), wheel["sha256"], tuple(targets[name])) for name, wheel in wheels.items()
    ]


def untested_of(report: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """The reasons why wheels were not tested, each with its targets; an empty reason where none is known."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for job in report["jobs"]:
        if job["wheel"] and not job["tested"]:
            reasons[reason_text(job.get("untested", ""))].append(job["target"])
    return list(reasons.items())


def floor_of(tag: str) -> str:
    """The oldest C library that a wheel's tag allows: ``glibc 2.17``, ``musl 1.2``; empty for others (PEP 600, 656)."""
    platforms = tag.rpartition("-")[2]
    versions = [(int(major), int(minor)) for major, minor in _MANYLINUX.findall(platforms)]
    if versions:
        return "glibc {}.{}".format(*min(versions))
    for name, version in _LEGACY.items():
        if name in platforms:
            return f"glibc {version}"
    found = _MUSLLINUX.search(platforms)
    return f"musl {found[1]}.{found[2]}" if found else ""


def _platform(job: Mapping[str, Any]) -> str:
    return f"{job['policy']}_{job['arch']}"


def _python_order(tag: str) -> tuple[int, str]:
    digits = re.search(r"\d+", tag)
    return int(digits[0][1:] or 0) if digits else 0, tag


def _cell(job: Mapping[str, Any]) -> Cell:
    wheel, failure = job["wheel"], job["failure"]
    counted = [finding["level"] for finding in job["findings"] if not finding["ignored"]]
    return Cell(
        target=job["target"],
        status=job["status"],
        engine=job["engine"],
        tested=_tested(job) if wheel else "",
        size=size_text(wheel["size"]) if wheel else "",
        floor=floor_of(wheel["tag"]) if wheel else "",
        sha256=wheel["sha256"] if wheel else "",
        failed_in=failure["step"] if failure else "",
        worst=next((level for level in ("error", "warning") if level in counted), ""),
    )


def _tested(job: Mapping[str, Any]) -> str:
    """How it was tested; empty if it was not."""
    if not job["tested"]:
        return ""
    how = job.get("tested_how") or "on its architecture"
    return f"tested {how}{', by an earlier run' if job.get('tested_before') else ''}"


def rows_of(matrix: Matrix) -> Iterator[tuple[str, list[Cell | None]]]:
    """The Pythons with their cells in the order of the platforms; None for a target that is not in the plan."""
    for python in matrix.pythons:
        yield python, [matrix.cells.get((python, platform)) for platform in matrix.platforms]
