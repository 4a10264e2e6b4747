"""A run on a terminal: finished jobs scroll up; running jobs and downloads stay below and are redrawn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from crosswheel.model.job import Chore, Event, Job, JobFinished, Note, Planned, Progress, StepStarted, Transfer
from crosswheel.model.targets import Target
from crosswheel.reporting.console import Guarded, styled
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import (
    STYLES,
    Line,
    chore_text,
    count_text,
    failure_lines,
    headline,
    project_text,
    seconds_text,
    size_text,
)

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_REFRESHES_PER_SECOND = 5
_BAR_WIDTH = 24
# seconds without news after which a download of unknown length, or an abandoned one, counts as over
_SILENCE = 10.0


@dataclass(frozen=True)
class _Running:
    job: Job
    step: str
    since: float
    project: str


@dataclass(frozen=True)
class _Download:
    transfer: Transfer
    heard: float


@final
class LiveDisplay:
    """A listener and context manager that draws on a terminal; safe to call from several threads."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self._console = console
        self._clock = clock
        # By project and target, because a job may continue on another engine.
        self._running: dict[tuple[str, Target], _Running] = {}
        self._downloads: dict[str, _Download] = {}
        self._chores: dict[str, float] = {}
        self._progress = Progress("", 0, 0)
        self._began = clock()
        self._jobs = 0
        self._done = 0
        self._lock = threading.Lock()
        # One spinner for all rows: a new one at each refresh would never move.
        self._spinner = Spinner("line", style="cyan")
        self._live = Live(
            console=console,
            get_renderable=self._view,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Update what runs, then print what ended; printing redraws and so takes the lock again."""
        if isinstance(event, Note):
            self._say([("", one_line(event.text))])
        elif isinstance(event, Chore):
            self._keep_chore(event)
        elif isinstance(event, Transfer):
            self._keep_download(event)
        elif isinstance(event, Planned):
            with self._lock:
                self._jobs = len(event.plan.jobs)
        elif isinstance(event, StepStarted):
            with self._lock:
                running = _Running(event.job, event.step, self._clock(), event.project)
                self._running[event.project, event.job.target] = running
        elif isinstance(event, Progress):
            with self._lock:
                self._progress = event
        elif isinstance(event, JobFinished):
            self._finish(event)

    def _keep_chore(self, chore: Chore) -> None:
        with self._lock:
            if chore.seconds is None:
                self._chores[chore.text] = self._clock()
            else:
                self._chores.pop(chore.text, None)
        if chore.seconds is not None:
            self._say([("dim", chore_text(chore))])

    def _keep_download(self, transfer: Transfer) -> None:
        ended = transfer.total is not None and transfer.done >= transfer.total
        with self._lock:
            known = self._downloads.pop(transfer.what, None)
            if not ended:
                self._downloads[transfer.what] = _Download(transfer, self._clock())
        if ended and known:
            did = "sent" if transfer.sending else "fetched"
            self._say([("dim", f"{did} {one_line(transfer.what)} ({size_text(transfer.done)})")])

    def _finish(self, event: JobFinished) -> None:
        with self._lock:
            self._running.pop((event.project, event.outcome.job.target), None)
            self._done += 1
        self._say(
            [(STYLES[event.outcome.status], headline(event.outcome, event.project)), *failure_lines(event.outcome)]
        )

    def _say(self, lines: Iterable[Line]) -> None:
        from rich.console import Group

        # Printing draws the last view again: it must not show a job that has ended.
        self._live.refresh()
        # One print call for all lines, so that lines of two jobs do not mix.
        self._console.print(Group(*styled(lines)), crop=False)

    def _view(self) -> RenderableType:
        from rich.console import Group

        with self._lock:
            now = self._clock()
            return Guarded(Group(*self._tables(now)))

    def _tables(self, now: float) -> Iterator[Table | Text]:
        """The tables to draw; empty ones are left out, as each would be drawn as an empty line."""
        from rich.text import Text

        downloads = [download for download in self._downloads.values() if now - download.heard < _SILENCE]
        if self._chores:
            yield self._chores_table(now)
        if self._running:
            yield self._jobs_table(now)
        if self._done < self._jobs:
            yield Text(f"{self._done} of {count_text(self._jobs, 'job')} done", "dim")
        if self._progress.done < self._progress.total:
            yield _progress_table(self._progress, now - self._began)
        if downloads:
            yield _downloads_table(download.transfer for download in downloads)

    def _chores_table(self, now: float) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2, 0, 0))
        for text, since in self._chores.items():
            table.add_row(self._spinner, Text(one_line(text)), seconds_text(now - since))
        return table

    def _jobs_table(self, now: float) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column()
        table.add_column(min_width=29)
        table.add_column()
        table.add_column(justify="right")
        for running in self._running.values():
            job, elapsed = running.job, seconds_text(now - running.since)
            name = f"{project_text(running.project)}{job.target}"
            table.add_row(self._spinner, Text(name), Text(running.step, "cyan"), elapsed, Text(job.engine, "dim"))
        return table


def _progress_table(progress: Progress, seconds: float) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    bar = ProgressBar(total=progress.total, completed=progress.done, width=_BAR_WIDTH)
    table.add_row(progress.doing, bar, f"{progress.done} of {progress.total}", seconds_text(seconds))
    return table


def _downloads_table(transfers: Iterable[Transfer]) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    for transfer in transfers:
        total = size_text(transfer.total) if transfer.total is not None else "?"
        table.add_row(
            Text(one_line(transfer.what)),
            ProgressBar(total=transfer.total, completed=transfer.done, width=_BAR_WIDTH),
            Text(f"{size_text(transfer.done)} of {total}"),
        )
    return table
