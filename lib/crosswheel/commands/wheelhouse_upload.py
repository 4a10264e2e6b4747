"""The upload of a wheelhouse to an index of one's own: each release of the tree is audited, uploaded and verified."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from crosswheel.commands.call import Call
from crosswheel.commands.check import checked
from crosswheel.commands.upload import delivered, rehearsed
from crosswheel.commands.verify import verified
from crosswheel.errors import (
    CheckFailed,
    CrosswheelError,
    IndexUnreachable,
    NoCredentials,
    TooManyRequests,
    UsageError,
    VerifyFailed,
)
from crosswheel.formats.distributions import Distribution, read_distribution
from crosswheel.model.job import Failure, chore, deaf
from crosswheel.publishing.delivery import connect
from crosswheel.publishing.repositories import Repository, find_repository
from crosswheel.reporting.wording import count_text
from crosswheel.system.local_host import LocalHost
from crosswheel.trees.uploads import Release, ReleaseUpload

# Rules for a project's own releases. A wheelhouse has wheels of other projects, and no sdists.
_OF_RELEASES = dict.fromkeys(("W508", "W707", "W807", "W808"), "for releases of one's own project")
# After these errors the next release would fail as well.
_OF_THE_INDEX = {error.__name__ for error in (IndexUnreachable, NoCredentials, TooManyRequests, VerifyFailed)}


def find_destination(call: Call, host: LocalHost) -> Repository | None:
    """The index that `repository` names, or None. Raises UsageError, NoCredentials before anything is built."""
    if not call.config.release.repository:
        return None
    repository = find_repository(call.config.release.repository, call.config, call.environ, host.index.settings)
    if repository.is_pypi:
        raise UsageError(
            f"repository: {repository.name} is for releases of your own projects, and a wheelhouse has those of others",
            hint="--repository with an index of your own; crosswheel upload WHEELS for your project",
        )
    if not call.config.output.dry_run:
        with connect(repository, deaf):
            pass
    return repository


def upload_releases(
    repository: Repository, releases: Sequence[Release], folder: Path, call: Call
) -> Iterator[ReleaseUpload]:
    """Check each release, upload the files that the index lacks, and read them back; with --dry-run, only look.

    An error of one release does not stop the others, unless it is one of the index.
    """
    ignore = {**_OF_RELEASES, **call.config.audit.ignore}
    call = replace(call, config=replace(call.config, audit=replace(call.config.audit, ignore=ignore)))
    down = ""
    for at, release in enumerate(releases, start=1):
        with chore(f"{release} to {repository.name}, {at} of {len(releases)}", call.listener):
            upload = _attempted(repository, release, folder, call, down)
        down = down or (upload.failure.kind if upload.failure and upload.failure.kind in _OF_THE_INDEX else "")
        yield upload


def _attempted(repository: Repository, release: Release, folder: Path, call: Call, down: str) -> ReleaseUpload:
    """The upload of a release, or why it failed; with `down`, the error of the index, it is not tried."""
    if down:
        hint = "the same command again, when the index answers"
        return ReleaseUpload(release, failure=Failure(down, 1, "upload", f"not tried after {down}", hint))
    try:
        return _upload(repository, release, folder, call)
    except CrosswheelError as error:
        kind = type(error).__name__
        return ReleaseUpload(release, failure=Failure(kind, error.exit_code, "upload", error.message, error.hint))


def _upload(repository: Repository, release: Release, folder: Path, call: Call) -> ReleaseUpload:
    files = tuple(read_distribution(folder / name) for name in release.files)
    if call.config.output.dry_run:
        sent = rehearsed(repository, files, call)
    else:
        _refuse_unfit(files, call)
        sent = delivered(repository, files, call)
        if failure := verified(repository, files, release.cells, call).found.failure:
            raise failure
    return ReleaseUpload(release, tuple(file.filename for file in sent.files))


def _refuse_unfit(files: Sequence[Distribution], call: Call) -> None:
    """Raise CheckFailed for files with errors."""
    errors = [finding for finding in checked(files, replace(call, listener=deaf)).findings if finding.is_error]
    if errors:
        raise CheckFailed(
            f"not sent: {count_text(len(errors), 'error')}, first {errors[0].rule}: {errors[0].message}",
            hint=f"crosswheel check {files[0].path}; a reason for {errors[0].rule} under `ignore` lets it pass",
        )
