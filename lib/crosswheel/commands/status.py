"""`status`: how far a release has come, at any time; nothing is run, sent or changed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

from crosswheel.audit.rules.wheelhouse import Entry
from crosswheel.audit.run import Audit, audit_files
from crosswheel.commands.audit import targets_of
from crosswheel.commands.check import builds_of
from crosswheel.commands.settings import settings
from crosswheel.errors import Incomplete, explaining
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.model.config import Config
from crosswheel.release.published import published_files, release_files, version_of
from crosswheel.release.repositories import find_repository
from crosswheel.release.status import Made, ReleaseStatus, lacking, last_release, standings
from crosswheel.report.audit import in_progress
from crosswheel.report.console import console_for
from crosswheel.report.document import write_json
from crosswheel.report.status import status_document, status_text
from crosswheel.system.package_index import read_pip_settings
from crosswheel.system.process import Processes


@explaining()
def status(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show it target by target; 0 where users get all that was planned, exactly as it was built."""
    config = settings(project, options)
    done = release_status(read_distributions(config.output.files), config, project, stream)
    stream.write(status_text(done, console_for(stream, os.environ)))
    stream.flush()
    if config.output.json:
        write_json(config.output.json, status_document(done))
    return 0 if done.complete else Incomplete.exit_code


def release_status(files: Sequence[Distribution], config: Config, project: Path, stream: TextIO) -> ReleaseStatus:
    """Of the files here and on the index; on `stream` is the progress. Raises IndexUnreachable."""
    name, version = files[0].name, files[0].version
    repository = find_repository(
        config.release.repository, config, os.environ, read_pip_settings(Processes(), os.environ)
    )
    published = published_files(repository, name)
    wheels = [file.path for file in files if file.kind == "wheel"]
    with closing(audit_files(wheels, config.audit.ignore, config.build.jobs)) as under_way:
        audits = tuple(in_progress(under_way, len(wheels), stream, os.environ))
    builds = builds_of(files)
    entries = tuple(audit.entry for audit in audits if audit.entry)
    planned = dict.fromkeys((*targets_of(entries, config, project), *(build.target for build in builds)))
    requires_python = _requires_python(entries)
    served = release_files(published, name, version)
    versions = {file: found for file in published if (found := version_of(file, name))}
    last, before = last_release(published, versions, version)
    return ReleaseStatus(
        name=name,
        version=version,
        repository=repository.name,
        standings=standings(Made(tuple(files), _passed(audits), builds), planned, served),
        last=last,
        lacking=tuple(lacking(before, [*(file.filename for file in files), *served], requires_python)),
    )


def _passed(audits: Sequence[Audit]) -> Mapping[str, bool]:
    return {audit.path.name: not any(finding.is_error for finding in audit.findings) for audit in audits}


def _requires_python(entries: Sequence[Entry]) -> str:
    """Where wheels do not agree, no Python counts as given up."""
    told = {text for entry in entries for text in entry.fields.get("Requires-Python", [""])}
    return told.pop() if len(told) == 1 else ""
