"""The files that an index serves now, without caches (PEP 503, 658, 691, 700, 714, 740, 792)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from crosswheel.errors import IndexUnreachable
from crosswheel.model.job import Listener, deaf, late_chore
from crosswheel.publishing.repositories import Repository
from crosswheel.system.addresses import Address, origin_of
from crosswheel.system.index_pages import REFUSED, TIMEOUT, network, open_session, read_page
from crosswheel.system.package_index import download

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage, ProjectPage, PyPISimple

_FRESH = {"Cache-Control": "no-cache"}
_PROVENANCE = "application/vnd.pypi.integrity.v1+json, application/json"


@dataclass(frozen=True)
class PublishedFile:
    """A file as listed by the index; empty or None means that the index does not state the value.

    `has_metadata`: the index serves METADATA as a separate file; `metadata_sha256` is its stated hash (PEP 658).
    `uploaded`: when the index accepted the file (PEP 700); `provenance`: the address of its attestations (PEP 740).
    """

    filename: str
    sha256: str
    size: int | None
    requires_python: str
    yanked: bool
    url: str
    metadata_sha256: str = ""
    has_metadata: bool = False
    yanked_reason: str = ""
    uploaded: datetime | None = None
    provenance: str = ""


@dataclass(frozen=True)
class PublishedProject:
    """A project as listed by the index: its files by name, none if the index does not know the project.

    `status` is archived, quarantined or deprecated (PEP 792); `status_reason` is the reason that the index states. Both
    are empty for an active project, and if the index does not state a status.
    """

    files: Mapping[str, PublishedFile] = field(default_factory=dict)
    status: str = ""
    status_reason: str = ""


def published_project(repository: Repository, name: str, listener: Listener = deaf) -> PublishedProject:
    """A project, fresh from the index. The listener hears whom it waits for, which may be a minute.

    Raises IndexUnreachable, NoCredentials, like all functions of this module that read the index.
    """
    from pypi_simple import ProjectStatus

    with late_chore(f"asking {repository.name} for {name}", listener), _client(repository) as (client, _):
        page = _page(client, repository, name)
    if not page:
        return PublishedProject()
    files = {package.filename: _published(package) for package in page.packages}
    if page.status in {None, ProjectStatus.ACTIVE}:
        return PublishedProject(files)
    return PublishedProject(files, str(page.status), page.status_reason or "")


def release_files(published: Mapping[str, PublishedFile], project: str, version: Version) -> dict[str, PublishedFile]:
    """The files of one version; files without a version in their name are left out."""
    return {name: file for name, file in published.items() if version_of(name, project) == version}


def metadata_of(repository: Repository, file: PublishedFile) -> bytes:
    """The METADATA file that the index serves beside the wheel (PEP 658).

    Raises IndexUnreachable, also if the index announces the file but does not have it.
    """
    from pypi_simple import NoMetadataError

    with (
        _client(repository) as (client, _),
        network(f"reading the metadata of {file.filename} on {repository.name}", repository.help),
    ):
        try:
            return client.get_package_metadata_bytes(_package(file), verify=False, timeout=TIMEOUT, headers=_FRESH)
        except NoMetadataError as error:
            raise IndexUnreachable(
                f"{repository.name} announces the metadata of {file.filename} but lacks it",
                hint=repository.help.hint,
            ) from error


def provenance_of(repository: Repository, file: PublishedFile) -> bytes:
    """The provenance object of a file as the index serves it, in JSON (PEP 740). Raises IndexUnreachable."""
    with (
        _client(repository) as (client, _),
        network(f"reading the provenance of {file.filename} on {repository.name}", repository.help),
    ):
        answer = client.s.get(file.provenance, timeout=TIMEOUT, headers={**_FRESH, "Accept": _PROVENANCE})
        answer.raise_for_status()
        return answer.content


def fetch_published(repository: Repository, file: PublishedFile, folder: Path, listener: Listener = deaf) -> Path:
    """Download a file under its own name, without checking its hash. Raises IndexUnreachable."""
    path = folder / Path(file.filename).name
    with _client(repository) as (client, _):
        download(_package(file), path, client.s, listener, repository.help)
    return path


def address_for_pip(repository: Repository, project: str) -> str:
    """The index address for pip, with user name and password if the index requires them.

    Pass it in the environment only, never in a command line or a message. Raises IndexUnreachable.
    """
    with _client(repository) as (client, login):
        _page(client, repository, project)
    return repository.reader.whole if login and login.asked else repository.simple_url


def _page(client: PyPISimple, repository: Repository, project: str) -> ProjectPage | None:
    from pypi_simple import NoSuchProjectError

    try:
        return read_page(
            client, project, f"reading the page of {project} on {repository.name}", repository.help, _FRESH
        ).page
    except NoSuchProjectError:
        return None


def _published(package: DistributionPackage) -> PublishedFile:
    return PublishedFile(
        filename=package.filename,
        sha256=package.digests.get("sha256", "").lower(),
        size=package.size,
        requires_python=package.requires_python or "",
        yanked=package.is_yanked,
        yanked_reason=package.yanked_reason or "",
        url=package.url,
        metadata_sha256=(package.metadata_digests or {}).get("sha256", "").lower(),
        has_metadata=bool(package.has_metadata),
        uploaded=_in_utc(package.upload_time),
        provenance=package.provenance_url or "",
    )


def _in_utc(moment: datetime | None) -> datetime | None:
    """PEP 700 states times in UTC, so a time without a zone is UTC."""
    return moment.replace(tzinfo=timezone.utc) if moment and not moment.tzinfo else moment


def _package(file: PublishedFile) -> DistributionPackage:
    from pypi_simple import DistributionPackage, Link

    return DistributionPackage.from_link(Link(text=file.filename, url=file.url, attrs={}))


def version_of(filename: str, project: str) -> Version | None:
    """The version in a file name; None for files without one."""
    from pypi_simple import UnparsableFilenameError, parse_filename

    try:
        return Version(parse_filename(filename, project)[1])
    except (UnparsableFilenameError, InvalidVersion):
        return None


# ---- credentials for reading --------------------------------------------------------------------------------------


@contextmanager
def _client(repository: Repository) -> Iterator[tuple[PyPISimple, _Login | None]]:
    from pypi_simple import PyPISimple

    login = _Login(repository.reader) if repository.username and repository.password else None
    with open_session(repository.trust) as session:
        session.auth = login
        yield PyPISimple(repository.simple_url, session=session), login


@dataclass
class _Login:
    """Sends the credentials to the index's own host only, and only on request: they may include an upload token."""

    reader: Address
    asked: bool = False

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.register_hook("response", self._answer)  # type: ignore[no-untyped-call]
        return request

    def _answer(self, response: requests.Response, **sending: Any) -> requests.Response:
        from requests.auth import HTTPBasicAuth

        request = response.request.copy()
        if (
            response.status_code not in REFUSED
            or "Authorization" in request.headers
            or origin_of(request.url or "") != self.reader.origin
        ):
            return response
        self.asked = True
        _ = response.content  # reading the body releases the connection
        response.close()
        user = HTTPBasicAuth(self.reader.username.encode(), self.reader.password.encode())
        answer: requests.Response = response.connection.send(user(request), **sending)
        answer.history.append(response)
        answer.request = request
        return answer
