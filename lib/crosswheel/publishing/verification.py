"""Compares built files with the files that an index serves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from crosswheel.errors import VerifyFailed
from crosswheel.formats.distributions import Distribution
from crosswheel.formats.sdists import read_sdist
from crosswheel.formats.wheels import read_wheel
from crosswheel.publishing.attestations import attestation_of
from crosswheel.publishing.pip_choices import Choice
from crosswheel.publishing.published import PublishedFile
from crosswheel.publishing.repositories import Repository


@dataclass(frozen=True)
class Built:
    """A file of the wheelhouse with the values that the index should state; `metadata_sha256` is of METADATA.

    `attestation` is the one that the file was sent with, as JSON (PEP 740); empty if there is none.
    """

    file: Distribution
    requires_python: str = ""
    metadata_sha256: str = ""
    attestation: bytes = b""


@dataclass(frozen=True)
class Mismatch:
    """A difference: `found` on the index or by pip instead of `expected`; `subject` is a file or a target."""

    subject: str
    what: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}: found {self.found}, expected {self.expected}"


@dataclass(frozen=True)
class Verification:
    """The result of a verification; without `differences` the index serves exactly the built files."""

    repository: Repository
    files: tuple[Distribution, ...]
    published: tuple[PublishedFile, ...]
    differences: tuple[Mismatch, ...]
    choices: tuple[Choice, ...] = ()
    fetched: str = ""
    """The name of the file that was downloaded and audited."""
    attested: tuple[str, ...] = ()
    """The names of the files that were sent with an attestation."""
    project_status: str = ""
    """Archived, quarantined or deprecated (PEP 792), or empty; `status_reason` is the reason that the index states."""
    status_reason: str = ""
    looks: int = 1
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.differences

    @property
    def release(self) -> str:
        return f"{self.files[0].name} {self.files[0].version}"

    @property
    def untold(self) -> tuple[str, ...]:
        """The values that the index states for no file, so that they could not be compared."""
        silent = self.attested and not demands_provenance(self.repository, self.published)
        return tuple(sorted({*untold(self.published), *(["provenance"] if silent else [])}))

    @property
    def proved(self) -> tuple[str, ...]:
        """The names of the files whose provenance on the index has the attestation that was sent."""
        if not self.ok or "provenance" in self.untold:
            return ()
        return self.attested

    @property
    def unchosen(self) -> tuple[str, ...]:
        """Wheels that pip chooses for no target: for other systems, or replaced by a higher build number."""
        chosen = {choice.filename for choice in self.choices}
        return tuple(file.filename for file in self.files if file.kind == "wheel" and file.filename not in chosen)

    @property
    def failure(self) -> VerifyFailed | None:
        """The differences as an error to raise."""
        if self.ok:
            return None
        heading = f"{self.repository.name} does not serve {self.release} as it was built"
        return VerifyFailed("\n".join([heading, *(f"  {difference}" for difference in self.differences)]), hint=HINT)


HINT = "run crosswheel verify again later; if the differences stay, yank the release and make a new one"


def read_built(file: Distribution) -> Built:
    """Read a built file. Raises AuditFailed for an invalid wheel, SourceError for an invalid sdist."""
    beside = attestation_of(file)
    attestation = beside.read_bytes() if beside.exists() else b""
    if file.kind == "sdist":
        return Built(file, read_sdist(file.path).requires_python, attestation=attestation)
    wheel = read_wheel(file.path)
    python = str(wheel.metadata.get("Requires-Python", ""))  # refuses a wheel without METADATA
    member = wheel.archive.files[f"{wheel.dist_info}/METADATA"]
    return Built(file, python, hashlib.sha256(wheel.archive.read(member)).hexdigest(), attestation)


def compare(built: Iterable[Built], published: Mapping[str, PublishedFile]) -> Iterator[Mismatch]:
    """The differences between a wheelhouse and the same release on the index."""
    ours = {one.file.filename: one for one in built}
    silent = untold(published.values())
    for name, one in ours.items():
        if name in published:
            yield from _compare(one, published[name], silent)
        else:
            yield Mismatch(name, "file", "nothing", f"{one.file.size} bytes")
    for name in sorted(published.keys() - ours.keys()):
        yield Mismatch(name, "file", "a file that is not in the wheelhouse", "nothing")


def demands_provenance(repository: Repository, published: Iterable[PublishedFile]) -> bool:
    """Whether the index must serve provenance: PyPI, TestPyPI, and an index that serves it for one of the files."""
    return repository.is_pypi or any(file.provenance for file in published)


def lacking_provenance(built: Iterable[Built], published: Mapping[str, PublishedFile]) -> Iterator[Mismatch]:
    """The files that were sent with an attestation but have no provenance on the index."""
    for one in built:
        name = one.file.filename
        if one.attestation and name in published and not published[name].provenance:
            yield Mismatch(name, "provenance", "none", "the attestation that was sent with the file")


def untold(published: Iterable[PublishedFile]) -> frozenset[str]:
    """The values that the index states for none of the files: HTML pages have no sizes, for example."""
    files = tuple(published)
    told = {
        "size": any(file.size is not None for file in files),
        "requires-python": any(file.requires_python for file in files),
        "core metadata": any(file.has_metadata for file in files),
    }
    return frozenset(what for what, there in told.items() if not there)


def _compare(built: Built, file: PublishedFile, silent: frozenset[str]) -> Iterator[Mismatch]:
    name = file.filename
    if file.sha256 != built.file.sha256:
        yield Mismatch(name, "sha256", file.sha256, built.file.sha256)
    if file.size is not None and file.size != built.file.size:
        yield Mismatch(name, "size", str(file.size), str(built.file.size))
    if "requires-python" not in silent and _specifiers(file.requires_python) != _specifiers(built.requires_python):
        yield Mismatch(name, "requires-python", file.requires_python or "none", built.requires_python or "none")
    if file.metadata_sha256 and built.metadata_sha256 and file.metadata_sha256 != built.metadata_sha256:
        yield Mismatch(name, "announced core metadata", file.metadata_sha256, built.metadata_sha256)
    if file.yanked:
        yield Mismatch(name, "yanked", f"yes: {file.yanked_reason}" if file.yanked_reason else "yes", "no")


def _specifiers(text: str) -> SpecifierSet | str:
    """Parsed, because servers may write the same specifiers differently."""
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        return text
