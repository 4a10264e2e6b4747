"""`check`: everything that an index, a user or twine would complain of, before anything is sent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from crosswheel.audit.rules.release import Release
from crosswheel.audit.rules.wheelhouse import Wheelhouse
from crosswheel.audit.run import Audit, AuditReport, audit_files, audit_together
from crosswheel.commands.audit import broken_sdists, targets_of
from crosswheel.commands.settings import settings
from crosswheel.errors import CheckFailed, NotReleasable, explaining
from crosswheel.formats.build_reports import Build, read_builds
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.model.config import Config
from crosswheel.model.job import Artifact, Finding
from crosswheel.model.pyproject import declared_name
from crosswheel.report.audit import audit_document, audit_text, in_progress
from crosswheel.report.console import console_for
from crosswheel.report.document import write_json
from crosswheel.steps.check import check as check_release
from crosswheel.steps.check import describe, graver
from crosswheel.system.git import Checkout, read_checkout
from crosswheel.system.process import Processes


@explaining()
def check(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show what is wrong with each file of a release and with all of them together; nothing is run, sent or fetched."""
    config = settings(project, options)
    done = checked(read_distributions(config.output.files), config, project, stream)
    stream.write(audit_text(done, console_for(stream, os.environ)))
    stream.flush()
    if config.output.json:
        write_json(config.output.json, audit_document(done, "check"))
    return CheckFailed.exit_code if any(finding.is_error for finding in done.findings) else 0


def checked(files: Sequence[Distribution], config: Config, project: Path, stream: TextIO) -> AuditReport:
    """An audit of the wheels, and beside it what only a release has to answer for; on `stream` is the progress."""
    began = time.monotonic()
    wheels, sdists = (tuple(file.path for file in files if file.kind == kind) for kind in ("wheel", "sdist"))
    with closing(audit_files(wheels, config.audit.ignore, config.build.jobs)) as under_way:
        audits = [*in_progress(under_way, len(wheels), stream, os.environ)]
    refuse_changed(files, audits)
    audits += _sdist_audits(files, config.audit.ignore)
    release = _release(files, audits, config, project)
    entries = tuple(audit.entry for audit in audits if audit.entry)
    planned = (*targets_of(entries, config, project), *(build.target for build in release.builds))
    wheelhouse = Wheelhouse(entries, tuple(path.name for path in sdists), tuple(dict.fromkeys(planned)))
    findings = check_release(release, config.audit.ignore)
    return AuditReport(
        audits=tuple(_with_its_own(audit, findings, config.release.repository) for audit in audits),
        sdists=sdists,
        together=(
            *graver(audit_together(wheelhouse, config.audit.ignore), config.release.repository),
            *(finding for finding in findings if finding.member == release.name),
        ),
        seconds=time.monotonic() - began,
    )


def refuse_changed(files: Iterable[Distribution], audits: Iterable[Audit]) -> None:
    """What is said of other bytes says nothing of these. Raises CheckFailed."""
    ours = {file.path: file.sha256 for file in files}
    for audit in audits:
        if audit.wheel and audit.wheel.sha256 != ours[audit.path]:
            raise CheckFailed(
                f"{audit.path.name} has changed since it was looked at first", hint="the same command again"
            )


def _sdist_audits(files: Sequence[Distribution], ignore: Mapping[str, str]) -> Iterator[Audit]:
    """That they can be read is all that an audit has to say of them."""
    for file in files:
        if file.kind == "sdist":
            read = Artifact(file.path, file.size, file.sha256, tag="")
            yield next(broken_sdists([file.path], ignore), Audit(file.path, (), 0.0, read))


def _release(files: Sequence[Distribution], audits: Sequence[Audit], config: Config, project: Path) -> Release:
    return Release(
        distributions=tuple(files),
        # What cannot be read is reported already, and may be made to harm whoever reads on.
        described={audit.path.name: describe(audit.path) for audit in audits if audit.entry or _is_sound_sdist(audit)},
        checkout=_checkout(config, project, files[0].name),
        tag_format=config.release.tag_format,
        builds=builds_of(files),
    )


def _is_sound_sdist(audit: Audit) -> bool:
    return audit.wheel is not None and not audit.wheel.tag


def builds_of(files: Sequence[Distribution]) -> tuple[Build, ...]:
    """What the reports that lie beside the files of a release say of it."""
    folders = dict.fromkeys(file.path.parent for file in files)
    return tuple(chain.from_iterable(read_builds(folder, files[0].name, files[0].version) for folder in folders))


def _checkout(config: Config, project: Path, name: str) -> Checkout | str:
    """The commit of the project, or why there is none: a folder of another project says nothing of these files."""
    if (declared := declared_name(project)) not in {"", name}:
        return f"the current folder is of {declared}"
    try:
        return read_checkout(project, Processes(), os.environ, apart=[config.output.folder])
    except NotReleasable as error:
        return error.message


def _with_its_own(audit: Audit, findings: Sequence[Finding], repository: str) -> Audit:
    own = (replace(finding, member="") for finding in findings if finding.member == audit.path.name)
    return replace(audit, findings=graver((*audit.findings, *own), repository))
