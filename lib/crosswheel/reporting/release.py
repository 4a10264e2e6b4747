"""The texts of `release`: a line before each stage, its result, and the question before the upload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosswheel.model.job import Fact, Stage
from crosswheel.reporting.console import styled
from crosswheel.reporting.run import shown
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import count_text

if TYPE_CHECKING:
    from rich.console import Console

    from crosswheel.formats.distributions import Distribution


def stage_text(stage: Stage, console: Console) -> str:
    return shown(console, styled([("bold", f"{stage.number}/{stage.count} {stage.name}: {one_line(stage.aim)}")]))


def fact_text(fact: Fact, console: Console) -> str:
    style, mark = ("green", "✔") if fact.holds else ("yellow", "-")
    return shown(console, styled([(style, f"{mark} {one_line(fact.text)}")]))


def question_text(file: Distribution, count: int, repository: str) -> str:
    """The question; the answer is typed on the same line."""
    files = count_text(count, "file")
    return f"Send {files} of {file.name} {file.version} to {one_line(repository)}? This cannot be undone. [y/N] "
