"""What an index serves of a project at this moment (PEP 503, 658, 691, 700, 714): never what a cache remembers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from packaging.version import InvalidVersion, Version

from crosswheel.errors import IndexUnreachable
from crosswheel.index import TIMEOUT, PipSettings, download, network, open_session, redact
from crosswheel.model import Listener, deaf
from crosswheel.release.repositories import Repository

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage, PyPISimple

_FRESH = {"Cache-Control": "no-cache"}
_REFUSED = {401, 403}
_HINT = "try again in a while; if it stays so, see that `index` names the address that pip installs from"


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


def published_files(repository: Repository, project: str, settings: PipSettings) -> dict[str, PublishedFile]:
    """Every file of a project by its name, fresh from the index; none of a project that it does not know.

    Of `settings` the certificates count. Raises IndexUnreachable.
    """
    with _client(repository, settings) as (client, _):
        return {package.filename: _published(package) for package in _packages(client, repository, project)}


def release_files(published: Mapping[str, PublishedFile], project: str, version: Version) -> dict[str, PublishedFile]:
    """Those of one version; files of kinds whose names tell no version are nobody's."""
    return {name: file for name, file in published.items() if version_of(name, project) == version}


def metadata_of(repository: Repository, file: PublishedFile, settings: PipSettings) -> bytes:
    """The file METADATA as the index serves it beside the wheel (PEP 658).

    Raises IndexUnreachable, also where the index announced the file and has none.
    """
    from pypi_simple import NoMetadataError

    with (
        _client(repository, settings) as (client, _),
        network(f"reading the metadata of {file.filename} on {repository.name}", _HINT),
    ):
        try:
            return client.get_package_metadata_bytes(_package(file), verify=False, timeout=TIMEOUT, headers=_FRESH)
        except NoMetadataError as error:
            raise IndexUnreachable(
                f"{repository.name} announces the metadata of {file.filename}, and has none", hint=_HINT
            ) from error


def fetch_published(
    repository: Repository, file: PublishedFile, folder: Path, settings: PipSettings, listener: Listener = deaf
) -> Path:
    """Download a file under its own name; its bytes are compared with nothing. Raises IndexUnreachable."""
    path = folder / Path(file.filename).name
    with _client(repository, settings) as (client, _):
        download(_package(file), path, client.s, listener, _HINT)
    return path


def address_for_pip(repository: Repository, project: str, settings: PipSettings) -> str:
    """Where pip reads the index; with the user's name and password, if the index asks who reads.

    It is for the environment of a process, and for no command line and no message. Raises IndexUnreachable.
    """
    with _client(repository, settings) as (client, login):
        _packages(client, repository, project)
    if not login or not login.asked:
        return repository.simple_url
    parts = urlsplit(repository.simple_url)
    user = f"{quote(repository.username, safe='')}:{quote(repository.password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{user}@{parts.netloc.rpartition('@')[2]}"))


def _packages(client: PyPISimple, repository: Repository, project: str) -> list[DistributionPackage]:
    from pypi_simple import NoSuchProjectError, UnsupportedContentTypeError, UnsupportedRepoVersionError

    doing = f"reading the page of {project} on {repository.name}"
    with network(doing, _HINT):
        try:
            return client.get_project_page(project, timeout=TIMEOUT, headers=_FRESH).packages
        except NoSuchProjectError:
            return []
        except (UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError) as error:
            raise IndexUnreachable(
                f"{doing} failed: what answers is no package index: {redact(str(error)).splitlines()[0]}", hint=_HINT
            ) from error


def _published(package: DistributionPackage) -> PublishedFile:
    return PublishedFile(
        filename=package.filename,
        sha256=package.digests.get("sha256", "").lower(),
        size=package.size,
        requires_python=package.requires_python or "",
        yanked=package.is_yanked,
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
def _client(repository: Repository, settings: PipSettings) -> Iterator[tuple[PyPISimple, _Login | None]]:
    from pypi_simple import PyPISimple

    login = _Login(repository) if repository.username and repository.password else None
    with open_session(replace(settings, cert=repository.certificate or settings.cert)) as session:
        session.auth = login
        session.cert = repository.client_certificate or None
        yield PyPISimple(repository.simple_url, session=session), login


@dataclass
class _Login:
    """Says who reads, to the index's own host and only where it asks: a token for uploads is no one else's business."""

    repository: Repository
    asked: bool = False

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.register_hook("response", self._answer)  # type: ignore[no-untyped-call]
        return request

    def _answer(self, response: requests.Response, **sending: Any) -> requests.Response:
        from requests.auth import HTTPBasicAuth

        request = response.request.copy()
        if (
            response.status_code not in _REFUSED
            or "Authorization" in request.headers
            or _host(request.url or "") != _host(self.repository.simple_url)
        ):
            return response
        self.asked = True
        _ = response.content  # which gives the connection back
        response.close()
        user = HTTPBasicAuth(self.repository.username.encode(), self.repository.password.encode())
        answer: requests.Response = response.connection.send(user(request), **sending)
        answer.history.append(response)
        answer.request = request
        return answer


def _host(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
