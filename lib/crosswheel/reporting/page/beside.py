"""report.html beside the report.json of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from crosswheel.reporting.document import write_text
from crosswheel.reporting.page.inputs import Inputs, Run, project_of
from crosswheel.system.pages import read_json

NAME = "report.html"
_HEAD = 4096  # letters of a page in which its mark is


def write_page(folder: Path, report: Mapping[str, Any]) -> None:
    """Write the page of a report, with the release.json of its project if the folder has one.

    A run that found every wheel in the journal leaves the page of the run that built them, which has more to show, as
    long as that page has the same wheels, tests, findings and release. Raises UsageError, DiskFull.
    """
    release = _release(folder, project_of(report))
    mark = _mark(report, release)
    if not _did_anything(report) and _is_marked(folder / NAME, mark):
        return
    from crosswheel.reporting.page.html import page  # jinja2 takes longer than all else here

    releases = (release,) if release else ()
    write_text(folder / NAME, page(Inputs(runs=(Run(dict(report)),), releases=releases), mark))


def _release(folder: Path, project: str) -> dict[str, Any] | None:
    """The release.json of the project in the folder; None without one."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        release = read_json(folder / "release.json")
        if release.get("kind") == "release" and release.get("name") == project:
            return dict(release)
    return None


def _did_anything(report: Mapping[str, Any]) -> bool:
    """Whether a job built or tested something, or did not end well."""
    idle = {"kept", "reused", "pure"}
    return any(
        job["status"] not in idle or any(step["step"] in {"build", "test"} for step in job["steps"])
        for job in report["jobs"]
    )


def _mark(report: Mapping[str, Any], release: Mapping[str, Any] | None) -> str:
    """A sha256 of what the page says of the wheels, whatever it took to make them."""
    shown = ("target", "engine", "image", "tested", "untested", "findings", "differences")
    jobs = [[*(job.get(name) for name in shown), job["wheel"] and job["wheel"]["sha256"]] for job in report["jobs"]]
    text = json.dumps([report["crosswheel"], report["source"], jobs, report["left_out"], release], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _is_marked(path: Path, mark: str) -> bool:
    with suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        return mark in file.read(_HEAD)
    return False
