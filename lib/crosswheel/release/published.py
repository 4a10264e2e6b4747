"""What an index serves of a project at this moment (PEP 503, 658, 691, 700, 714): never what a cache remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from crosswheel.errors import IndexUnreachable
from crosswheel.model.job import Listener, deaf
from crosswheel.release.repositories import Repository
from crosswheel.system.addresses import Address, origin_of
from crosswheel.system.package_index import REFUSED, TIMEOUT, download, network, open_session, read_page

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage, PyPISimple

_FRESH = {"Cache-Control": "no-cache"}


@dataclass(frozen=True)
class PublishedFile:
    """A file as the index announces it; empty, or None, is what the index does not tell.

    `has_metadata` says that the file METADATA can be had by itself, `metadata_sha256` what it should be (PEP 658).
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


def published_files(repository: Repository, project: str) -> dict[str, PublishedFile]:
    """Every file of a project by its name, fresh from the index; none of a project that it does not know.

    Raises IndexUnreachable, NoCredentials; as all that read do.
    """
    with _client(repository) as (client, _):
        return {package.filename: _published(package) for package in _packages(client, repository, project)}


def release_files(published: Mapping[str, PublishedFile], project: str, version: Version) -> dict[str, PublishedFile]:
    """Those of one version; files of kinds whose names tell no version are nobody's."""
    return {name: file for name, file in published.items() if version_of(name, project) == version}


def metadata_of(repository: Repository, file: PublishedFile) -> bytes:
    """The file METADATA as the index serves it beside the wheel (PEP 658).

    Raises IndexUnreachable, also where the index announced the file and has none.
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
                f"{repository.name} announces the metadata of {file.filename}, and has none", hint=repository.help.hint
            ) from error


def fetch_published(repository: Repository, file: PublishedFile, folder: Path, listener: Listener = deaf) -> Path:
    """Download a file under its own name; its bytes are compared with nothing. Raises IndexUnreachable."""
    path = folder / Path(file.filename).name
    with _client(repository) as (client, _):
        download(_package(file), path, client.s, listener, repository.help)
    return path


def address_for_pip(repository: Repository, project: str) -> str:
    """Where pip reads the index; with the user's name and password, if the index asks who reads.

    It is for the environment of a process, and for no command line and no message. Raises IndexUnreachable.
    """
    with _client(repository) as (client, login):
        _packages(client, repository, project)
    return repository.reader.whole if login and login.asked else repository.simple_url


def _packages(client: PyPISimple, repository: Repository, project: str) -> list[DistributionPackage]:
    from pypi_simple import NoSuchProjectError

    try:
        return read_page(
            client, project, f"reading the page of {project} on {repository.name}", repository.help, _FRESH
        )
    except NoSuchProjectError:
        return []


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
    )


def _package(file: PublishedFile) -> DistributionPackage:
    from pypi_simple import DistributionPackage, Link

    return DistributionPackage.from_link(Link(text=file.filename, url=file.url, attrs={}))


def version_of(filename: str, project: str) -> Version | None:
    """None for a file of a kind whose name tells no version."""
    from pypi_simple import UnparsableFilenameError, parse_filename

    try:
        return Version(parse_filename(filename, project)[1])
    except (UnparsableFilenameError, InvalidVersion):
        return None


# ---- who reads ----------------------------------------------------------------------------------------------------


@contextmanager
def _client(repository: Repository) -> Iterator[tuple[PyPISimple, _Login | None]]:
    from pypi_simple import PyPISimple

    login = _Login(repository.reader) if repository.username and repository.password else None
    with open_session(repository.trust) as session:
        session.auth = login
        yield PyPISimple(repository.simple_url, session=session), login


@dataclass
class _Login:
    """Says who reads, to the index's own host and only where it asks: a token for uploads is no one else's business."""

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
        _ = response.content  # which gives the connection back
        response.close()
        user = HTTPBasicAuth(self.reader.username.encode(), self.reader.password.encode())
        answer: requests.Response = response.connection.send(user(request), **sending)
        answer.history.append(response)
        answer.request = request
        return answer
