"""The page as HTML: the views of its documents in a template that escapes every text.

The file is whole: styles and script are in it, and its policy (CSP level 3) forbids everything else, so that a text
from a build log could neither run nor load anything even if it were not escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from crosswheel import __version__
from crosswheel.model.job import EarlierRun
from crosswheel.reporting.page.drawing import Drawing, drawn_timeline
from crosswheel.reporting.page.history import Saved, highest, past_runs, saved
from crosswheel.reporting.page.inputs import Inputs, Run, as_described, project_of
from crosswheel.reporting.page.matrix import File, Matrix, files_of, matrix_of, rows_of, untested_of
from crosswheel.reporting.page.problems import Explained, Failed, Found, explained, failed_of, found_of
from crosswheel.reporting.page.trees import TreePage, tree_page
from crosswheel.reporting.timeline import Timeline, timeline_of
from crosswheel.reporting.untrusted import clean
from crosswheel.reporting.verdict import Verdict, release_verdict, run_verdict
from crosswheel.reporting.wording import about_text, count_text, seconds_text, size_text

if TYPE_CHECKING:
    from jinja2 import Environment, Template


_LONGEST = 4000  # letters of a text


@dataclass(frozen=True)
class RunPage:
    """What the page shows of a run."""

    report: Mapping[str, Any]
    project: str
    verdict: Verdict
    matrix: Matrix
    untested: tuple[tuple[str, list[str]], ...]
    files: tuple[File, ...]
    timeline: Timeline | None
    drawing: Drawing | None
    failed: tuple[Failed, ...]
    found: tuple[Found, ...]
    past: tuple[EarlierRun, ...]
    saved: tuple[Saved, ...]


@dataclass(frozen=True)
class ReleasePage:
    """What the page shows of a release."""

    release: Mapping[str, Any]
    verdict: Verdict


def page(inputs: Inputs, mark: str = "") -> str:
    """The page of these documents; `mark` is a word in its head that tells it from others.

    Raises UsageError for a document whose shape is not that of its schema.
    """
    with as_described():
        runs = tuple(_run(run) for run in inputs.runs)
        trees = tuple(tree_page(tree) for tree in inputs.trees)
        releases = tuple(ReleasePage(release, release_verdict(release)) for release in inputs.releases)
        return _template().render(
            title=_title(runs, trees, releases),
            runs=runs,
            trees=trees,
            releases=releases,
            rules=_rules(runs),
            made_by=__version__,
            mark=mark,
        )


def verdicts(inputs: Inputs) -> list[Verdict]:
    """One sentence for each run, tree and release."""
    return [
        *(run_verdict(run.report) for run in inputs.runs),
        *(tree_page(tree).verdict for tree in inputs.trees),
        *(release_verdict(release) for release in inputs.releases),
    ]


def _run(run: Run) -> RunPage:
    report = run.report
    timeline = timeline_of(report)
    return RunPage(
        report=report,
        project=project_of(report),
        verdict=run_verdict(report),
        matrix=matrix_of(report),
        untested=tuple(untested_of(report)),
        files=tuple(files_of(report)),
        timeline=timeline,
        drawing=drawn_timeline(timeline) if timeline else None,
        failed=tuple(failed_of(report)),
        found=tuple(found_of(report)),
        past=tuple(past_runs(run)),
        saved=tuple(saved(run)),
    )


def _rules(runs: Iterable[RunPage]) -> list[Explained]:
    return explained([found for run in runs for found in run.found])


def _title(runs: tuple[RunPage, ...], trees: tuple[TreePage, ...], releases: tuple[ReleasePage, ...]) -> str:
    projects = [_named(run.report, run.project) for run in runs]
    others = [
        *(tree.named for tree in trees),
        *(f"{one.release['name']} {one.release['version']}" for one in releases[:1]),
    ]
    return ", ".join(dict.fromkeys([*projects, *others])) or "nothing"


def _named(report: Mapping[str, Any], project: str) -> str:
    return f"{project} {report['sdist']['version']}" if report["sdist"] else project


def _moment(text: str) -> str:
    """``2026-11-30 12:15 UTC`` of a date and time in ISO 8601; other texts stay."""
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return text


def _harmless(value: object) -> object:
    """A text as it is shown: without control characters, and without those that turn the direction of writing."""
    # On a terminal a carriage return hides what is before it; here all is shown.
    return clean(value.replace("\r", " "))[:_LONGEST] if type(value) is str else value


@cache
def _template() -> Template:
    environment = _environment()
    return environment.get_template("page.html.jinja")


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True,
        finalize=_harmless,
        loader=PackageLoader("crosswheel.reporting.page"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(about=about_text, count=count_text, seconds=seconds_text, size=size_text, moment=_moment)
    loader = environment.loader
    assert loader  # noqa: S101
    for name in ("style.css", "script.js"):
        text = loader.get_source(environment, name)[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        kind = name.partition(".")[0]
        environment.globals[kind] = Markup(text)  # noqa: S704 - a file of this package
        environment.globals[f"{kind}_hash"] = digest
    environment.globals.update(highest=highest, rows_of=rows_of)
    return environment
