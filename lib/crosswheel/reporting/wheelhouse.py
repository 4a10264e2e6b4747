"""The result of `wheelhouse` as a table, Markdown and JSON; failures are grouped by their reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crosswheel import __version__
from crosswheel.model.job import Failure
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import Document
from crosswheel.reporting.markdown import escape, row
from crosswheel.reporting.run import shown
from crosswheel.reporting.tables import Column, drawn, fitting
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import COMMAND, Line, count_text, names_text, reason_text, seconds_text
from crosswheel.trees.building import PackageOutcome
from crosswheel.trees.cells import Cell
from crosswheel.trees.uploads import ReleaseUpload
from crosswheel.trees.verdicts import Verdict

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SCHEMA = 1
_MARKS = {"built": "✔", "failed": "✘", "skipped": "-"}
_STYLES = {"built": "green", "failed": "red", "skipped": "yellow"}


class Gathered(Protocol):
    """A result of the verb."""

    @property
    def folder(self) -> Path: ...
    @property
    def outcomes(self) -> tuple[PackageOutcome, ...]: ...
    @property
    def missing(self) -> tuple[Verdict, ...]: ...
    @property
    def proof(self) -> Mapping[Cell, str]: ...
    @property
    def uploads(self) -> tuple[ReleaseUpload, ...]: ...
    @property
    def repository(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def dry_run(self) -> bool: ...


def wheelhouse_text(report: Gathered, console: Console | None = None) -> str:
    """The packages that were built, the failures by reason, and what the folder still lacks."""
    console = console or plain_console()
    parts: list[RenderableType] = []
    if report.outcomes:
        parts += [drawn(fitting(console, _COLUMNS, report.outcomes), report.outcomes), ""]
    parts += styled(_notes(report))
    return shown(console, parts)


def wheelhouse_markdown(report: Gathered) -> str:
    """The same as Markdown."""
    lines = [row(column.name for column in _COLUMNS), row("---" for _ in _COLUMNS)]
    table = [*lines, *(row(column.cell(one) for column in _COLUMNS) for one in report.outcomes)]
    notes = _notes(report)
    parts = ["### crosswheel: wheelhouse", "\n".join(table) if report.outcomes else ""]
    parts.append("\n".join(f"- {escape(text.strip())}" for _, text in notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _notes(report: Gathered) -> list[Line]:
    return [*_failure_lines(report.outcomes), *_closing(report), *_upload_lines(report)]


def wheelhouse_document(report: Gathered) -> Document:
    return {
        "schema": SCHEMA,
        "kind": "wheelhouse",
        "crosswheel": __version__,
        "seconds": round(report.seconds, 1),
        "packages": [_package(outcome) for outcome in report.outcomes],
        "missing": [
            {"name": verdict.name, "version": verdict.version or None, "cell": str(verdict.cell)}
            for verdict in report.missing
        ],
        "proof": [
            {"cell": str(cell), "installs": not reason, "reason": reason} for cell, reason in report.proof.items()
        ],
        "repository": report.repository or None,
        "uploads": [_upload(upload) for upload in report.uploads],
    }


def _upload(upload: ReleaseUpload) -> Document:
    return {
        "name": upload.release.name,
        "version": upload.release.version,
        "files": list(upload.release.files),
        "sent": list(upload.sent),
        "failure": _failure(upload.failure) if upload.failure else None,
    }


def _package(outcome: PackageOutcome) -> Document:
    return {
        "name": outcome.package.name,
        "version": outcome.package.version,
        "cells": [str(cell) for cell in outcome.package.cells],
        "state": outcome.state,
        "seconds": round(outcome.seconds, 1),
        "wheels": [path.name for path in outcome.wheels],
        "reason": outcome.reason or None,
        "failures": list(map(_failure, outcome.failures)),
    }


def _failure(failure: Failure) -> Document:
    return {
        "kind": failure.kind,
        "cause": failure.cause,
        "step": failure.step,
        "message": failure.message,
        "hint": failure.hint,
    }


_COLUMNS: list[Column[PackageOutcome]] = [
    Column(
        "package",
        lambda one: one_line(f"{_MARKS[one.state]} {one.package.name} {one.package.version}"),
        lambda one: _STYLES[one.state],
    ),
    Column("result", lambda one: one.state, lambda one: _STYLES[one.state]),
    Column("wheels", lambda one: str(len(one.wheels)), number=True),
    Column("time", lambda one: seconds_text(one.seconds), number=True, spare=1),
    Column("for", lambda one: names_text([str(cell) for cell in one.package.cells]), prose=True, spare=2),
]


# What a person has to do about the failures of these classes; other classes are told by their names.
_KINDS = {
    "BuildFailed": "the build failed, and its log does not say why in words that are known here",
    "TestFailed": "the wheel is built, and its test failed",
    "AuditFailed": "the wheel is built, and the audit found errors",
    "SourceError": "the sdist cannot be used",
    "WrongHash": "the index serves other bytes than it says",
    "MissingTool": "a tool is missing",
    "NothingToDo": "nothing on this machine can build it: a compiler of its language or an interpreter is missing",
}
# Two names of one task: to install a package with the headers.
_CAUSES = {"missing header": "a system library is missing", "missing library": "a system library is missing"}


def _failure_lines(outcomes: Sequence[PackageOutcome]) -> Iterator[Line]:
    """One block for each kind of failure; in it, the packages that the same reason stopped are together."""
    kinds: dict[str, dict[tuple[str, str], list[str]]] = defaultdict(lambda: defaultdict(list))
    for outcome in outcomes:
        for failure in outcome.failures:
            cause = _CAUSES.get(failure.cause, failure.cause)
            kind = cause or _KINDS.get(failure.kind, failure.kind)
            # A plan without jobs says in its further lines what each engine lacks.
            lines = failure.message.splitlines()
            message = " ".join(line.strip() for line in (lines if failure.kind == "NothingToDo" else lines[:1]))
            kinds[kind][message, failure.hint].append(outcome.package.name)
        if outcome.reason:
            kinds["not built"][outcome.reason, ""].append(outcome.package.name)
    for kind, reasons in kinds.items():
        yield "bold", f"{kind}:"
        for (message, hint), names in reasons.items():
            yield "red", f"  {names_text(list(dict.fromkeys(names)))}: {reason_text(message)}"
            if hint:
                yield COMMAND, f"    try: {one_line(hint)}"


def _closing(report: Gathered) -> Iterator[Line]:
    built = sum(outcome.state == "built" for outcome in report.outcomes)
    if report.dry_run:
        yield "bold", f"{count_text(len(report.outcomes), 'package')} would be built"
        return
    parts = [f"{built} of {count_text(len(report.outcomes), 'package')} built"]
    if report.missing:
        lacking = sorted({verdict.name for verdict in report.missing})
        parts.append(f"{count_text(len(report.missing), 'wheel')} missing: {names_text(lacking)}")
    parts.append(seconds_text(report.seconds))
    yield "bold red" if report.missing else "bold green", " · ".join(parts)
    for cell, reason in report.proof.items():
        if reason:
            yield "red", f"{cell} cannot be installed from the folder alone: {reason_text(reason)}"
    if report.proof and not any(report.proof.values()):
        yield "green", f"uv installs all of it from the folder alone, for {names_text(list(map(str, report.proof)))}"
    if not report.missing:
        yield COMMAND, f"    pip install --no-index --find-links {one_line(str(report.folder))} ..."


def _upload_lines(report: Gathered) -> Iterator[Line]:
    """What the index has now, and why it lacks the rest."""
    if not report.repository:
        return
    failed = [upload for upload in report.uploads if upload.failure]
    for upload in failed:
        assert upload.failure  # noqa: S101
        yield (
            "red",
            f"{one_line(str(upload.release))} is not on {report.repository}: {reason_text(upload.failure.message)}",
        )
        yield COMMAND, f"    try: {one_line(upload.failure.hint)}"
    sent = count_text(sum(len(upload.sent) for upload in report.uploads), "file")
    if report.dry_run:
        yield "bold", f"{sent} of this folder would be uploaded to {report.repository}"
        return
    ready = count_text(len(report.uploads) - len(failed), "release")
    yield "bold red" if failed else "bold green", f"{report.repository} serves {ready} of this tree · {sent} uploaded"
