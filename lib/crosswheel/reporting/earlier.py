"""The earlier runs of a project, as the report of the last one in the same folder tells them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from crosswheel.model.job import EarlierRun
from crosswheel.system.pages import read_json

_MOST = 20


def earlier_runs(path: Path, project: str) -> tuple[EarlierRun, ...]:
    """The run of this report.json and those before it, newest first; none if it is missing or another project's."""
    # What no crosswheel wrote tells nothing, and is no reason for a run to fail.
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError):
        report = read_json(path)
        if report["kind"] == "report" and report["sdist"]["name"] == project:
            return (run_of(report), *earlier_of(report))[:_MOST]
    return ()


def run_of(report: Mapping[str, Any]) -> EarlierRun:
    """What later reports say of this one."""
    totals, sdist = report["totals"], report["sdist"]
    return EarlierRun(
        started=str(report["started"]),
        version=str(sdist["version"]) if sdist else "",
        jobs=int(totals["jobs"]),
        built=int(totals["built"]),
        failed=int(totals["failed"]),
        wheels=int(totals["wheels"]),
        bytes=int(totals["bytes"]),
        seconds=float(report["seconds"]),
    )


def earlier_of(report: Mapping[str, Any]) -> tuple[EarlierRun, ...]:
    """The earlier runs that a report names."""
    names = EarlierRun.__dataclass_fields__
    return tuple(EarlierRun(**{name: run[name] for name in names}) for run in report.get("earlier", ()))
