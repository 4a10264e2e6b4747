"""Whether an index would accept the missing files of a release, checked before the first one is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from crosswheel.auditing.rules import INDEX_RULES
from crosswheel.auditing.rules.index import Submission, too_large
from crosswheel.auditing.run import switched_off
from crosswheel.errors import UploadFailed
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Finding
from crosswheel.publishing.published import PublishedProject, release_files
from crosswheel.publishing.repositories import Repository
from crosswheel.publishing.upload_window import opened_at


def refuse_unwelcome(
    repository: Repository, missing: Sequence[Distribution], project: PublishedProject, ignore: Mapping[str, str]
) -> None:
    """Raise UploadFailed with every reason for the index to refuse a file, except the rules in `ignore`."""
    findings = [finding for finding in admission(repository, missing, project, ignore) if finding.is_error]
    if findings:
        rows = [f"  {finding.rule}: {finding.member}: {_evidence(finding)}" for finding in findings]
        raise UploadFailed(
            "\n".join([f"nothing was sent: {repository.name} would refuse {_release(missing)}", *rows]),
            hint="; ".join(dict.fromkeys(finding.fix for finding in findings)),
        )


def admission(
    repository: Repository,
    missing: Sequence[Distribution],
    project: PublishedProject,
    ignore: Mapping[str, str] | None = None,
) -> tuple[Finding, ...]:
    """The findings of the index rules about the missing files; none if no file is missing."""
    if not missing:
        return ()
    submission = _submission(repository, missing, project)
    findings = [finding for rule in INDEX_RULES for finding in rule.check(submission)]
    return switched_off([*findings, *too_large(submission)], ignore or {})


def _submission(repository: Repository, missing: Sequence[Distribution], project: PublishedProject) -> Submission:
    release = release_files(project.files, missing[0].name, missing[0].version)
    sizes = [file.size or 0 for file in project.files.values()]
    return Submission(
        files=tuple(missing),
        now=datetime.now(timezone.utc),
        limits=repository.limits,
        status=project.status,
        status_reason=project.status_reason,
        stored=sum(sizes),
        largest=max(sizes, default=0),
        opened=opened_at(release.values()),
        sdists=tuple(name for name in release if name.endswith((".tar.gz", ".zip", ".tgz", ".tar.bz2"))),
    )


def _evidence(finding: Finding) -> str:
    return f"{finding.message.rstrip('.')}: found {finding.found}, expected {finding.expected}"


def _release(files: Sequence[Distribution]) -> str:
    return f"these files of {files[0].name} {files[0].version}"
