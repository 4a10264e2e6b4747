"""Reads a package index (PEP 503, 691) with the caller's pip settings, and caches downloads.

Files get their final name in the cache only after their sha256 was verified.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from crosswheel.errors import CrosswheelError, IndexUnreachable, NoCredentials, SourceError, UsageError
from crosswheel.model.job import Listener, Transfer, deaf
from crosswheel.system.addresses import Address, is_remote, origin_of, parse_address, redact
from crosswheel.system.budget import OverBudget
from crosswheel.system.locks import mark_used
from crosswheel.system.memo import Answers
from crosswheel.system.pages import BoundedBody
from crosswheel.system.process import CommandFailed, Processes
from crosswheel.system.trust import Trust, named_authorities

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage, ProjectPage, PyPISimple
    from urllib3 import BaseHTTPResponse

_FORGETFUL = Answers()
_ATTEMPTS = 3
TIMEOUT = (15.0, 60.0)  # seconds to connect, and to wait for data
_HINT = "pip config list, to check the index; or the same command with --offline, if it ran before"
REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_OF_AN_INDEX = re.compile(rb"pypi:repository-version|<(?:title|h1)>[^<]*(?:links for|simple index)")
_OF_A_WEB_PAGE = re.compile(rb"<(?:form|input|script|iframe)\b|http-equiv=[\"']?refresh")
_LONGEST_WAIT = 20.0  # seconds
_LARGEST_FILE = 16 << 30  # bytes, for a file whose size the index does not state
_TICK = 2 * 1024 * 1024  # bytes between two progress events

# Variables that decide, besides PIP_*, where pip searches for its files.
_PIP_SEES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "VIRTUAL_ENV")

# Other variables with addresses, which uv and requests read themselves.
_UV_ADDRESSES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

# Prints pip's settings, the files that it would read, and a file that changes with pip's version. An old pip without
# the second command prints the first.
_ASK_PIP = r"""
import pip, runpy, sys
for verb in ("list", "debug"):
    sys.argv[1:] = ["config", verb]
    try:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code and verb == "list":
            raise
    sys.stdout.write("\0")
    sys.stdout.flush()
print(pip.__file__)
"""


@dataclass(frozen=True)
class PipSettings:
    """The package sources in pip.conf and PIP_* variables."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str = ""
    client_cert: str = ""

    @property
    def trust(self) -> Trust:
        return Trust(self.cert, self.client_cert)

    @property
    def remote(self) -> PipSettings:
        """The settings that are valid on another machine or in a container: without folders and files."""
        return PipSettings(
            index_url=" ".join(filter(is_remote, (self.index_url,))),
            extra_index_urls=tuple(filter(is_remote, self.extra_index_urls)),
            find_links=tuple(filter(is_remote, self.find_links)),
        )

    @property
    def uv_environ(self) -> dict[str, str]:
        """The settings as variables of uv; all indexes are searched together, as in pip."""
        certificates = "SSL_CERT_DIR" if self.cert and Path(self.cert).is_dir() else "SSL_CERT_FILE"
        words = {
            "UV_DEFAULT_INDEX": self.index_url,
            "UV_INDEX": " ".join(self.extra_index_urls),
            "UV_FIND_LINKS": ",".join(self.find_links),
            certificates: self.cert,
            "SSL_CLIENT_CERT": self.client_cert,
            "UV_INDEX_STRATEGY": "unsafe-best-match" if self.extra_index_urls else "",
        }
        return {name: value for name, value in words.items() if value}


def read_pip_settings(processes: Processes, environ: Mapping[str, str], answers: Answers = _FORGETFUL) -> PipSettings:
    """Read the settings with pip itself, which knows its files, their order and its environment variables.

    Certificates also come from variables for all programs. Raises UsageError for an address, in these settings or in
    the environment, that programs would parse differently.
    """
    for name in filter(environ.get, _UV_ADDRESSES):
        _parsed((re.sub(r"^[\w.-]+=(?=https?://)", "", word) for word in environ[name].split()), name)
    for name in filter(environ.get, _PROXIES):
        _parse_proxy(environ[name], name)
    text = _ask_pip(processes, environ, answers)
    merged: dict[str, str] = {}
    # In pip, the environment wins over `install`, and that over `global`.
    for section in ("global", "install", ":env:"):
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                merged[name.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    _parse_proxy(merged.get("proxy", ""), "proxy of pip")
    return PipSettings(
        # A single address may contain a space; lists of addresses are split at spaces.
        index_url=" ".join(_parsed([merged.get("index-url", "")], "index-url of pip")),
        extra_index_urls=_parsed(merged.get("extra-index-url", "").split(), "extra-index-url of pip"),
        find_links=_parsed(merged.get("find-links", "").split(), "find-links of pip"),
        cert=named_authorities([merged.get("cert", "")], environ),
        client_cert=merged.get("client-cert", ""),
    )


def _parsed(words: Iterable[str], named: str) -> tuple[str, ...]:
    """Addresses quoted for all programs; folders unchanged."""
    return tuple(parse_address(word, named).whole if is_remote(word) else _local(word, named) for word in words)


def _local(word: str, named: str) -> str:
    if "@" in word and "://" not in word and not Path(word).exists():
        # The second half of an address that was split at a space.
        raise UsageError(f"{named} has an @ in a part that is no address and no folder", hint="write %20 for a space")
    return word


def _parse_proxy(text: str, named: str) -> None:
    """Parse the proxy's address, which may lack a scheme."""
    parse_address(text if "://" in text else f"http://{text}", named)


def _ask_pip(processes: Processes, environ: Mapping[str, str], answers: Answers) -> str:
    """The output of `pip config list`, cached until pip, its variables or the files that it reads change.

    Output with a password is not cached.
    """
    seen = {name: value for name, value in environ.items() if name in _PIP_SEES or name.startswith(("PIP_", "PYTHON"))}
    question = ("pip", sys.executable, _ASK_PIP, json.dumps(seen, sort_keys=True))
    if (known := answers.recall(*question)) is not None:
        return str(known)
    asked = time.time()
    try:
        # Without the current folder, which is not trusted, in the import path.
        said = processes.run([sys.executable, "-c", _ASK_PIP], env={**environ, "PYTHONSAFEPATH": "1"})
    except CommandFailed:
        return ""
    settings, told, itself = said.split("\0")
    files = re.findall(r"^  (/.*), exists: (?:True|False)$", told, re.MULTILINE)
    if files and "@" not in settings:
        answers.keep(settings, *question, asked=asked, rests_on=[*files, itself.strip()])
    return settings


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def is_sound(kept: Path) -> bool:
    """Whether a cached file still has the sha256 in the name of its folder."""
    try:
        return sha256_of(kept) == kept.parent.name
    except OSError:
        return False


@dataclass
class _Progress:
    """The progress of pypi-simple, passed on as a limited number of events."""

    what: str
    total: int | None
    listener: Listener
    most: int = _LARGEST_FILE
    done: int = 0
    told: int = 0

    def __enter__(self) -> _Progress:  # noqa: PYI034 - Self is not in 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.listener(Transfer(self.what, self.done, self.done))

    def update(self, increment: int) -> None:
        self.done += increment
        if self.done > self.most:
            raise IndexUnreachable(
                f"{self.what} is larger than the limit of {self.most} bytes", hint="ask the operator of the index"
            )
        if self.done - self.told >= _TICK:
            self.told = self.done
            self.listener(Transfer(self.what, self.done, self.total))


@dataclass(frozen=True)
class Index:
    """A package index with its cache folder; offline, only the cache folder is used."""

    settings: PipSettings
    cache: Path
    offline: bool = False
    listener: Listener = field(default=deaf, compare=False)

    def files_of(self, project: str) -> list[DistributionPackage]:
        """Every file of a project. Raises SourceError if it is unknown, IndexUnreachable without an answer."""
        from pypi_simple import NoSuchProjectError, PyPISimple

        if self.offline:
            raise IndexUnreachable(
                f"{project} is not in the cache, and --offline forbids access to the index",
                hint="run the same command without --offline",
            )
        with self._session() as session:
            client = PyPISimple(self._address.bare, session=session)
            try:
                return read_page(client, project, f"reading the index page of {project}", self._help).packages
            except NoSuchProjectError:
                raise SourceError(
                    f"the index has no project {project!r}",
                    hint="check the spelling, or give a folder or an sdist file",
                ) from None

    def fetch(self, package: DistributionPackage, sha256: str = "") -> Path:
        """Download a file into the cache if missing; checked by `sha256`, or by the index's sha256."""
        promised = (sha256 or (package.digests or {}).get("sha256", "")).lower()
        if not re.fullmatch(r"[0-9a-f]{64}", promised):  # used as the name of a folder
            raise SourceError(
                f"the index states no sha256 for {package.filename}, so it cannot be verified",
                hint="download the file yourself and give its path",
            )
        final = self.cache / "files" / promised / package.filename
        if final.is_file() and is_sound(final):
            mark_used(final.parent)
            return final
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
        try:
            self._download(package, partial)
            found = sha256_of(partial)
            if found != promised:
                raise SourceError(
                    f"{package.filename} has the wrong sha256: {found}, expected {promised}",
                    hint="the same command again; if it keeps failing, ask the operator of the index or the proxy",
                )
            partial.replace(final)
        finally:
            partial.unlink(missing_ok=True)
        return final

    def kept(self, pattern: str) -> Iterator[Path]:
        """Cached files with matching names."""
        return (self.cache / "files").glob(f"*/{pattern}")

    def _download(self, package: DistributionPackage, to: Path) -> None:
        with self._session() as session:
            download(package, to, session, self.listener, self._help)

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        with open_session(self.settings.trust) as session:
            session.auth = Login(self._address) if self._address.whole != self._address.bare else None
            yield session

    @property
    def _address(self) -> Address:
        return parse_address(self.settings.index_url or _default_endpoint(), "index-url of pip")

    @property
    def _help(self) -> Help:
        host = urlsplit(self._address.bare).netloc
        return Help(
            hint=_HINT,
            login=f"export PIP_INDEX_URL=https://USER:PASSWORD@{host}/...; or a line for {host} in ~/.netrc",
            certificates="pip config set global.cert FILE; or export REQUESTS_CA_BUNDLE=FILE",
        )


def download(
    package: DistributionPackage,
    to: Path,
    session: requests.Session,
    listener: Listener,
    help_: Help,
) -> None:
    """Download a file without checking it; retried from the beginning if the connection breaks.

    Raises IndexUnreachable. The caller must verify the bytes.
    """
    import requests
    import tenacity
    from pypi_simple import PyPISimple

    retry = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=0.5, max=8),
        retry=tenacity.retry_if_exception_type(
            (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
        ),
        reraise=True,
    )
    with network(f"downloading {package.filename}", help_):
        retry(
            PyPISimple(session=session).download_package,
            package,
            to,
            verify=False,
            progress=lambda total: _Progress(package.filename, total, listener, package.size or _LARGEST_FILE),
            timeout=TIMEOUT,
        )


def _default_endpoint() -> str:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return PYPI_SIMPLE_ENDPOINT


@contextmanager
def open_session(trust: Trust) -> Iterator[requests.Session]:
    """A session for requests to an index, with retries.

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
        retries = Retries(total=_ATTEMPTS, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
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
    return IndexUnreachable(said, hint=help_.hint)


def _refusal(answer: requests.Response) -> str:
    status = HTTPStatus(answer.status_code)
    if "Authorization" in answer.request.headers:
        return f"{status} {status.phrase}: the index refuses this user or this password"
    return f"{status} {status.phrase}: the index requires a login, and no user name and password are set"


def read_page(
    client: PyPISimple, project: str, doing: str, help_: Help, headers: Mapping[str, str] | None = None
) -> ProjectPage:
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
    return page


def is_for_people(headers: Mapping[str, str], beginning: bytes) -> bool:
    """Whether an HTML page has elements that index pages lack: PEP 503 has only links."""
    text = beginning.lower()
    if "html" not in headers.get("Content-Type", "html") or _OF_AN_INDEX.search(text):
        return False
    return _OF_A_WEB_PAGE.search(text) is not None
