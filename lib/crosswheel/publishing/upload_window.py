"""How long an index accepts new files of a release: PyPI closes a release 14 days after its first file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from crosswheel.model.index_limits import IndexLimits
from crosswheel.publishing.published import PublishedFile


@dataclass(frozen=True)
class UploadWindow:
    """The time for new files of a release that has a file; `closes` is None if the index states no upload times."""

    open_for: timedelta
    closes: datetime | None

    def days_left(self, now: datetime) -> int | None:
        """Whole days: 0 on the last day, negative after it; None if `closes` is unknown."""
        return (self.closes - now).days if self.closes else None


def upload_window(limits: IndexLimits | None, release: Iterable[PublishedFile]) -> UploadWindow | None:
    """The window of a release with these files; None if the index has no such rule, or no file of the release."""
    files = tuple(release)
    if not limits or not files:
        return None
    opened = opened_at(files)
    return UploadWindow(limits.open_for, opened and opened + limits.open_for)


def opened_at(release: Iterable[PublishedFile]) -> datetime | None:
    """The upload time of the first file, None if unknown; the release is older if an older file was deleted."""
    return min((file.uploaded for file in release if file.uploaded), default=None)
