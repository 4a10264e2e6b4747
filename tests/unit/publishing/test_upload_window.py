"""How long an index takes new files of a release."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from crosswheel.model.index_limits import pypi_limits
from crosswheel.publishing.published import PublishedFile
from crosswheel.publishing.upload_window import UploadWindow, upload_window

NOON = datetime(2026, 11, 16, 12, tzinfo=timezone.utc)


def file(uploaded: datetime | None) -> PublishedFile:
    return PublishedFile("tiny-1.0.tar.gz", "", None, "", yanked=False, url="", uploaded=uploaded)


def test_it_begins_with_the_first_file() -> None:
    files = [file(NOON + timedelta(days=3)), file(NOON), file(None)]
    window = upload_window(pypi_limits(), files)
    assert window == UploadWindow(timedelta(days=14), NOON + timedelta(days=14))
    assert [window.days_left(NOON + timedelta(days=days)) for days in (0, 0.5, 13.5, 14.5)] == [14, 13, 0, -1]


def test_it_is_unknown_without_upload_times() -> None:
    window = upload_window(pypi_limits(), [file(None)])
    assert window == UploadWindow(timedelta(days=14), None)
    assert window.days_left(NOON) is None


def test_there_is_none_without_a_rule_or_a_file() -> None:
    assert upload_window(None, [file(NOON)]) is None
    assert upload_window(pypi_limits(), []) is None
