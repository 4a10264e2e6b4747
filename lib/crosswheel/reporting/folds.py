"""Folded groups of CI services: a full build log takes one line on the page."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from crosswheel.model.job import Failure, Job
from crosswheel.reporting.untrusted import lines, one_line


@dataclass(frozen=True)
class GitHubFold:
    """GitHub Actions: workflow commands; while the log is printed, commands in the log are stopped.

    https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    """

    # The token is made after the log was written, so the log cannot contain it.
    token: str = field(default_factory=lambda: secrets.token_hex(16))

    def opening(self, _job: Job, title: str, _seconds: float) -> str:
        return f"::group::{_data(title)}\n::stop-commands::{self.token}"

    def closing(self, _job: Job) -> str:
        return f"::{self.token}::\n::endgroup::"

    def annotation(self, job: Job, failure: Failure) -> str:
        title = _property(f"{job.target}: {one_line(failure.step)} failed")
        hint = [f"try: {one_line(failure.hint)}"] if failure.hint else []
        return f"::error title={title}::{_data(chr(10).join([*lines(failure.message), *hint]))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


@dataclass(frozen=True)
class GitLabFold:
    """GitLab CI: section markers; they need control characters, which cleaned log lines do not contain.

    https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
    """

    clock: Callable[[], float] = time.time

    def opening(self, job: Job, title: str, seconds: float) -> str:
        # GitLab shows end minus start as the duration: a start in the past shows the job's.
        start = int(self.clock() - seconds)
        return f"\x1b[0Ksection_start:{start}:crosswheel_{job.target}[collapsed=true]\r\x1b[0K{title}"

    def closing(self, job: Job) -> str:
        return f"\x1b[0Ksection_end:{int(self.clock())}:crosswheel_{job.target}\r\x1b[0K"

    def annotation(self, _job: Job, _failure: Failure) -> str:
        """GitLab has no annotations."""
        return ""


def fold_for(environ: Mapping[str, str]) -> GitHubFold | GitLabFold | None:
    """The fold of the CI service that this process runs on, or None."""
    if environ.get("GITHUB_ACTIONS") == "true":
        return GitHubFold()
    if environ.get("GITLAB_CI") == "true":
        return GitLabFold()
    return None
