"""`report`: write the page of runs, trees and releases from their JSON files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.errors import NothingToDo
from crosswheel.model.config import Output
from crosswheel.model.job import Listener
from crosswheel.reporting.document import SCHEMA, Document, write_json, write_text
from crosswheel.reporting.page.beside import NAME
from crosswheel.reporting.run import page_text
from crosswheel.reporting.trace import trace_document
from crosswheel.reporting.verdict import Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import Paths, PathText, ReportOptions


@dataclass(frozen=True)
class Page(Result):
    """The page that was written: `.path`, `.trace` if one was asked for, and a verdict for each part."""

    path: Path
    trace: Path | None
    verdicts: tuple[Verdict, ...]

    def document(self) -> Document:
        return {
            "schema": SCHEMA,
            "kind": "page",
            "page": str(self.path),
            "trace": str(self.trace) if self.trace else None,
            "verdicts": [{"mood": verdict.mood, "text": verdict.text} for verdict in self.verdicts],
        }

    def text(self, console: Console | None = None) -> str:
        return page_text(self.verdicts, [self.path, *([self.trace] if self.trace else [])], console)


@public
def report(
    reports: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[ReportOptions],
) -> Page:
    """Write one HTML file that shows runs, trees and releases. Runs, fetches and sends nothing.

    `reports` are report.json of runs, release.json, and files of `readiness --json`; of several runs of a project the
    newest is shown, and the others are its history. Default: report.json and release.json of the output folder.
    `project` is the folder whose pyproject.toml counts. `listener` is not called.

    Returns a Page: `.path`, `.trace`, `.verdicts` (a sentence for each part), `.document()`; str() is the sentences.
    Raises UsageError for a file that is none of these, NothingToDo without a file, DiskFull.
    """
    return from_code(run, "report", project, listener, {"reports": reports, **options})


def run(call: Call) -> Page:
    from crosswheel.reporting.page.html import page, verdicts
    from crosswheel.reporting.page.inputs import read_documents

    output = call.config.output
    files = output.reports or _beside(output)
    if not files:
        raise NothingToDo(
            f"there is no report.json in {output.folder}", hint="crosswheel wheels, or the names of files"
        )
    inputs = read_documents(files)
    path = output.page or files[0].parent / NAME
    write_text(path, page(inputs))
    if output.trace:
        if not inputs.runs:
            raise NothingToDo("none of these files is the report of a run", hint="the name of a report.json")
        write_json(output.trace, trace_document(inputs.runs[0].report))
    return Page(path, output.trace, tuple(verdicts(inputs)))


def _beside(output: Output) -> Sequence[Path]:
    """The documents in the output folder."""
    return [path for name in ("report.json", "release.json") if (path := output.folder / name).is_file()]
