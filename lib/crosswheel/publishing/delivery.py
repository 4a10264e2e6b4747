"""Uploads files with twine; a server's answer is a success, a Trouble (temporary) or an error.

An upload uses `connect`, `sealed` and `Server.send`. No other file knows the form that is sent: the legacy upload API,
as twine implements it. Upload 2.0 (PEP 694, a draft in June 2026) would be another file with these three names.
"""

from __future__ import annotations

import html
import io
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urljoin

from crosswheel.auditing.rules.index import remedy_for
from crosswheel.errors import CheckFailed, CrosswheelError, NoCredentials, UploadFailed, UsageError
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Listener, Transfer
from crosswheel.publishing.attestations import attestation_of
from crosswheel.publishing.repositories import Repository, silence_twine
from crosswheel.system.addresses import redact
from crosswheel.system.index_pages import explained, network
from crosswheel.system.scratch import temporary_folder
from crosswheel.system.trust import Trust

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter
    from twine.package import PackageFile
    from twine.repository import Repository as Connection
    from twine.settings import Settings

_TIMEOUT = (15.0, 300.0)  # seconds to connect, and to wait for data: a server checks the whole file before it answers
_TICK = 256 * 1024  # bytes between two progress events
_PATIENCE = 300  # seconds: a longer wait is reported to the user
_LONGEST_REASON = 500
# 409 counts as temporary until the index shows the cause: another run may be sending the same file.
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS}
_AGAIN = "the same command again: it sends only what is missing"


class Trouble(Exception):  # noqa: N818 - reads as what happened
    """A temporary failure: `error` is raised if it persists, `wait` is the server's requested delay in seconds."""

    def __init__(self, error: CrosswheelError, wait: float = 0) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait = wait


@dataclass(frozen=True)
class Parcel:
    """A file with its metadata and attestation, ready for upload."""

    distribution: Distribution
    package: PackageFile = field(repr=False)


@dataclass(frozen=True)
class Server:
    """A connection to the upload address of a repository."""

    repository: Repository
    connection: Connection
    adapter: _Adapter
    listener: Listener

    def send(self, parcel: Parcel) -> None:
        """Send one file, once. Raises Trouble, UploadFailed if the server refuses the file, NoCredentials."""
        import requests
        import urllib3.exceptions
        from twine.exceptions import TwineException

        distribution = parcel.distribution
        doing = f"sending {distribution.filename} to {self.repository.name}"
        self.adapter.progress = _Progress(distribution, self.listener)
        self.listener(Transfer(distribution.filename, 0, distribution.size, sending=True))
        try:
            with redirect_stdout(io.StringIO()):  # twine prints here what this module reports itself
                response = self.connection.upload(parcel.package, max_redirects=1)
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
            hint = "use that address as the repository, if you trust it"
            raise UploadFailed(f"{doing} failed: {status}, redirected to {to}", hint=hint)
        if status < HTTPStatus.MULTIPLE_CHOICES:
            return
        said = f"{doing} failed: {status} {_reason(response)}"
        if status not in _PASSING and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise UploadFailed(said, hint=remedy_for(said) or self._hint(status))
        wait = _wait(response)
        if wait > _PATIENCE:
            raise UploadFailed(f"{said}; the server asks for a wait of {wait:.0f} s", hint=f"in {wait:.0f} s, {_AGAIN}")
        raise Trouble(UploadFailed(said, hint=_AGAIN), wait)

    def _hint(self, status: int) -> str:
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            hint = f"export {self.repository.variable}=... with a token for this index and this project"
            source = self.repository.password_from
            return f"{hint}; the refused password is from {source}" if source else hint
        return f"correct that, then {_AGAIN}"


@contextmanager
def connect(repository: Repository, listener: Listener) -> Iterator[Server]:
    """An authenticated connection; without a password, trusted publishing provides a token.

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
        raise _no_credentials(repository, "none is set") from None
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


def read_parcel(distribution: Distribution, copy: Path | None = None) -> Parcel:
    """Twine's metadata of a file, or of its copy, and the attestation beside the file.

    Raises CheckFailed if twine cannot read the file, or if it has changed.
    """
    from twine.package import PackageFile

    hint = f"crosswheel check {distribution.path}"
    try:
        package = PackageFile.from_filename(str(copy or distribution.path), comment=None)
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a problem of this machine's disk, not of the file's content
        said = str(error) or type(error).__name__
        raise CheckFailed(f"{distribution.filename} cannot be sent: {said}", hint=hint) from error
    if package.sha2_digest != distribution.sha256:
        raise CheckFailed(f"{distribution.filename} was not sent: it has changed since it was checked", hint=hint)
    _add_attestation(distribution, package)
    return Parcel(distribution, package)


@contextmanager
def sealed(distribution: Distribution) -> Iterator[Parcel]:
    """A private copy of the file, because a build may replace the file during the upload.

    twine opens the file by name for each attempt; name, hashes, metadata and bytes all come from this copy.
    """
    with temporary_folder() as folder:
        copy = folder / distribution.filename
        try:
            shutil.copyfile(distribution.path, copy)
        except FileNotFoundError:
            raise CheckFailed(
                f"{distribution.path} was not sent: it was removed since it was checked",
                hint=f"ls {distribution.path.parent}",
            ) from None
        yield read_parcel(distribution, copy)


def _add_attestation(distribution: Distribution, package: PackageFile) -> None:
    """Add the attestation beside the file to the upload. Raises CheckFailed if it cannot be read."""
    from twine.exceptions import TwineException

    path = attestation_of(distribution)
    if not path.exists():
        return
    try:
        package.add_attestations([str(path)])
    except (TwineException, ValueError) as error:
        raise CheckFailed(f"{path} is not an attestation: {error}", hint=f"rm {path}") from error


def _authentication(repository: Repository, settings: Settings) -> Any:
    from requests.auth import HTTPBasicAuth

    if repository.password:
        # As bytes, because requests encodes texts as Latin-1.
        return HTTPBasicAuth(repository.username.encode(), repository.password.encode())
    # A token of trusted publishing is valid for minutes; twine's authenticator fetches a new one in time.
    return settings.auth.authenticator if repository.is_pypi else None


def _no_credentials(repository: Repository, why: str) -> NoCredentials:
    user = repository.username or "USER"
    return NoCredentials(
        f"no token for {repository.name}: {redact(why)}",
        hint=f"export {repository.variable}=...; or keyring set {repository.upload_url} {user}; or see docs/upload.md",
    )


# ---- the server's answer ------------------------------------------------------------------------------------------


def _reason(response: requests.Response) -> str:
    """The server's reason, from its status line or its page, without our secrets."""
    # Concealed before anything is removed, and again before cutting: half a token must not remain either.
    line, content = (_concealed(text, response.request) for text in (response.reason or "", response.text))
    status = next((status for status in HTTPStatus if status == response.status_code), None)
    usual = status is None or line.lower() in {"", status.phrase.lower()}
    # Many pages repeat the status line.
    page = _without_markup(content).removeprefix(f"{response.status_code} {line}").strip() if usual else ""
    page = _shortened(_concealed(page, response.request))
    text = " ".join(filter(None, (line, page and f"({page})")))
    # The text is shown on terminals, and servers may send any characters.
    visible = "".join(char for char in text if char.isprintable())
    return redact(_concealed(visible, response.request))


def _without_markup(text: str) -> str:
    bare = re.sub(r"<(style|script|title)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
    return " ".join(html.unescape(bare).split())


def _shortened(words: str) -> str:
    return words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}..."


def _concealed(text: str, request: requests.PreparedRequest) -> str:
    """Remove our secrets, because some servers repeat what they received."""
    import base64

    _, _, encoded = (request.headers.get("Authorization") or "").partition(" ")
    secret = base64.b64decode(encoded).decode("utf-8", "replace").partition(":")[2]
    # The longest first, because one spelling may be part of another.
    for word in sorted(filter(None, {encoded, *_spellings(secret)}), key=len, reverse=True):
        text = text.replace(word, "***")
    return text


def _spellings(secret: str) -> set[str]:
    """The spellings of a secret in addresses, HTML and JSON, and with UTF-8 decoded as Latin-1."""
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
    """Receives the progress of twine's form; the file is its last part, and done only when the server answers."""

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
    """An HTTP adapter with a time limit and without retries: twine's has no limit, and we retry ourselves."""
    from requests.adapters import HTTPAdapter

    class Telling(HTTPAdapter):
        progress: _Progress | None = None

        def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
            form: Any = request.body
            form.callback = self.progress
            return super().send(request, **{**how, "timeout": _TIMEOUT, **trust.sending})

    return Telling()  # type: ignore[return-value]
