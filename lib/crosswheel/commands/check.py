"""`check`: find what an index, twine or a user would reject, before anything is uploaded."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from crosswheel.auditing import run as audits
from crosswheel.auditing.rules.release import Release
from crosswheel.auditing.rules.wheelhouse import Wheelhouse
from crosswheel.auditing.run import Audit, audit_together
from crosswheel.commands.audit import audit_sdists, audited, sources_of, targets_of
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.errors import CheckFailed, NotReleasable
from crosswheel.formats.build_reports import Build, read_builds
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.model.job import Artifact, Finding, Listener
from crosswheel.model.pyproject import declared_name
from crosswheel.reporting.audit import audit_document, audit_text
from crosswheel.reporting.document import Document
from crosswheel.steps.check import check as check_release
from crosswheel.steps.check import describe, graver
from crosswheel.system.git import Checkout, read_checkout
from crosswheel.system.process import Processes

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import CheckOptions, Paths, PathText


@dataclass(frozen=True)
class CheckReport(Result, audits.AuditReport):
    """The audit of the wheels, with the findings of the release rules."""

    @property
    def exit_code(self) -> int:
        return CheckFailed.exit_code if any(finding.is_error for finding in self.findings) else 0

    def document(self) -> Document:
        return audit_document(self, "check")

    def text(self, console: Console | None = None) -> str:
        return audit_text(self, console)


@public
def check(
    wheels: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[CheckOptions],
) -> CheckReport:
    """Check whether files are fit for a release, one by one and as a set. Runs, sends and fetches nothing.

    `wheels` are wheels, sdists and folders of them; default: the output folder. `project` is the folder whose
    pyproject.toml and git tag count. `listener` is called with events (`crosswheel.model.job`) while it works.

    Returns a CheckReport: `.findings`, `.audits` (one for each file), `.ok`, `.exit_code`, `.document()` (what --json
    writes); str() is the text.
    Raises UsageError for wrong options, NothingToDo where there is no file, CheckFailed for one that changes meanwhile.
    """
    return from_code(run, "check", project, listener, {"wheels": wheels, **options})


def run(call: Call) -> CheckReport:
    return checked(read_distributions(call.config.output.files), call)


def checked(files: Sequence[Distribution], call: Call) -> CheckReport:
    """The audit of the wheels, with the findings of the release rules."""
    config, began = call.config, time.monotonic()
    wheels, sdists = (tuple(file.path for file in files if file.kind == kind) for kind in ("wheel", "sdist"))
    told = [*audited(wheels, call)]
    refuse_changed(files, told)
    told += _sdist_audits(files, config.audit.ignore)
    release = _release(files, told, call)
    entries = tuple(audit.entry for audit in told if audit.entry)
    planned = (*targets_of(entries, config, call.project), *(build.target for build in release.builds))
    names = tuple(path.name for path in sdists)
    wheelhouse = Wheelhouse(entries, names, tuple(dict.fromkeys(planned)), sources_of(told))
    findings = check_release(release, config.audit.ignore)
    return CheckReport(
        audits=tuple(_with_its_own(audit, findings, config.release.repository) for audit in told),
        sdists=sdists,
        together=(
            *graver(audit_together(wheelhouse, config.audit.ignore), config.release.repository),
            *(finding for finding in findings if finding.member == release.name),
        ),
        seconds=time.monotonic() - began,
        own_rules=call.own.rules,
    )


def refuse_changed(files: Iterable[Distribution], told: Iterable[Audit]) -> None:
    """Raise CheckFailed if a file has changed since it was read first."""
    ours = {file.path: file.sha256 for file in files}
    for audit in told:
        if audit.wheel and audit.wheel.sha256 != ours[audit.path]:
            raise CheckFailed(f"{audit.path.name} changed during the check", hint="the same command again")


def _sdist_audits(files: Sequence[Distribution], ignore: Mapping[str, str]) -> Iterator[Audit]:
    """An audit of an sdist only checks that it can be read."""
    for file in files:
        if file.kind == "sdist":
            (audit,) = audit_sdists([file.path], ignore)
            read = Artifact(file.path, file.size, file.sha256, tag="")
            yield audit if audit.findings else replace(audit, wheel=read)


def _release(files: Sequence[Distribution], told: Sequence[Audit], call: Call) -> Release:
    return Release(
        distributions=tuple(files),
        # An unreadable file is already reported, and may be hostile.
        described={audit.path.name: describe(audit.path) for audit in told if audit.entry or _is_sound_sdist(audit)},
        checkout=_checkout(call, files[0].name),
        tag_format=call.config.release.tag_format,
        builds=builds_of(files),
    )


def _is_sound_sdist(audit: Audit) -> bool:
    return audit.wheel is not None and not audit.wheel.tag


def builds_of(files: Sequence[Distribution]) -> tuple[Build, ...]:
    """The builds in the reports beside the files of a release."""
    folders = dict.fromkeys(file.path.parent for file in files)
    return tuple(chain.from_iterable(read_builds(folder, files[0].name, files[0].version) for folder in folders))


def _checkout(call: Call, name: str) -> Checkout | str:
    """The commit of the project, or why there is none, for example because the folder is of another project."""
    if (declared := declared_name(call.project)) not in {"", name}:
        return f"the current folder belongs to the project {declared}"
    try:
        return read_checkout(call.project, Processes(), call.environ, apart=[call.config.output.folder])
    except NotReleasable as error:
        return error.message


def _with_its_own(audit: Audit, findings: Sequence[Finding], repository: str) -> Audit:
    own = (replace(finding, member="") for finding in findings if finding.member == audit.path.name)
    return replace(audit, findings=graver((*audit.findings, *own), repository))
