"""The texts of `release`: a line before each stage, its result, and the question before the upload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswheel.formats.distributions import Distribution
from crosswheel.release.repositories import Repository
from crosswheel.report.console import styled
from crosswheel.report.run import shown
from crosswheel.report.untrusted import one_line
from crosswheel.report.wording import count_text

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Stage:
    """One stage of a release and its aim; a dry run skips the stages `after_sending`."""

    name: str
    aim: str
    after_sending: bool = False


def stage_text(stage: Stage, number: int, count: int, console: Console) -> str:
    return shown(console, styled([("bold", f"{number}/{count} {stage.name}: {one_line(stage.aim)}")]))


def fact_text(fact: str, console: Console) -> str:
    return shown(console, styled([("green", f"✔ {one_line(fact)}")]))


def skipped_text(console: Console) -> str:
    return shown(console, styled([("yellow", "- skipped: a dry run sends nothing")]))


def question_text(file: Distribution, count: int, repository: Repository) -> str:
    """The question; the answer is typed on the same line."""
    files = count_text(count, "file")
    return f"Send {files} of {file.name} {file.version} to {one_line(repository.name)}? This cannot be undone. [y/N] "
