"""`status`: show the state of a release. Runs, sends and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswheel.auditing.rules.wheelhouse import Entry
from crosswheel.auditing.run import Audit
from crosswheel.commands.audit import audited, targets_of
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.check import builds_of
from crosswheel.commands.result import Result
from crosswheel.errors import Incomplete
from crosswheel.formats.distributions import read_distributions
from crosswheel.model.job import Listener
from crosswheel.publishing.published import published_project, release_files, version_of
from crosswheel.publishing.repositories import find_repository
from crosswheel.publishing.status import Made, ReleaseStatus, lacking, last_release, standings
from crosswheel.publishing.upload_window import upload_window
from crosswheel.reporting.document import Document
from crosswheel.reporting.status import status_document, status_text
from crosswheel.system.pip_settings import read_pip_settings
from crosswheel.system.process import Processes

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import Paths, PathText, StatusOptions


@dataclass(frozen=True)
class StatusReport(Result, ReleaseStatus):
    """The state of a release: `.standings` per target and file; `.lacking` lists platforms lost since the last one."""

    @property
    def exit_code(self) -> int:
        """0 if the index serves all that was planned, exactly as it was built."""
        return 0 if self.complete else Incomplete.exit_code

    def document(self) -> Document:
        return status_document(self)

    def text(self, console: Console | None = None) -> str:
        return status_text(self, console)


@public
def status(
    wheels: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[StatusOptions],
) -> StatusReport:
    """Show the state of a release, target by target. Runs, sends and changes nothing.

    `wheels` are wheels, sdists and folders of them; default: the output folder. `project` is the folder whose
    pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`) while it works.

    Returns a StatusReport: `.standings`, `.lacking`, `.ok` (users get all that was planned), `.exit_code`,
    `.document()` (what --json writes); str() is the table.
    Raises UsageError for wrong options, NothingToDo where there is no file, IndexUnreachable, NoCredentials.
    """
    return from_code(run, "status", project, listener, {"wheels": wheels, **options})


def run(call: Call) -> StatusReport:
    config, files = call.config, read_distributions(call.config.output.files)
    name, version = files[0].name, files[0].version
    settings = read_pip_settings(Processes(), call.environ)
    repository = find_repository(config.release.repository, config, call.environ, settings)
    there = published_project(repository, name, call.listener)
    audits = tuple(audited([file.path for file in files if file.kind == "wheel"], call))
    builds = builds_of(files)
    entries = tuple(audit.entry for audit in audits if audit.entry)
    planned = dict.fromkeys((*targets_of(entries, config, call.project), *(build.target for build in builds)))
    served = release_files(there.files, name, version)
    versions = {file: found for file in there.files if (found := version_of(file, name))}
    last, before = last_release(there.files, versions, version)
    names = [*(file.filename for file in files), *served]
    return StatusReport(
        name=name,
        version=version,
        repository=repository.name,
        standings=standings(Made(tuple(files), _passed(audits), builds), planned, served),
        last=last,
        lacking=tuple(lacking(before, names, _requires_python(entries))),
        project_status=there.status,
        status_reason=there.status_reason,
        window=upload_window(repository.limits, served.values()),
    )


def _passed(audits: Sequence[Audit]) -> Mapping[str, bool]:
    return {audit.path.name: audit.passed for audit in audits}


def _requires_python(entries: Sequence[Entry]) -> str:
    """The common Requires-Python of the wheels; empty if they differ."""
    told = {text for entry in entries for text in entry.fields.get("Requires-Python", [""])}
    return told.pop() if len(told) == 1 else ""
