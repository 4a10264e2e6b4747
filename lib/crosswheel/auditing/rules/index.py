"""82x: files about to be sent, compared with the index's files of their project and with its limits.

The limits of PyPI and TestPyPI are in `data/indexes.toml`; the project status is PEP 792, for every index.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from crosswheel.auditing.rules.archive import TooLarge
from crosswheel.auditing.rules.release import SdistTooLarge
from crosswheel.auditing.rules.rule import Worded
from crosswheel.formats.distributions import Distribution
from crosswheel.model.index_limits import IndexLimits
from crosswheel.model.job import Finding

_CLOSED = {"archived", "quarantined"}


@dataclass(frozen=True)
class Submission:
    """The files of a release that an index lacks, and the project's state on the index before the upload.

    `stored` is the size of all the project's files on the index in bytes, `largest` that of the largest; unknown sizes
    count as 0. `opened` is the upload time of the first file of this release, None if there is none or it is unknown.
    `limits` is None for an index without known limits.
    """

    files: tuple[Distribution, ...]
    now: datetime
    limits: IndexLimits | None = None
    status: str = ""
    status_reason: str = ""
    stored: int = 0
    largest: int = 0
    opened: datetime | None = None
    sdists: tuple[str, ...] = ()

    @property
    def project(self) -> str:
        return self.files[0].name

    @property
    def release(self) -> str:
        return f"{self.project} {self.files[0].version}"


class IndexRule(Worded, ABC):
    """A reason for an index to refuse files; findings name a file, the release or the project."""

    @abstractmethod
    def check(self, submission: Submission) -> Iterator[Finding]:
        """Yield a finding for every violation."""


class ProjectClosed(IndexRule):
    """The project is archived or quarantined on the index and accepts no files."""

    code = "W820"
    why = "The index refuses files of an archived project, and does not serve a quarantined one (PEP 792)."
    fix = "archived: unarchive the project in its settings on the index; quarantined: ask the index's staff"

    def check(self, submission: Submission) -> Iterator[Finding]:
        if submission.status in _CLOSED:
            reason = f": {submission.status_reason}" if submission.status_reason else ""
            yield self.finding(member=submission.project, found=f"{submission.status}{reason}", expected="active")


class ReleaseClosed(IndexRule):
    """The release accepts no more files: its first file was uploaded too long ago."""

    code = "W821"
    why = "The index refuses every new file of the release with status 400, and the release cannot be reopened."
    fix = "give these files a new version, such as the post-release 1.0.post1, and release all of them"

    def check(self, submission: Submission) -> Iterator[Finding]:
        limits, opened = submission.limits, submission.opened
        if limits and opened and submission.now > opened + limits.open_for:
            found = f"first file sent {opened:%Y-%m-%d}, {(submission.now - opened).days} days ago"
            yield self.finding(
                member=submission.release, found=found, expected=f"at most {limits.open_for.days} days ago"
            )


class ProjectTooLarge(IndexRule):
    """The upload would exceed the index's size limit for the project."""

    code = "W822"
    why = "The index refuses the first file beyond the limit, and the release stays incomplete."
    fix = (
        "delete old releases on the index (yanking frees nothing), or ask it for a higher limit; granted one:"
        " [tool.crosswheel.ignore] W822 = the reason"
    )

    def check(self, submission: Submission) -> Iterator[Finding]:
        sending = sum(file.size for file in submission.files)
        limits, total = submission.limits, submission.stored + sending
        # A project that is already above the limit has a higher limit of its own, which the index does not state.
        if limits and submission.stored <= limits.project_size < total:
            found = f"{submission.stored} bytes there and {sending} to send"
            yield self.finding(member=submission.project, found=found, expected=f"at most {limits.project_size} bytes")


class SecondSdist(IndexRule):
    """The index has another sdist of this release."""

    code = "W823"
    why = "The index accepts one sdist per release, even if only the spelling of the names differs."
    fix = "leave the sdist out of this upload, or give the release a new version"

    def check(self, submission: Submission) -> Iterator[Finding]:
        for file in submission.files:
            if submission.limits and file.kind == "sdist" and submission.sdists:
                yield self.finding(member=file.filename, found=", ".join(submission.sdists), expected="no other sdist")


def too_large(submission: Submission) -> Iterator[Finding]:
    """Files beyond the index's limit for one file: W508 for a wheel and W804 for an sdist, as in an audit.

    An index that has a file as large has granted the project more.
    """
    if not submission.limits:
        return
    limit = max(submission.limits.file_size, submission.largest)
    for file in submission.files:
        if file.size > limit:
            rule = TooLarge() if file.kind == "wheel" else SdistTooLarge()
            found, expected = f"{file.size} bytes", f"at most {limit} bytes"
            yield replace(rule.finding(member=file.filename, found=found, expected=expected), level="error")


_ANSWERS: dict[str, type[Worded]] = {
    r"releases older than \d+ days": ReleaseClosed,
    r"project size too large": ProjectTooLarge,
    r"one sdist may be uploaded": SecondSdist,
    r"file too large": TooLarge,
}
"""What PyPI's answers have in them when it refuses a file for one of these rules (as of August 2026)."""


def remedy_for(answer: str) -> str:
    """The fix of the rule that an index enforced with this answer to an upload; empty if it is about something else."""
    return next((rule.fix for words, rule in _ANSWERS.items() if re.search(words, answer, re.IGNORECASE)), "")
