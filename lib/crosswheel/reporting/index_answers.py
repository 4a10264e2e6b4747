"""What an index states about a project besides its files: its status, and how long a release accepts new files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from crosswheel.publishing.upload_window import UploadWindow
from crosswheel.reporting.document import Document
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import Line, count_text, reason_text

_STATUS_STYLES = {"archived": "yellow", "deprecated": "yellow", "quarantined": "bold red"}
_SOON = 3  # days


def status_lines(project: str, index: str, status: str, reason: str) -> Iterator[Line]:
    """One line if the project is not active (PEP 792)."""
    if status:
        told = f": {reason_text(reason)}" if reason else ""
        yield _STATUS_STYLES.get(status, "yellow"), f"{project} is {one_line(status)} on {one_line(index)}{told}"


def window_lines(release: str, index: str, window: UploadWindow | None) -> Iterator[Line]:
    """One line if the index closes releases; `release` is name and version, such as ``tiny 1.0``."""
    if not window:
        return
    left, index = window.days_left(datetime.now(timezone.utc)), one_line(index)
    if window.closes is None or left is None:
        rule = f"{index} accepts new files of a release for {window.open_for.days} days"
        yield "yellow", f"{rule}; the days left for {release} are unknown: the index states no upload times"
    elif left < 0:
        yield "yellow", f"{index} accepts no new files of {release} since {window.closes:%Y-%m-%d}"
    else:
        until = f"{window.closes:%Y-%m-%d %H:%M} UTC"
        style = "yellow" if left < _SOON else ""
        yield style, f"{index} accepts new files of {release} until {until}: {count_text(left, 'day')} left"


def answers_document(status: str, reason: str, window: UploadWindow | None) -> Document:
    """`closes` is null if the release has no end or the end is unknown; `days_left` is negative after it."""
    return {
        "project_status": status or None,
        "status_reason": reason or None,
        "closes": window.closes.isoformat(timespec="seconds") if window and window.closes else None,
        "days_left": window.days_left(datetime.now(timezone.utc)) if window else None,
    }
