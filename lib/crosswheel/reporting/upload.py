"""The result of an upload as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.formats.distributions import Distribution
from crosswheel.publishing.comparison import Sent
from crosswheel.publishing.published import release_files
from crosswheel.publishing.repositories import Repository
from crosswheel.publishing.upload_window import UploadWindow, upload_window
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.index_answers import answers_document, status_lines, window_lines
from crosswheel.reporting.run import shown
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import Line, count_text, reason_text, seconds_text, size_text

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True)
class Sending:
    """The files of a release, and those of them that were sent; in a dry run, those that would be sent."""

    repository: Repository
    distributions: tuple[Distribution, ...]
    sent: Sent
    dry_run: bool
    seconds: float

    @property
    def release(self) -> str:
        return f"{self.distributions[0].name} {self.distributions[0].version}"

    @property
    def window(self) -> UploadWindow | None:
        """How long the index takes more files of the release."""
        first = self.distributions[0]
        release = release_files(self.sent.project.files, first.name, first.version)
        return upload_window(self.repository.limits, release.values())

    def state(self, distribution: Distribution) -> str:
        if distribution not in self.sent.files:
            return "there"
        return "missing" if self.dry_run else "sent"


_MARKS = {"there": "✔", "sent": "✔", "missing": "-"}
_STYLES = {"there": "", "sent": "green", "missing": "yellow"}


def upload_text(sending: Sending, console: Console | None = None) -> str:
    """One line per file, then the totals."""
    name, project = sending.repository.name, sending.sent.project
    lines = [
        *_file_lines(sending),
        *_unseen(sending),
        *status_lines(sending.distributions[0].name, name, project.status, project.status_reason),
        *window_lines(sending.release, name, sending.window),
        _closing(sending),
    ]
    return shown(console or plain_console(), styled(lines))


def upload_document(sending: Sending) -> Document:
    return {
        "schema": SCHEMA,
        "kind": "upload",
        "crosswheel": __version__,
        "repository": sending.repository.name,
        "upload_url": sending.repository.upload_url,
        "simple_url": sending.repository.simple_url,
        "dry_run": sending.dry_run,
        "unseen": sending.sent.unseen or None,
        "seconds": round(sending.seconds, 3),
        **answers_document(sending.sent.project.status, sending.sent.project.status_reason, sending.window),
        "files": [_file(sending, distribution) for distribution in sending.distributions],
    }


def _file_lines(sending: Sending) -> Iterator[Line]:
    width = max((len(distribution.filename) for distribution in sending.distributions), default=0)
    for distribution in sending.distributions:
        state = sending.state(distribution)
        name, size = f"{one_line(distribution.filename):<{width}}", size_text(distribution.size)
        yield _STYLES[state], f"{_MARKS[state]} {name}  {state:<7}  {size:>10}  {distribution.sha256[:12]}"


def _unseen(sending: Sending) -> Iterator[Line]:
    if sending.sent.unseen:
        reason = reason_text(sending.sent.unseen)
        yield "yellow", f"could not check whether {one_line(sending.repository.name)} lists the files: {reason}"


def _closing(sending: Sending) -> Line:
    name = one_line(sending.repository.name)
    sent, there = len(sending.sent.files), len(sending.distributions) - len(sending.sent.files)
    if sending.dry_run:
        style = "bold yellow" if sent else "bold green"
        return style, f"{count_text(sent, 'file')} to send to {name}, {there} already there"
    parts = (f"{count_text(sent, 'file')} sent to {name}, {there} already there", seconds_text(sending.seconds))
    return "bold green", " · ".join(parts)


def _file(sending: Sending, distribution: Distribution) -> Document:
    return {
        "file": distribution.filename,
        "path": str(distribution.path),
        "kind": distribution.kind,
        "size": distribution.size,
        "sha256": distribution.sha256,
        "state": sending.state(distribution),
    }
