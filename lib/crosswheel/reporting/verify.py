"""The result of a verification as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.formats.distributions import Distribution
from crosswheel.publishing.verification import HINT, Verification
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.index_answers import status_lines
from crosswheel.reporting.run import shown
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import COMMAND, Line, count_text, names_text, seconds_text, size_text

if TYPE_CHECKING:
    from rich.console import Console


def verify_text(verification: Verification, console: Console | None = None) -> str:
    """One line per file and per target, with differences below it, then the totals."""
    lines = [
        *_file_lines(verification),
        *_other_lines(verification),
        *_target_lines(verification),
        *_note_lines(verification),
        _closing(verification),
    ]
    return shown(
        console or plain_console(), styled([*lines, *([] if verification.ok else [(COMMAND, f"  try: {HINT}")])])
    )


def verify_document(verification: Verification) -> Document:
    name, version = verification.files[0].name, str(verification.files[0].version)
    return {
        "schema": SCHEMA,
        "kind": "verify",
        "crosswheel": __version__,
        "repository": verification.repository.name,
        "simple_url": verification.repository.simple_url,
        "name": name,
        "version": version,
        "ok": verification.ok,
        "looks": verification.looks,
        "seconds": round(verification.seconds, 3),
        "files": [_file(verification, file) for file in verification.files],
        "targets": [
            {"target": str(choice.target), "file": choice.filename, "sha256": choice.sha256}
            for choice in verification.choices
        ],
        "differences": [asdict(difference) for difference in verification.differences],
        "untold": list(verification.untold),
        "unchosen": list(verification.unchosen),
        "attested": list(verification.attested),
        "project_status": verification.project_status or None,
        "status_reason": verification.status_reason or None,
        "fetched": verification.fetched,
    }


def _file_lines(verification: Verification) -> Iterator[Line]:
    width = max(len(file.filename) for file in verification.files)
    for file in verification.files:
        differs = list(_differences(verification, file.filename))
        style, mark = ("red", "✘") if differs else ("green", "✔")
        yield style, f"{mark} {one_line(file.filename):<{width}}  {size_text(file.size):>10}  {file.sha256[:12]}"
        yield from differs


def _target_lines(verification: Verification) -> Iterator[Line]:
    width = max((len(str(choice.target)) for choice in verification.choices), default=0)
    for choice in verification.choices:
        yield "green", f"✔ {choice.target!s:<{width}}  {one_line(choice.filename)}"


def _other_lines(verification: Verification) -> Iterator[Line]:
    """Differences that concern no file of the wheelhouse: extra files, and targets."""
    ours = {file.filename for file in verification.files}
    for subject in dict.fromkeys(difference.subject for difference in verification.differences):
        if subject not in ours:
            yield "red", f"✘ {one_line(subject)}"
            yield from _differences(verification, subject)


def _differences(verification: Verification, subject: str) -> Iterator[Line]:
    for one in verification.differences:
        if one.subject == subject:
            yield "red", f"    {one.what}: found {one_line(one.found)}, expected {one_line(one.expected)}"


def _note_lines(verification: Verification) -> Iterator[Line]:
    project, index = verification.files[0].name, verification.repository.name
    yield from status_lines(project, index, verification.project_status, verification.status_reason)
    if verification.untold and verification.published:
        yield "", f"not compared, the index does not state: {', '.join(verification.untold)}"
    if verification.choices and verification.unchosen:
        yield "yellow", f"chosen for no target: {names_text([one_line(name) for name in verification.unchosen])}"


def _closing(verification: Verification) -> Line:
    name, release = one_line(verification.repository.name), verification.release
    differ = f"{count_text(len(verification.differences), 'difference')} between {release} and {name}"
    chosen = f"chosen for {count_text(len(verification.choices), 'target')}"
    parts = [
        f"{name} serves {release} exactly as built" if verification.ok else differ,
        count_text(len(verification.files), "file"),
        chosen if verification.choices else "pip was not asked",
        *([f"provenance of {count_text(len(verification.proved), 'file')}"] if verification.proved else []),
        *([f"audited {one_line(verification.fetched)}"] if verification.fetched else []),
        *([count_text(verification.looks, "look")] if verification.looks > 1 else []),
        seconds_text(verification.seconds),
    ]
    return f"bold {'green' if verification.ok else 'red'}", " · ".join(parts)


def _file(verification: Verification, file: Distribution) -> Document:
    return {
        "file": file.filename,
        "path": str(file.path),
        "kind": file.kind,
        "size": file.size,
        "sha256": file.sha256,
        "state": _state(verification, file),
        "targets": [str(choice.target) for choice in verification.choices if choice.filename == file.filename],
    }


def _state(verification: Verification, file: Distribution) -> str:
    if all(there.filename != file.filename for there in verification.published):
        return "missing"
    return "differs" if any(one.subject == file.filename for one in verification.differences) else "same"
