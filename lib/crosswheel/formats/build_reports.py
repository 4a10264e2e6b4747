"""Reads the build records beside wheels: report.json of `wheels`, and report-NAME.json of other machines."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from crosswheel.errors import CheckFailed, UsageError
from crosswheel.formats.uncompiled import NOT_COMPILED, NOT_RUN, NOT_THERE, Uncompiled
from crosswheel.model.job import StepTime
from crosswheel.model.targets import Target, parse_target
from crosswheel.system.pages import read_json


@dataclass(frozen=True)
class Build:
    """The build record of one target; `file` and `sha256` are of the wheel that serves it, empty if there is none.

    `status` as in `Outcome`, or ``unfinished``; `untested` is the reason for a missing test, empty if it was tested.
    """

    target: Target
    status: str
    engine: str
    image: str = ""
    file: str = ""
    sha256: str = ""
    tested: bool = False
    untested: str = ""
    note: str = ""
    steps: tuple[StepTime, ...] = ()
    crosswheel: str = ""


def read_builds(folder: Path, name: NormalizedName, version: Version) -> tuple[Build, ...]:
    """The latest build record of each target of a release; empty without reports.

    Raises CheckFailed for a report that cannot be read.
    """
    reports = [document for path in sorted(folder.glob("report*.json")) if (document := _read(path))]
    latest: dict[Target, Build] = {}
    for document in sorted(reports, key=lambda document: str(document.get("started"))):
        if _is_of(document, name, version):
            latest.update({build.target: build for build in _builds(document)})
    return tuple(latest.values())


def read_lacking(folder: Path) -> dict[str, tuple[Uncompiled, ...]]:
    """What builds went on without, by the wheel's sha256; a wheel's bytes do not show it.

    Unreadable reports are ignored here; `check` reports them.
    """
    found: dict[str, tuple[Uncompiled, ...]] = {}
    for path in sorted(folder.glob("report*.json")):
        with suppress(CheckFailed, LookupError, TypeError, AttributeError, OSError):
            for job in (_read(path) or {"jobs": []})["jobs"]:
                if job["wheel"]:
                    rows = [row for row in job["findings"] if row["rule"] in {NOT_COMPILED, NOT_RUN, NOT_THERE}]
                    lacking = (
                        Uncompiled(str(row["member"]), str(row["found"]), str(row["fix"]), str(row["rule"]))
                        for row in rows
                    )
                    found[str(job["wheel"]["sha256"])] = tuple(lacking)
    return found


def _read(path: Path) -> dict[str, Any] | None:
    """The report; None if the file only has a similar name."""
    try:
        document = read_json(path)
    except ValueError as error:
        raise CheckFailed(f"{path} is not a report of `wheels`: {error}", hint=f"rm {path}") from error
    return document if isinstance(document, dict) and document.get("kind") == "report" else None


def _is_of(document: dict[str, Any], name: NormalizedName, version: Version) -> bool:
    sdist = document.get("sdist") or {}
    try:
        return (canonicalize_name(sdist["name"]), Version(sdist["version"])) == (name, version)
    except (LookupError, TypeError, InvalidVersion):
        return False


def _builds(document: dict[str, Any]) -> list[Build]:
    try:
        return [_build(job, str(document.get("crosswheel", ""))) for job in document["jobs"]]
    except (LookupError, TypeError, AttributeError, UsageError) as error:
        raise CheckFailed(
            f"a report beside the wheels is not a report of `wheels`: {error!r}", hint="rm the report*.json there"
        ) from error


def _build(job: dict[str, Any], crosswheel: str) -> Build:
    wheel = job["wheel"] or {}
    return Build(
        target=parse_target(job["target"]),
        status=job["status"],
        engine=job["engine"],
        image=job["image"] or "",
        file=wheel.get("file", ""),
        sha256=wheel.get("sha256", ""),
        tested=job["tested"],
        untested=job["untested"],
        note=job["note"],
        steps=tuple(StepTime(step["step"], step["seconds"]) for step in job["steps"]),
        crosswheel=crosswheel,
    )
