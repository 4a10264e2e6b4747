"""One repository of a registry: documents and layers over HTTP (OCI distribution specification).

Everything is checked by its sha256. Passwords and tokens go to the registry and to the token server that it names,
never to the host that a redirect leads to, and never into a message.
"""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from crosswheel.errors import NoCredentials
from crosswheel.images.credentials import Credentials, credentials_for
from crosswheel.images.manifests import INDEXES, LONGEST, MANIFESTS, Descriptor, digest_of, is_digest
from crosswheel.images.references import Reference
from crosswheel.system.addresses import origin_of
from crosswheel.system.budget import OverBudget
from crosswheel.system.index_pages import open_session
from crosswheel.system.trust import Trust, named_authorities

if TYPE_CHECKING:
    import requests

_FIRST_ANSWER = (3.0, 15.0)  # seconds to connect, and to wait for data; without a network it should be known soon
_TIMEOUT = (15.0, 60.0)
_ATTEMPTS = 5
_REDIRECTS = 5
_BLOCK = 1 << 16
_LONGEST_REASON = 300
_API_OF_HUB = "registry-1.docker.io"
_HUB = "docker.io"
_SCOPE = "repository:{}:pull"
_CHALLENGE = re.compile(r"\s*(bearer|basic)\b\s*(.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}


class NotDelivered(Exception):  # noqa: N818 - reads as what happened
    """A registry did not deliver the image, with the reason; `passing` if a retry may help."""

    def __init__(self, reason: str, hint: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.hint = hint
        self.passing = passing


@dataclass
class Registry:
    """A repository in a registry that has answered; `reference` names the image to fetch."""

    reference: Reference
    address: str
    environ: Mapping[str, str] = field(repr=False)
    _session: requests.Session = field(repr=False)
    _authorization: str = field(default="", repr=False)

    def document(self, name: str) -> bytes:
        """A manifest or an index, by tag or digest. Raises NotDelivered."""
        kinds = ", ".join((*MANIFESTS, *INDEXES))
        with self._get(f"manifests/{name}", {"Accept": kinds}) as answer:
            text = self._whole(answer)
        return self._checked(text, name) if is_digest(name) else text

    def configuration(self, wanted: Descriptor) -> bytes:
        """The configuration of an image. Raises NotDelivered."""
        with self._get(f"blobs/{wanted.digest}") as answer:
            return self._checked(self._whole(answer), wanted.digest)

    def layer(self, wanted: Descriptor, folder: Path, arrived: Callable[[int], None]) -> Path:
        """Download a layer into the folder; the file has the right sha256. `arrived` takes the number of bytes so far.

        A file that is there already is the beginning of it. After a cut the rest is asked for. Raises NotDelivered,
        and removes a file with the wrong sha256.
        """
        import tenacity

        to = folder / wanted.digest.removeprefix("sha256:")

        retry = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=tenacity.wait_exponential(multiplier=0.5, max=8),
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, NotDelivered) and error.passing),
            reraise=True,
        )
        retry(self._continue, wanted, to, arrived)
        return to

    def _continue(self, wanted: Descriptor, to: Path, arrived: Callable[[int], None]) -> None:
        with _Partial(to) as partial:
            resumed = partial.size > 0
            if partial.size < wanted.size:
                resumed = self._append(wanted, partial, arrived)
        host = self.reference.host
        if partial.size < wanted.size:
            raise NotDelivered(f"{host} ended {wanted.digest} too early", self._hint, passing=True)
        if partial.size > wanted.size or partial.digest != wanted.digest:
            to.unlink()
            reason = f"{host} delivered {partial.size} bytes with {partial.digest} instead of {wanted.digest}"
            raise NotDelivered(reason, self._hint, passing=resumed)

    def _append(self, wanted: Descriptor, partial: _Partial, arrived: Callable[[int], None]) -> bool:
        """Download what is missing, and at most a block more; whether it continues what was there."""
        begin = partial.size
        headers = {"Range": f"bytes={begin}-"} if begin else {}
        with self._get(f"blobs/{wanted.digest}", headers) as answer, self._failures():
            if not answer.headers.get("Content-Range", "").startswith(f"bytes {begin}-"):
                begin = 0
                partial.restart()
            for block in answer.raw.stream(_BLOCK, decode_content=False):
                partial.add(block)
                arrived(partial.size)
                if partial.size > wanted.size:
                    break
        return begin > 0

    def _whole(self, answer: requests.Response) -> bytes:
        with self._failures():
            text = bytes(answer.raw.read(LONGEST + 1, decode_content=False))
        if len(text) > LONGEST:
            raise NotDelivered(
                f"{self.reference.host} answered with a document of more than {LONGEST} bytes", self._hint
            )
        return text

    def _checked(self, text: bytes, wanted: str) -> bytes:
        found = digest_of(text)
        if found != wanted:
            raise NotDelivered(f"{self.reference.host} delivered {found} instead of {wanted}", self._hint)
        return text

    @contextmanager
    def _get(self, what: str, headers: Mapping[str, str] | None = None) -> Iterator[requests.Response]:
        """The answer to a request for a part of the repository, with a login if the registry asks for one."""
        url = f"{self.address}/v2/{self.reference.path}/{what}"
        answer = self._follow(url, headers or {})
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            answer.close()
            self._log_in(answer.headers.get("WWW-Authenticate", ""))
            answer = self._follow(url, headers or {})
        with answer:
            if answer.status_code not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                raise self._refusal(answer)
            yield answer

    def _follow(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        first = url
        for _ in range(_REDIRECTS):
            answer = self._send(url, headers, self._authorization if origin_of(url) == origin_of(first) else "")
            if not answer.is_redirect:
                return answer
            answer.close()
            url = urljoin(url, answer.headers["Location"])
            if not _is_safe(url):
                raise NotDelivered(f"{self.reference.host} redirects to an address without TLS", self._hint)
        raise NotDelivered(f"{self.reference.host} redirects more than {_REDIRECTS} times", self._hint)

    def _send(self, url: str, headers: Mapping[str, str], authorization: str) -> requests.Response:
        with self._failures():
            return self._session.get(
                url,
                headers={"Accept-Encoding": "identity", **headers},
                auth=_Authorization(authorization),
                allow_redirects=False,
                stream=True,
                timeout=_TIMEOUT,
            )

    # ---- logins -----------------------------------------------------------------------------------------------

    def _log_in(self, challenge: str) -> None:
        """Answer a challenge (RFC 9110, Docker's token authentication). Raises NotDelivered."""
        from requests.auth import _basic_auth_str

        match = _CHALLENGE.match(challenge)
        if not match:
            raise NotDelivered(f"{self.reference.host} asks for a login of an unknown kind", self.reference.login)
        try:
            credentials = credentials_for(self.reference, self.environ)
        except NoCredentials as error:
            raise NotDelivered(error.message, error.hint) from error
        if match[1].lower() == "basic":
            if not credentials:
                raise NotDelivered(f"{self.reference.host} asks for a login", self.reference.login)
            self._authorization = _basic_auth_str(credentials.username.encode(), credentials.password.encode())
        else:
            self._authorization = f"Bearer {self._token(_parameters(match[2]), credentials)}"

    def _token(self, asked: Mapping[str, str], credentials: Credentials | None) -> str:
        """An access token to pull from the repository; without a login, one for everybody."""
        realm, host = asked.get("realm", ""), self.reference.host
        if not _is_safe(realm):
            raise NotDelivered(f"{host} names a token server without TLS", self._hint)
        about = {"service": asked.get("service", ""), "scope": asked.get("scope", _SCOPE.format(self.reference.path))}
        with self._failures("the token server of "):
            answer = self._session.request(
                url=realm, **_request_for_token(about, credentials), allow_redirects=False, timeout=_TIMEOUT
            )
        try:
            found = answer.json() if answer.status_code == HTTPStatus.OK else {}
            token = found.get("access_token") or found.get("token") or ""
        except (ValueError, AttributeError):
            token = ""
        if not token or not isinstance(token, str):
            raise self._refusal(answer)
        return token

    # ---- failures ---------------------------------------------------------------------------------------------

    @property
    def _hint(self) -> str:
        return _hint(self.address)

    def _refusal(self, answer: requests.Response) -> NotDelivered:
        host, status = self.reference.host, answer.status_code
        if status == HTTPStatus.NOT_FOUND:
            what = "digest" if self.reference.digest else "tag"
            return NotDelivered(f"{host} has no such {what} in {self.reference.path}", _ANOTHER)
        said = _reason(answer)
        if status in _REFUSED:
            return NotDelivered(f"{host} refuses: {said}", self.reference.login)
        passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return NotDelivered(f"{host} did not deliver it: {said}", self._hint, passing=passing)

    @contextmanager
    def _failures(self, who: str = "") -> Iterator[None]:
        with failures(f"{who}{self.reference.host}", self._hint):
            yield


def _hint(address: str) -> str:
    return f"curl -I {address}/v2/, to see whether it answers; or --mirrors HOST"


_ANOTHER = "--image REPOSITORY:TAG, with an image that exists"


@dataclass(frozen=True)
class _Authorization:
    """Sets the header itself: otherwise requests would take a login from ~/.netrc, and send it instead."""

    text: str = field(repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.text:
            request.headers["Authorization"] = self.text
        return request


class _Partial:
    """A file that grows, and its sha256."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+b")
        self._sha256 = hashlib.sha256()
        self.size = 0
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            self._sha256.update(block)
            self.size += len(block)

    def __enter__(self) -> _Partial:  # noqa: PYI034 - Self is not in 3.10
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def digest(self) -> str:
        return f"sha256:{self._sha256.hexdigest()}"

    def add(self, block: bytes) -> None:
        self._file.write(block)
        self._sha256.update(block)
        self.size += len(block)

    def restart(self) -> None:
        self._file.truncate(0)
        self._sha256, self.size = hashlib.sha256(), 0


@contextmanager
def open_registry(reference: Reference, environ: Mapping[str, str]) -> Iterator[Registry]:
    """The repository of an image, if its registry answers. Raises NotDelivered, UsageError for missing certificates."""
    trust = Trust(named_authorities((), environ))
    address = _reached(reference, trust)
    with open_session(trust) as session:
        yield Registry(reference, address, environ, session)


def _reached(reference: Reference, trust: Trust) -> str:
    """The address of the registry, which is asked once and without patience.

    A registry of this machine may have no TLS, as for docker.
    """
    import requests

    host = _API_OF_HUB if reference.host == _HUB else reference.host
    schemes = ("https", "http") if _is_here(urlsplit(f"//{host}").hostname or "") else ("https",)
    with open_session(trust, attempts=0) as session:
        for scheme in schemes:
            with failures(reference.host, _hint(f"{scheme}://{host}")):
                try:
                    session.get(
                        f"{scheme}://{host}/v2/",
                        auth=_Authorization(""),
                        allow_redirects=False,
                        timeout=_FIRST_ANSWER,
                        stream=True,
                    ).close()
                except requests.exceptions.SSLError:
                    if scheme == schemes[-1]:
                        raise
                else:
                    return f"{scheme}://{host}"
    raise AssertionError(schemes)  # pragma: no cover - the last one returns or raises


@contextmanager
def failures(who: str, hint: str) -> Iterator[None]:
    """Convert exceptions of requests and urllib3 to NotDelivered.

    Their texts are left out: they have whole addresses, and those of storage servers have signatures that let in.
    """
    import requests
    import urllib3.exceptions

    try:
        yield
    except requests.exceptions.SSLError as error:
        known = "certificate" in str(error).lower()
        reason = f"the certificate of {who} is not trusted" if known else f"{who} does not talk TLS as expected"
        raise NotDelivered(reason, "export REQUESTS_CA_BUNDLE=FILE" if known else hint) from None
    except requests.exceptions.Timeout:
        raise NotDelivered(f"{who} did not answer in time", hint, passing=True) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OverBudget) as error:
        raise NotDelivered(f"the connection to {who} failed: {_cause(error)}", hint, passing=True) from None


def _cause(error: BaseException) -> str:
    """The reason in the words of the system, or the kind of the exception."""
    from urllib3.exceptions import ResponseError

    seen, todo = [error], [error]
    while todo:
        one = todo.pop()
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
        if isinstance(one, http.client.IncompleteRead):
            return "it broke off"
        if isinstance(one, ResponseError):  # as in: too many 502 error responses
            return str(one)
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        found = [each for each in inner if isinstance(each, BaseException) and each not in seen]
        seen += found
        todo += found
    return type(seen[-1]).__name__


def _request_for_token(about: Mapping[str, str], credentials: Credentials | None) -> dict[str, Any]:
    """How `requests` asks for a token: Docker's token specification, with OAuth 2 for an identity token."""
    if credentials and credentials.identity_token:
        form = {"grant_type": "refresh_token", "client_id": "crosswheel", "refresh_token": credentials.identity_token}
        return {"method": "POST", "data": {**about, **form}, "auth": _Authorization("")}
    user = (credentials.username.encode(), credentials.password.encode()) if credentials else None
    return {"method": "GET", "params": about, "auth": user or _Authorization("")}


def _parameters(text: str) -> dict[str, str]:
    """The parameters of a challenge; values may have commas."""
    return {match[1].lower(): match[2] or match[3] or "" for match in _PARAMETER.finditer(text)}


def _is_safe(url: str) -> bool:
    """Whether nobody on the way can read or change it: it has TLS, or does not leave this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname or ""))


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reason(answer: requests.Response) -> str:
    """What the registry says, in a line: its own words are JSON with codes and messages."""
    from urllib3.exceptions import HTTPError

    status = f"HTTP {answer.status_code}"
    try:
        first = json.loads(answer.content if answer.raw.closed else answer.raw.read(_BLOCK))["errors"][0]
        said = f"{status} {first.get('code', '')}: {first.get('message', '')}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, HTTPError):
        return status
    return " ".join(said.split())[:_LONGEST_REASON]
