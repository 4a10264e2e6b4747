"""The documents that a page is made from: reports, judged trees and releases, told apart by their kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from crosswheel.errors import UsageError
from crosswheel.reporting.document import REPORT_SCHEMA, SCHEMA
from crosswheel.system.pages import read_json

Document: TypeAlias = dict[str, Any]

_NEWEST = {"report": REPORT_SCHEMA, "readiness": SCHEMA, "release": SCHEMA}


@dataclass(frozen=True)
class Run:
    """The newest report of a project, and its older ones, newest first."""

    report: Document
    older: tuple[Document, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """What a page shows; releases are newest first."""

    runs: tuple[Run, ...] = ()
    trees: tuple[Document, ...] = ()
    releases: tuple[Document, ...] = ()


def read_documents(paths: Iterable[Path]) -> Inputs:
    """The documents in these files. Raises UsageError for a file that is none."""
    documents = [_read(path) for path in paths]
    with as_described():
        return inputs_of(documents)


@contextmanager
def as_described() -> Iterator[None]:
    """Raise UsageError where a document has not the shape that its schema describes."""
    from jinja2 import TemplateError

    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, TemplateError) as error:
        said = f"{type(error).__name__}: {error}"
        raise UsageError(f"a document is not as its schema describes it ({said})", hint="crosswheel wheels") from error


def inputs_of(documents: Iterable[Document]) -> Inputs:
    """The documents by kind; a report belongs to the runs of its project."""
    found = list(documents)
    projects: dict[str, list[Document]] = {}
    for report in found:
        if report["kind"] == "report":
            projects.setdefault(project_of(report), []).append(report)
    ordered = (
        sorted(reports, key=lambda report: str(report["started"]), reverse=True) for reports in projects.values()
    )
    releases = [document for document in found if document["kind"] == "release"]
    return Inputs(
        runs=tuple(Run(newest, tuple(older)) for newest, *older in ordered),
        trees=tuple(tree for document in found if document["kind"] == "readiness" for tree in document["trees"]),
        releases=tuple(sorted(releases, key=lambda release: str(release["released"]), reverse=True)),
    )


def project_of(report: Mapping[str, Any]) -> str:
    """The name of the project of a report; its source, if no sdist was made."""
    return str(report["sdist"]["name"] if report["sdist"] else report["source"])


def _read(path: Path) -> Document:
    try:
        document = read_json(path)
    except OSError as error:
        hint = "crosswheel wheels, which writes report.json" if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"cannot read {path}: {error.strerror}", hint=hint) from error
    except ValueError as error:
        raise UsageError(f"{path} cannot be read as JSON: {error}", hint=f"head -c 200 {path}") from error
    if problem := next(_problems(document), ""):
        raise UsageError(
            f"{path} {problem}", hint="name a report.json, a release.json, or what `readiness --json` wrote"
        )
    return dict(document)


def _problems(document: Any) -> Iterator[str]:
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind not in _NEWEST:
        yield "has no report, readiness or release"
    elif (schema := document.get("schema")) not in range(1, _NEWEST[kind] + 1) or schema is True:
        yield f"has schema {schema!r}, and this release of crosswheel knows 1 to {_NEWEST[kind]}"
