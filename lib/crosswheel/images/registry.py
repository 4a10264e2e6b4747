"""One repository of a registry: documents and layers over HTTP (OCI distribution specification).

Everything is checked by its sha256. Passwords and tokens go to the registry and to the token server that it names,
never to the host that a redirect leads to, and never into a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from crosswheel.images.authorization import NOTHING, TIMEOUT, Authorization, authorize
from crosswheel.images.failures import NotDelivered, NoTls, failures, hint_for, refusal
from crosswheel.images.manifests import INDEXES, LONGEST, MANIFESTS, Descriptor, digest_of, is_digest
from crosswheel.images.partial import Partial
from crosswheel.images.plain_http import is_safe, may_be_plain
from crosswheel.images.references import Reference
from crosswheel.system.addresses import origin_of
from crosswheel.system.index_pages import open_session
from crosswheel.system.trust import Trust, named_authorities

if TYPE_CHECKING:
    import requests

_FIRST_ANSWER = (3.0, 15.0)  # seconds to connect, and to wait for data; without a network it should be known soon
_ATTEMPTS = 5
_REDIRECTS = 5
_BLOCK = 1 << 16
_HUB = "docker.io"
_API_OF_HUB = "registry-1.docker.io"


@dataclass
class Registry:
    """A repository in a registry that has answered; `reference` names the image to fetch."""

    reference: Reference
    address: str
    environ: Mapping[str, str] = field(repr=False)
    _session: requests.Session = field(repr=False)
    _login: Authorization = NOTHING

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
        with Partial(to) as partial:
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

    def _append(self, wanted: Descriptor, partial: Partial, arrived: Callable[[int], None]) -> bool:
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
            challenge = answer.headers.get("WWW-Authenticate", "")
            self._login = authorize(challenge, self.reference, self.address, self._session, self.environ)
            answer = self._follow(url, headers or {})
        with answer:
            if answer.status_code not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                raise refusal(answer, self.reference, self.address)
            yield answer

    def _follow(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        first = url
        for _ in range(_REDIRECTS):
            answer = self._send(url, headers, self._login if origin_of(url) == origin_of(first) else NOTHING)
            if not answer.is_redirect:
                return answer
            answer.close()
            url = urljoin(url, answer.headers["Location"])
            if not is_safe(url):
                raise NotDelivered(f"{self.reference.host} redirects to an address without TLS", self._hint)
        raise NotDelivered(f"{self.reference.host} redirects more than {_REDIRECTS} times", self._hint)

    def _send(self, url: str, headers: Mapping[str, str], login: Authorization) -> requests.Response:
        with self._failures():
            return self._session.get(
                url,
                headers={"Accept-Encoding": "identity", **headers},
                auth=login,
                allow_redirects=False,
                stream=True,
                timeout=TIMEOUT,
            )

    @property
    def _hint(self) -> str:
        return hint_for(self.address)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        with failures(self.reference.host, self._hint):
            yield


@contextmanager
def open_registry(reference: Reference, environ: Mapping[str, str]) -> Iterator[Registry]:
    """The repository of an image, if its registry answers. Raises NotDelivered, UsageError for missing certificates."""
    trust = Trust(named_authorities((), environ))
    try:
        address = _reached(reference, trust)
    except NotDelivered as failure:
        failure.silent = failure.passing
        raise
    with open_session(trust) as session:
        yield Registry(reference, address, environ, session)


def _reached(reference: Reference, trust: Trust) -> str:
    """The address of the registry, which is asked once and without patience.

    Where it may have no TLS, that is tried second.
    """
    host = _API_OF_HUB if reference.host == _HUB else reference.host
    with open_session(trust, attempts=0) as session:
        if may_be_plain(host):
            with suppress(NoTls):
                return _ask(session, reference.host, f"https://{host}")
            return _ask(session, reference.host, f"http://{host}")
        return _ask(session, reference.host, f"https://{host}")


def _ask(session: requests.Session, host: str, address: str) -> str:
    """The address, if a server answers there. Raises NotDelivered."""
    with failures(host, hint_for(address)):
        url = f"{address}/v2/"
        session.get(url, auth=NOTHING, allow_redirects=False, timeout=_FIRST_ANSWER, stream=True).close()
    return address
