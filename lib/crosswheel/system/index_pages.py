"""Requests to a package index: sessions, logins, errors in words, and project pages (PEP 503, 691)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from crosswheel.errors import CrosswheelError, IndexUnreachable, NoCredentials, TooManyRequests
from crosswheel.system.addresses import Address, origin_of, redact
from crosswheel.system.budget import OverBudget
from crosswheel.system.pages import BoundedBody
from crosswheel.system.trust import Trust

if TYPE_CHECKING:
    import requests
    from pypi_simple import ProjectPage, PyPISimple
    from urllib3 import BaseHTTPResponse

ATTEMPTS = 3
TIMEOUT = (15.0, 60.0)  # seconds to connect, and to wait for data
REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_OF_AN_INDEX = re.compile(rb"pypi:repository-version|<(?:title|h1)>[^<]*(?:links for|simple index)")
_OF_A_WEB_PAGE = re.compile(rb"<(?:form|input|script|iframe)\b|http-equiv=[\"']?refresh")
_LONGEST_WAIT = 20.0  # seconds
_LONGEST_FRESH = 600  # seconds; PyPI says as much of its pages


@contextmanager
def open_session(trust: Trust, attempts: int = ATTEMPTS) -> Iterator[requests.Session]:
    """A session for requests to an index or a registry, with retries.

    Raises UsageError for missing certificates.
    """
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    class Retries(Retry):
        """Retries with a limit for the requested delay, as some servers ask for an hour."""

        def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
            asked = super().get_retry_after(response)
            return asked and min(asked, _LONGEST_WAIT)

    class Adapter(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
            response = super().send(request, **{**how, **trust.sending})
            if not how.get("stream"):  # a page, which is read as a whole
                response.raw = BoundedBody(response.raw)
            return response

    trust.check()
    with requests.Session() as session:
        session.cert = trust.own or None
        retries = Retries(total=attempts, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter(max_retries=retries))
        yield session


@dataclass(frozen=True)
class Login:
    """Sends the address's credentials to its host only; other hosts get those of their address or ~/.netrc."""

    address: Address

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        from requests.auth import HTTPBasicAuth
        from requests.utils import get_auth_from_url, get_netrc_auth

        url = request.url or ""
        user: tuple[str | bytes, str | bytes] | None = get_netrc_auth(url)
        if any(written := get_auth_from_url(url)):
            user = written
        if origin_of(url) == self.address.origin:
            # As bytes, because requests encodes texts as Latin-1.
            user = (self.address.username.encode(), self.address.password.encode())
        return cast("requests.PreparedRequest", HTTPBasicAuth(*user)(request)) if user else request


@dataclass(frozen=True)
class Help:
    """Hints for an index that does not answer, that requires a login, or whose certificate is not trusted."""

    hint: str
    login: str
    certificates: str


@contextmanager
def network(doing: str, help_: Help) -> Iterator[None]:
    """Convert exceptions of requests, and of urllib3 for invalid host names, to IndexUnreachable or NoCredentials."""
    import requests
    import urllib3.exceptions

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise explained(error, doing, help_) from None
    except OverBudget as error:
        raise IndexUnreachable(f"{doing} was stopped: {error}", hint="ask the operator of the index") from error


def explained(error: Exception, doing: str, help_: Help) -> CrosswheelError:
    """The error to raise instead."""
    import requests

    said = f"{doing} failed: {redact(str(error))}"
    answer = getattr(error, "response", None)
    if answer is not None and answer.status_code in REFUSED:
        return NoCredentials(f"{doing} failed: {_refusal(answer)}", hint=help_.login)
    if isinstance(error, requests.exceptions.SSLError) and "certificate" in said.lower():
        return IndexUnreachable(said, hint=help_.certificates)
    if "too many 429 error responses" in said or (
        answer is not None and answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
    ):
        return TooManyRequests(said, hint="the same command again, some minutes later: the index limits requests")
    return IndexUnreachable(said, hint=help_.hint)


def _refusal(answer: requests.Response) -> str:
    status = HTTPStatus(answer.status_code)
    if "Authorization" in answer.request.headers:
        return f"{status} {status.phrase}: the index refuses this user or this password"
    return f"{status} {status.phrase}: the index requires a login, and no user name and password are set"


class IndexPage(NamedTuple):
    """A project's page, and for how many seconds it may be reused without another request."""

    page: ProjectPage
    fresh: float


def read_page(
    client: PyPISimple, project: str, doing: str, help_: Help, headers: Mapping[str, str] | None = None
) -> IndexPage:
    """A project's page with its files; raises pypi-simple's NoSuchProjectError, IndexUnreachable, NoCredentials."""
    from pypi_simple import NoSuchProjectError, ProjectPage, UnsupportedContentTypeError, UnsupportedRepoVersionError

    url = client.get_project_url(project)
    with network(doing, help_):
        answer = client.s.get(url, timeout=TIMEOUT, headers={"Accept": client.accept, **(headers or {})})
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise NoSuchProjectError(project, url)
        answer.raise_for_status()
    try:
        page = ProjectPage.from_response(answer, project)
    except (UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError, RecursionError) as error:
        said = redact(str(error)).splitlines()[0]
        raise IndexUnreachable(f"{doing} failed: this is not a package index: {said}", hint=help_.hint) from error
    if not any(package.package_type for package in page.packages) and is_for_people(answer.headers, answer.content):
        raise IndexUnreachable(
            f"{doing} failed: {redact(answer.url)} is an ordinary web page, perhaps for a login, not an index",
            hint=f"open it in a browser; if it asks for a login: {help_.login}",
        )
    return IndexPage(page, fresh_seconds(answer.headers))


def fresh_seconds(headers: Mapping[str, str]) -> float:
    """For how many seconds an answer may be reused by its Cache-Control and Age; 0 if they do not say (RFC 9111)."""
    words = {word.strip().lower() for word in headers.get("Cache-Control", "").split(",")}
    ages = [word.removeprefix("max-age=") for word in words if word.startswith("max-age=")]
    passed = headers.get("Age", "0")
    if words & {"no-store", "no-cache"} or not ages or not (ages[0].isdecimal() and passed.isdecimal()):
        return 0.0
    return float(min(max(0, int(ages[0]) - int(passed)), _LONGEST_FRESH))


def is_for_people(headers: Mapping[str, str], beginning: bytes) -> bool:
    """Whether an HTML page has elements that index pages lack: PEP 503 has only links."""
    text = beginning.lower()
    if "html" not in headers.get("Content-Type", "html") or _OF_AN_INDEX.search(text):
        return False
    return _OF_A_WEB_PAGE.search(text) is not None
