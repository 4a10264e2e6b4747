"""`upload`: upload the files of a release that the index lacks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from crosswheel.commands.audit import audited
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.check import refuse_changed
from crosswheel.commands.result import Result
from crosswheel.errors import AuditFailed
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.model.job import Listener
from crosswheel.publishing.comparison import Sent, in_order
from crosswheel.publishing.published import published_project
from crosswheel.publishing.repositories import Repository, find_repository
from crosswheel.reporting.document import Document
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.upload import Sending, upload_document, upload_text
from crosswheel.steps.upload import rehearse
from crosswheel.steps.upload import upload as send
from crosswheel.system.pip_settings import read_pip_settings
from crosswheel.system.process import Processes
from crosswheel.system.scratch import clear_abandoned

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import Paths, PathText, UploadOptions


@dataclass(frozen=True)
class UploadReport(Result, Sending):
    """The files of a release in `.distributions`, and those that were `.sent` (in a dry run: would be)."""

    def document(self) -> Document:
        return upload_document(self)

    def text(self, console: Console | None = None) -> str:
        return upload_text(self, console)


@public
def upload(
    wheels: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[UploadOptions],
) -> UploadReport:
    """Audit the wheels of a release, then upload the files that the index lacks, one after the other.

    `wheels` are wheels, sdists and folders of them; default: the output folder. `project` is the folder whose
    pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`) while it works.

    Returns an UploadReport: `.distributions`, `.sent.files`, `.repository`, `.ok`, `.exit_code`, `.document()` (what
    --json writes); str() is the text. Called again, it sends what is still missing.
    Raises AuditFailed, FileClash, NoCredentials, CheckFailed, and UploadFailed where the index would refuse a file,
    before anything is sent; then UploadFailed, IndexUnreachable and VerifyFailed; UsageError for wrong options,
    NothingToDo where there is no file.
    """
    return from_code(run, "upload", project, listener, {"wheels": wheels, **options})


def run(call: Call) -> UploadReport:
    config, began = call.config, time.monotonic()
    files = in_order(read_distributions(config.output.files), sdist_first=config.release.sdist_first)
    settings = read_pip_settings(Processes(), call.environ)
    repository = find_repository(config.release.repository, config, call.environ, settings)
    _refuse_bad_wheels(files, call)
    sent = (rehearsed if config.output.dry_run else delivered)(repository, files, call)
    return UploadReport(repository, files, sent, config.output.dry_run, time.monotonic() - began)


def rehearsed(repository: Repository, files: Sequence[Distribution], call: Call) -> Sent:
    """The files that the index lacks. Raises FileClash, UploadFailed if it would refuse one, IndexUnreachable."""
    there = published_project(repository, files[0].name, call.listener)
    return rehearse(repository, files, there, ignore=call.config.audit.ignore)


def delivered(repository: Repository, files: Sequence[Distribution], call: Call) -> Sent:
    """Upload the files that the index lacks. Raises as `steps.upload.upload` does."""
    clear_abandoned()
    return send(
        repository,
        files,
        partial(published_project, repository, files[0].name, call.listener),
        call.listener,
        ignore=call.config.audit.ignore,
        sdist_first=call.config.release.sdist_first,
        patience=call.config.release.patience,
    )


def _refuse_bad_wheels(files: Sequence[Distribution], call: Call) -> None:
    """Audit the wheels: an upload cannot be taken back. Raises AuditFailed, CheckFailed."""
    audits = list(audited([file.path for file in files if file.kind == "wheel"], call))
    refuse_changed(files, audits)
    bad = [audit.path for audit in audits if not audit.passed]
    if bad:
        names = ", ".join(one_line(path.name) for path in bad)
        raise AuditFailed(
            f"nothing was sent: the audit found errors in {names}",
            hint=f"crosswheel audit {' '.join(map(str, bad))}",
        )
