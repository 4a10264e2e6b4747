"""The file of a CI system: what became of it, and the jobs in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.untrusted import clean, one_line
from crosswheel.reporting.wording import count_text
from crosswheel.workflows.groups import Group
from crosswheel.workflows.systems import System

if TYPE_CHECKING:
    from rich.console import Console


def ci_document(system: System, state: str, groups: Sequence[Group], difference: Sequence[str]) -> Document:
    """The file, its state, the jobs that build as a matrix, and the lines that differ."""
    return {
        "schema": SCHEMA,
        "kind": "ci",
        "crosswheel": __version__,
        "system": system.name,
        "file": system.path,
        "state": state,
        "matrix": {"include": [_row(group) for group in groups]},
        "difference": list(difference),
    }


def _row(group: Group) -> Document:
    return {
        "name": group.name,
        "runner": group.runner,
        "arch": group.arch,
        "engine": group.engine,
        "python": [str(tag) for tag in group.pythons],
    }


def ci_text(
    system: System,
    state: str,
    groups: Sequence[Group],
    difference: Sequence[str],
    environment: str,
    _console: Console | None = None,
) -> str:
    """The jobs that build, what would change or has changed, and what is left to do by hand."""
    width = max(len(group.name) for group in groups)
    lines = [f"{group.name:<{width}}  on {one_line(group.runner)}: {group.python}" for group in groups]
    if state in {"missing", "different"}:
        lines += ["", *map(clean, difference), ""]
    lines.append(f"{system.path} {_OUTCOMES[state]} · {count_text(len(groups), 'job')} for {system.title}")
    if state == "written" and system.publisher:
        lines.append(f"  once: on PyPI, add a trusted publisher: {system.publisher}, environment {environment}")
    elif state == "written":
        lines.append(f"  once: in {system.title}, set TWINE_USERNAME and TWINE_PASSWORD, a token of the index")
    return "\n".join(lines) + "\n"


_OUTCOMES = {
    "same": "is as it should be",
    "written": "was written",
    "missing": "does not exist",
    "different": "would be changed",
}
