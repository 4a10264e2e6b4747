"""Files on their way to an index: twine sends them, and what the server answers is success, trouble or an error."""

from __future__ import annotations

import html
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urljoin

from crosswheel.errors import CheckFailed, CrosswheelError, NoCredentials, UploadFailed, UsageError
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Listener, Transfer
from crosswheel.release.repositories import Repository, silence_twine
from crosswheel.system.addresses import redact
from crosswheel.system.package_index import explained, network
from crosswheel.system.trust import Trust

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter
    from twine.package import PackageFile
    from twine.repository import Repository as Connection
    from twine.settings import Settings

_TIMEOUT = (15.0, 300.0)  # seconds to connect, and of silence: a server looks into the whole file before it answers
_TICK = 256 * 1024  # bytes between two progress events
_PATIENCE = 300  # seconds: who is told to wait for longer had better be told so
_LONGEST_REASON = 500
# 409 is trouble until the index shows what it is about: another run may be sending the very same file.
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
_AGAIN = "the same command again: it sends what is missing"


class Trouble(Exception):  # noqa: N818 - reads as what happened
    """What may be over in a while: `error` is for when it is not, `wait` what the server asks for, in seconds."""

    def __init__(self, error: CrosswheelError, wait: float = 0) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait


@dataclass(frozen=True)
class Server:
    """A connection to where a repository takes uploads."""

    repository: Repository
    connection: Connection
    adapter: _Adapter
    listener: Listener

    def send(self, distribution: Distribution, package: PackageFile) -> None:
        """Send one file, once. Raises Trouble; UploadFailed where the server wants none of it; NoCredentials."""
        import requests
        import urllib3.exceptions
        from twine.exceptions import TwineException

        doing = f"sending {distribution.filename} to {self.repository.name}"
        self.adapter.progress = _Progress(distribution, self.listener)
        self.listener(Transfer(distribution.filename, 0, distribution.size, sending=True))
        try:
            with redirect_stdout(io.StringIO()):  # where twine says what we say ourselves
                response = self.connection.upload(package, max_redirects=1)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            failed = explained(error, doing, replace(self.repository.help, hint=_AGAIN))
            if isinstance(error, requests.exceptions.SSLError):
                raise failed from None
            raise Trouble(failed) from None
        except TwineException as error:
            raise _no_credentials(self.repository, str(error)) from None
        self._judge(doing, response)
        self.listener(Transfer(distribution.filename, distribution.size, distribution.size, sending=True))

    def _judge(self, doing: str, response: requests.Response) -> None:
        status = response.status_code
        if response.is_redirect:
            to = redact(urljoin(response.url, response.headers["Location"]))
            hint = "give that address as the repository, if you trust it"
            raise UploadFailed(f"{doing} failed: {status}, it was sent on to {to}", hint=hint)
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = f"{doing} failed: {status} {_reason(response)}"
        if status not in _PASSING and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UploadFailed(said, hint=self._hint(status))
        wait = _wait(response)
        if wait > _PATIENCE:
            raise UploadFailed(f"{said}; it asks for {wait:.0f} s of patience", hint=f"{_AGAIN}, in {wait:.0f} s")
        raise Trouble(UploadFailed(said, hint=_AGAIN), wait)

    def _hint(self, status: int) -> str:
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return f"export {self.repository.variable}=... with a token for this index and this project"
        return f"mend that, and {_AGAIN}"


@contextmanager
def connect(repository: Repository, listener: Listener) -> Iterator[Server]:
    """A server that knows who we are, by trusted publishing where no password was given.

    Raises NoCredentials, IndexUnreachable, UsageError.
    """
    from twine.exceptions import NonInteractive, TrustedPublishingFailure, UploadToDeprecatedPyPIDetected
    from twine.settings import Settings

    repository.trust.check()
    settings = Settings(
        repository_url=repository.upload_url,
        username=repository.username or None,
        password=repository.password or None,
        cacert=repository.trust.authorities or None,
        client_cert=repository.trust.own or None,
        non_interactive=True,
        disable_progress_bar=True,
    )
    silence_twine()
    try:
        settings.check_repository_url()
        doing = f"asking {repository.name} for trusted publishing"
        with repository.trust.for_all(), network(doing, replace(repository.help, hint=_AGAIN)):
            connection = settings.create_repository()
    except UploadToDeprecatedPyPIDetected as error:
        raise UsageError(str(error), hint="--repository pypi, or --repository testpypi") from None
    except NonInteractive:
        raise _no_credentials(repository, "nobody gave one") from None
    except TrustedPublishingFailure as error:
        raise _no_credentials(repository, str(error)) from None
    connection.session.auth = _authentication(repository, settings)
    adapter = _telling_adapter(repository.trust)
    for scheme in ("http://", "https://"):
        connection.session.mount(scheme, adapter)
    try:
        yield Server(repository, connection, adapter, listener)
    finally:
        connection.close()


def read_package(distribution: Distribution, copy: Path | None = None) -> PackageFile:
    """What the index is told of a file, or of its copy.

    Raises CheckFailed for one that twine cannot read, or that has changed.
    """
    from twine.package import PackageFile

    hint = f"crosswheel check {distribution.path}"
    try:
        package = PackageFile.from_filename(str(copy or distribution.path), comment=None)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # trouble with this machine's disk, and not with what is in the file
        said = str(error) or type(error).__name__
        raise CheckFailed(f"{distribution.filename} cannot be sent: {said}", hint=hint) from error
    if package.sha2_digest != distribution.sha256:
        raise CheckFailed(
            f"{distribution.filename} has changed since it was looked at first, and was not sent", hint=hint
        )
    return package


@contextmanager
def sealed(distribution: Distribution) -> Iterator[PackageFile]:
    """The same of a copy that is all ours: a build may write the file anew while it is sent.

    Twine opens it by its name as often as it sends it; name, hashes, metadata and bytes are of this one copy.
    """
    with tempfile.TemporaryDirectory(prefix="crosswheel-sending-") as folder:
        copy = Path(folder, distribution.filename)
        try:
            shutil.copyfile(distribution.path, copy)
        except FileNotFoundError:
            raise CheckFailed(
                f"{distribution.path} is gone since it was looked at first, and was not sent",
                hint=f"ls {distribution.path.parent}",
            ) from None
        yield read_package(distribution, copy)


def _authentication(repository: Repository, settings: Settings) -> Any:
    from requests.auth import HTTPBasicAuth

    if repository.password:
        # As bytes, for requests would take texts for Latin-1.
        return HTTPBasicAuth(repository.username.encode(), repository.password.encode())
    # A token of trusted publishing lives for minutes only; twine's authenticator gets a new one when it is time.
    return settings.auth.authenticator if repository.is_pypi else None


def _no_credentials(repository: Repository, why: str) -> NoCredentials:
    user = repository.username or "USER"
    return NoCredentials(
        f"no token for {repository.name}: {redact(why)}",
        hint=f"export {repository.variable}=...; or keyring set {repository.upload_url} {user}; or see docs/upload.md",
    )


# ---- what the server says -----------------------------------------------------------------------------------------


def _reason(response: requests.Response) -> str:
    """In the server's own words: in its status line, or else in the page that it sends; never what we told it."""
    # Before anything is taken out of them, and once more before they are cut: half a token is one too many.
    line, content = (_concealed(text, response.request) for text in (response.reason or "", response.text))
    status = next((status for status in HTTPStatus if status == response.status_code), None)
    usual = status is None or line.lower() in {"", status.phrase.lower()}
    # Many a page begins with the status line, once more.
    page = _without_markup(content).removeprefix(f"{response.status_code} {line}").strip() if usual else ""
    page = _shortened(_concealed(page, response.request))
    text = " ".join(filter(None, (line, page and f"({page})")))
    # It goes to terminals, and servers may write what they like.
    visible = "".join(char for char in text if char.isprintable())
    return redact(_concealed(visible, response.request))


def _without_markup(text: str) -> str:
    bare = re.sub(r"<(style|script|title)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(html.unescape(bare).split())


def _shortened(words: str) -> str:
    return words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}..."


def _concealed(text: str, request: requests.PreparedRequest) -> str:
    """Some servers repeat what they were sent."""
    import base64

    _, _, encoded = (request.headers.get("Authorization") or "").partition(" ")
    secret = base64.b64decode(encoded).decode("utf-8", "replace").partition(":")[2]
    # The longest first: one may be a part of another.
    for word in sorted(filter(None, {encoded, *_spellings(secret)}), key=len, reverse=True):
        text = text.replace(word, "***")
    return text


def _spellings(secret: str) -> set[str]:
    """As addresses, pages and documents have it, and as it looks where UTF-8 is taken for Latin-1."""
    escaped = {
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        html.escape(secret),
        html.escape(secret, False),
    }
    documents = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    return {secret, " ".join(secret.split()), secret.encode().decode("latin-1"), *escaped, *documents}


def _wait(response: requests.Response) -> float:
    from urllib3.exceptions import InvalidHeader
    from urllib3.util import Retry

    try:
        return Retry().parse_retry_after(response.headers.get("Retry-After", "0"))
    except InvalidHeader:
        return 0


# ---- progress -----------------------------------------------------------------------------------------------------


@dataclass
class _Progress:
    """What twine's form reports to; the file is the end of the form, and arrived only when the server says so."""

    distribution: Distribution
    listener: Listener
    told: int = 0

    def __call__(self, form: Any) -> None:
        size = self.distribution.size
        done = form.bytes_read - (form.len - size)
        if done - self.told >= _TICK and done < size:
            self.told = done
            self.listener(Transfer(self.distribution.filename, done, size, sending=True))


if TYPE_CHECKING:

    class _Adapter(HTTPAdapter):
        progress: _Progress | None


def _telling_adapter(trust: Trust) -> _Adapter:
    """Twine's own sends without a time limit, and repeats what we repeat ourselves."""
    from requests.adapters import HTTPAdapter

    class Telling(HTTPAdapter):
        progress: _Progress | None = None

        def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
            form: Any = request.body
            form.callback = self.progress
            return super().send(request, **{**how, "timeout": _TIMEOUT, **trust.sending})

    return Telling()  # type: ignore[return-value]
