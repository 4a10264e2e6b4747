"""The step `verify`: reads a release back from an index, and checks that it serves and pip chooses the built files."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from crosswheel.auditing.run import audit_wheel, switched_off
from crosswheel.errors import IndexUnreachable
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Listener, Note, chore, deaf
from crosswheel.model.targets import Target
from crosswheel.publishing.pip_choices import Choice, Pip
from crosswheel.publishing.provenance import wrong_provenance
from crosswheel.publishing.published import (
    PublishedFile,
    PublishedProject,
    address_for_pip,
    fetch_published,
    metadata_of,
    provenance_of,
    published_project,
    release_files,
)
from crosswheel.publishing.repositories import Repository
from crosswheel.publishing.verification import (
    Built,
    Mismatch,
    Verification,
    compare,
    demands_provenance,
    lacking_provenance,
    read_built,
)
from crosswheel.system.hashes import sha256_of
from crosswheel.system.process import Processes
from crosswheel.system.scratch import temporary_folder

if TYPE_CHECKING:
    from tenacity import RetryCallState

PATIENCE = 300  # seconds: caches in front of an index show new files with a delay
_FIRST_PAUSE, _LONGEST_PAUSE = 2.0, 30.0
_REQUESTS = 8  # in parallel: they wait for the index, not for a processor

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def verify(
    repository: Repository,
    distributions: Sequence[Distribution],
    targets: Iterable[Target],
    listener: Listener = deaf,
    *,
    patience: float = PATIENCE,
    jobs: int = 0,
    ignore: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Verification:
    """Read a release back from the index; repeat for up to `patience` seconds while anything differs.

    `jobs` is the number of parallel pips, 0: one per processor; `ignore` maps codes of switched-off audit rules to
    reasons; `exclude` has the name patterns of libraries that users bring. Raises IndexUnreachable, NoCredentials;
    AuditFailed or SourceError for an unreadable file here.
    """
    import tenacity

    began = time.monotonic()
    processes = Processes()
    built = tuple(map(read_built, distributions))
    reading = _Reading(repository, built, tuple(targets), processes, environ, listener, jobs, ignore or {}, exclude)
    # An index that never answers has a wrong address, so waiting does not help.
    published_project(repository, built[0].file.name, listener)
    look = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool) | tenacity.retry_if_exception_type(IndexUnreachable),
        wait=partial(_pause, patience),
        stop=tenacity.stop_after_delay(patience),
        before_sleep=partial(_tell, repository.name, patience, listener),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else (),
    )
    differences = look(reading.differences) or reading.audited
    return Verification(
        repository=repository,
        files=tuple(distributions),
        published=tuple(reading.published.values()),
        differences=differences,
        choices=tuple(reading.choices[target] for target in reading.targets if target in reading.choices),
        fetched=reading.fetched,
        attested=tuple(one.file.filename for one in built if one.attestation),
        project_status=reading.project.status,
        status_reason=reading.project.status_reason,
        looks=look.statistics["attempt_number"],
        seconds=time.monotonic() - began,
    )


@dataclass
class _Reading:
    """One or more readings of the index; verified facts are not requested again."""

    repository: Repository
    built: tuple[Built, ...]
    targets: tuple[Target, ...]
    processes: Processes
    environ: Mapping[str, str]
    listener: Listener
    jobs: int
    ignore: Mapping[str, str]
    exclude: Sequence[str]
    project: PublishedProject = field(default_factory=PublishedProject)
    published: dict[str, PublishedFile] = field(default_factory=dict)
    choices: dict[Target, Choice] = field(default_factory=dict)
    fetched: str = ""
    audited: tuple[Mismatch, ...] = ()
    """The problems of the downloaded file; its bytes are ours, so later checks cannot be better."""
    _hashes: dict[str, str] = field(default_factory=dict)

    def differences(self) -> tuple[Mismatch, ...]:
        """The current differences; expensive checks are skipped while a cheap one fails."""
        for part in (self._files, self._metadata, self._provenance, self._choices, self._download):
            if differences := tuple(part()):
                return differences
        return ()

    @property
    def _name(self) -> str:
        return self.built[0].file.name

    def _files(self) -> Iterator[Mismatch]:
        version = self.built[0].file.version
        with chore(f"reading {self._name} {version} on {self.repository.name}", self.listener):
            self.project = published_project(self.repository, self._name)
            release = release_files(self.project.files, self._name, version)
            self.published = {name: self._with_hash(file) for name, file in release.items()}
        if self.project.status == "quarantined":
            yield Mismatch(self._name, "project status", _told(self.project), "active")
        yield from compare(self.built, self.published)
        if demands_provenance(self.repository, self.published.values()):
            yield from lacking_provenance(self.built, self.published)

    def _with_hash(self, file: PublishedFile) -> PublishedFile:
        """The file with its sha256; without a stated one, it is downloaded."""
        if file.sha256:
            return file
        if file.url not in self._hashes:
            with self._fetched(file) as path:
                self._hashes[file.url] = sha256_of(path)
        return replace(file, sha256=self._hashes[file.url])

    def _metadata(self) -> Iterator[Mismatch]:
        """The metadata that resolvers read instead of the wheel (PEP 658)."""
        announced = {
            one.file.filename: one.metadata_sha256
            for one in self.built
            if one.metadata_sha256 and self.published[one.file.filename].has_metadata
        }
        if not announced:
            return
        with chore("reading the core metadata of the wheels", self.listener):
            hashes = self._in_threads(_REQUESTS, self._metadata_sha256, announced)
        for (name, expected), found in zip(announced.items(), hashes, strict=True):
            if found != expected:
                yield Mismatch(name, "core metadata", found, expected)

    def _metadata_sha256(self, name: str) -> str:
        return hashlib.sha256(metadata_of(self.repository, self.published[name])).hexdigest()

    def _provenance(self) -> Iterator[Mismatch]:
        """What the index serves in place of the attestation that a file was sent with (PEP 740)."""
        attested = [one for one in self.built if one.attestation and self.published[one.file.filename].provenance]
        if not attested:
            return
        with chore("reading the provenance of the files", self.listener):
            served = self._in_threads(_REQUESTS, self._served_provenance, attested)
        for one, provenance in zip(attested, served, strict=True):
            if found := wrong_provenance(one.file, one.attestation, provenance):
                yield Mismatch(one.file.filename, "provenance", found, "the attestation that was sent with the file")

    def _served_provenance(self, one: Built) -> bytes:
        return provenance_of(self.repository, self.published[one.file.filename])

    def _choices(self) -> Iterator[Mismatch]:
        hashes = {one.file.filename: one.file.sha256 for one in self.built}
        targets = [target for target in self.targets if target not in self.choices]
        if not targets:
            return
        with chore("asking pip for its choice for each target", self.listener):
            address = address_for_pip(self.repository, self._name)
            pip = Pip(address, self.repository.trust, self.processes, self.environ)
            choose = partial(pip.choices, f"{self._name}=={self.built[0].file.version}")
            jobs = min(self.jobs or len(os.sched_getaffinity(0)), len(targets))
            choices = chain.from_iterable(self._in_threads(jobs, choose, [targets[at::jobs] for at in range(jobs)]))
        for choice in sorted(choices, key=lambda choice: targets.index(choice.target)):
            expected = hashes.get(choice.filename, "")
            if not expected:
                yield Mismatch(
                    str(choice.target), "pip's choice", choice.filename or choice.reason, "one of its wheels"
                )
            elif choice.sha256 not in {"", expected}:
                yield Mismatch(str(choice.target), f"sha256 of {choice.filename}", choice.sha256, expected)
            else:
                self.choices[choice.target] = choice

    def _download(self) -> Iterator[Mismatch]:
        """Download the largest wheel: the most likely one to be damaged by a limit, a time-out or a full disk."""
        largest = max(self.built, key=lambda one: (one.file.kind == "wheel", one.file.size)).file
        name = largest.filename
        with self._fetched(self.published[name]) as path:
            found = sha256_of(path)
            if found != largest.sha256:
                yield Mismatch(name, "sha256 of the download", found, largest.sha256)
                return
            told = audit_wheel(path) if largest.kind == "wheel" else ()
            findings = switched_off(told, self.ignore, self.exclude)
        self.fetched = name
        self.audited = tuple(
            Mismatch(name, "audit of the download", f"{finding.rule}: {finding.message}", "no error")
            for finding in findings
            if finding.is_error
        )

    @contextmanager
    def _fetched(self, file: PublishedFile) -> Iterator[Path]:
        with temporary_folder() as folder:
            yield fetch_published(self.repository, file, Path(folder), self.listener)

    def _in_threads(self, count: int, ask: Callable[[_In], _Out], about: Iterable[_In]) -> list[_Out]:
        pool = ThreadPoolExecutor(count)
        try:
            return list(pool.map(ask, about))
        except BaseException:
            self.processes.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _told(project: PublishedProject) -> str:
    return f"{project.status}: {project.status_reason}" if project.status_reason else project.status


def _pause(patience: float, state: RetryCallState) -> float:
    """The pause in seconds: increasing; the last reading is at the end of the patience."""
    left = patience - (state.seconds_since_start or 0.0)
    longer: float = _FIRST_PAUSE * 2 ** (state.attempt_number - 1)
    return max(0.0, min(longer, _LONGEST_PAUSE, left))


def _tell(name: str, patience: float, listener: Listener, state: RetryCallState) -> None:
    seconds, waited = state.upcoming_sleep, state.seconds_since_start or 0.0
    listener(
        Note(
            f"look {state.attempt_number} at {name}: {_seen(state)}; again in {seconds:.0f} s,"
            f" waited {waited:.0f} of {patience:.0f} s"
        )
    )


def _seen(state: RetryCallState) -> str:
    """The index's error; or the first difference, and the number of the others."""
    try:
        differences: tuple[Mismatch, ...] = state.outcome.result() if state.outcome else ()
    except IndexUnreachable as error:
        return error.message
    return f"{differences[0]}{f', and {len(differences) - 1} more' if len(differences) > 1 else ''}"
