"""A run as plain lines, for files and CI logs: whole lines, and a job's log in one piece."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, final

from crosswheel.model.job import Chore, Event, JobFinished, Note, Planned, StepStarted, Transfer
from crosswheel.reporting.folds import GitHubFold, GitLabFold
from crosswheel.reporting.untrusted import clean, one_line
from crosswheel.reporting.wording import (
    STYLES,
    Line,
    chore_text,
    count_text,
    failure_lines,
    headline,
    job_text,
    size_text,
)

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console


@final
class PlainDisplay:
    """A listener that prints a line when a step starts and when a job ends; safe to call from several threads."""

    def __init__(self, console: Console, fold: GitHubFold | GitLabFold | None = None) -> None:
        self._console = console
        self._fold = fold
        self._announced: set[str] = set()
        # The lines of one event stay together.
        self._lock = threading.Lock()

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to do: every line is written at once."""

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, Note):
                self._say([("", one_line(event.text))])
            elif isinstance(event, Chore):
                self._say([("", chore_text(event))])
            elif isinstance(event, Transfer):
                self._announce(event)
            elif isinstance(event, Planned):
                self._say([("", f"{count_text(len(event.plan.jobs), 'job')} to do")])
            elif isinstance(event, StepStarted):
                self._say([("", job_text(event.job, event.step, event.project))])
            elif isinstance(event, JobFinished):
                self._finish(event)

    def _announce(self, transfer: Transfer) -> None:
        """One line per file; progress is shown on terminals only."""
        if transfer.what not in self._announced:
            self._announced.add(transfer.what)
            size = f" ({size_text(transfer.total)})" if transfer.total is not None else ""
            doing = "sending" if transfer.sending else "fetching"
            self._say([("", f"{doing} {one_line(transfer.what)}{size}")])

    def _finish(self, event: JobFinished) -> None:
        outcome = event.outcome
        if self._fold and outcome.log and outcome.log.is_file():
            self._print_log(self._fold, event, outcome.log)
        else:
            self._say([(STYLES[outcome.status], headline(outcome, event.project))])
        self._say(failure_lines(outcome))
        annotation = self._fold.annotation(outcome.job, outcome.failure) if self._fold and outcome.failure else ""
        if annotation:
            self._write(annotation)

    def _print_log(self, fold: GitHubFold | GitLabFold, event: JobFinished, log: Path) -> None:
        outcome = event.outcome
        self._write(fold.opening(outcome.job, headline(outcome, event.project), outcome.seconds))
        try:
            for line in _log_lines(log):
                self._write(line)
        finally:
            # An open group would fold everything that follows.
            self._write(fold.closing(outcome.job))

    def _say(self, lines: Iterable[Line]) -> None:
        from rich.text import Text

        for style, line in lines:
            self._console.print(Text(line, style), soft_wrap=True)

    def _write(self, line: str) -> None:
        """Write without rich, which would remove the control characters."""
        self._console.file.write(line + "\n")
        self._console.file.flush()


def _log_lines(log: Path) -> Iterator[str]:
    try:
        # Only \n ends a line: a \r inside belongs to a progress bar, and `clean` handles it.
        text = log.open(encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        yield f"cannot read {one_line(str(log))}: {error.strerror}"
        return
    with text:
        yield from map(clean, text)
