"""How long an index takes new files of a release: PyPI closes one a number of days after its first file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from crosswheel.model.index_limits import IndexLimits
from crosswheel.release.published import PublishedFile


@dataclass(frozen=True)
class UploadWindow:
    """The time for new files of a release that has a file; `closes` is None where the index gives no upload times."""

    open_for: timedelta
    closes: datetime | None

    def days_left(self, now: datetime) -> int | None:
        """Whole days, 0 for the last one and negative when it is over; None where nobody knows."""
        return (self.closes - now).days if self.closes else None


def upload_window(limits: IndexLimits | None, release: Iterable[PublishedFile]) -> UploadWindow | None:
    """The window of a release by its files; None where the index has no such rule, or no file of the release yet."""
    files = tuple(release)
    if not limits or not files:
        return None
    opened = opened_at(files)
    return UploadWindow(limits.open_for, opened and opened + limits.open_for)


def opened_at(release: Iterable[PublishedFile]) -> datetime | None:
    """When the first of these files came; the release may be older, where an older file was deleted."""
    return min((file.uploaded for file in release if file.uploaded), default=None)
