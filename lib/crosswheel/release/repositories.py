"""Where a release goes to: an index to upload to, and the same index to read.

twine's own names, file and variables hold: pypi and testpypi, .pypirc, TWINE_USERNAME and TWINE_PASSWORD, the keyring.
"""

from __future__ import annotations

import configparser
import ipaddress
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from crosswheel.config import Config
from crosswheel.errors import UsageError
from crosswheel.index import TIMEOUT, PipSettings, network, open_session, redact
from crosswheel.targets import did_you_mean

if TYPE_CHECKING:
    from twine.utils import RepositoryConfig

_BELOW = ("+simple/", "simple/")  # devpi's; everybody else's
_HINT = "the same command again after a while; if it stays so, see that the address is right: docs/upload.md"
_THERE = {200, 401, 403}  # an index that wants to know who reads is one, too


@dataclass(frozen=True)
class Repository:
    """An index by its name: files are sent to `upload_url` and read back below `simple_url` (PEP 503, 691).

    Without a password, trusted publishing may provide one when it is time to send. Certificates are files: that of who
    signed the server's, and our own.
    """

    name: str
    upload_url: str
    simple_url: str
    username: str
    password: str = field(repr=False)
    certificate: str = ""
    client_certificate: str = ""

    @property
    def is_pypi(self) -> bool:
        """Whether it is PyPI or TestPyPI."""
        return _is_pypi(self.upload_url)

    @property
    def variable(self) -> str:
        """The environment variable that has this repository's password, and no other's."""
        return variable("PASSWORD", self.name)


def variable(word: str, name: str = "") -> str:
    """``TWINE_PASSWORD``; with the name of a repository, ``TWINE_PASSWORD_TESTPYPI``."""
    own = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"TWINE_{word}_{own}" if own and not _is_address(name) else f"TWINE_{word}"


def find_repository(text: str, config: Config, environ: Mapping[str, str]) -> Repository:
    """``testpypi``, a name in .pypirc, or an address.

    An index whose simple pages nobody named is asked for them. Raises UsageError, IndexUnreachable.
    """
    silence_twine()
    name = _presentable(text) if _is_address(text) else text
    entry = {"repository": text} if _is_address(text) else _entry(text, config.config_file)
    url, user, password = _told_apart(entry.get("repository") or "")
    _refuse_address(name, url, allow_http=config.allow_http)
    entry = {
        **entry,
        "repository": url,
        "username": _from_environ("USERNAME", name, environ) or user or entry.get("username"),
        "password": _from_environ("PASSWORD", name, environ) or password or entry.get("password"),
    }
    username, password = _login(entry)
    repository = Repository(
        name=name,
        upload_url=url,
        simple_url="",
        username=username,
        password=password,
        certificate=environ.get("TWINE_CERT") or entry.get("ca_cert") or "",
        client_certificate=entry.get("client_cert") or "",
    )
    return _with_simple_url(repository, config)


def silence_twine() -> None:
    """What its loggers have to say we say ourselves, and some of it shows what a keyring or a server answered."""
    for name in ("twine.auth", "twine.repository", "twine.utils"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _is_address(text: str) -> bool:
    return "://" in text


def _presentable(text: str) -> str:
    """Without what may be secret of an address, also of one that was mistyped: a password may have any character."""
    bare = re.sub(r"^(\w+://)?.*@", r"\1***@", text)
    return re.sub(r"[?#].*", "", bare) if _is_address(bare) else bare


def _is_pypi(url: str) -> bool:
    from twine.utils import DEFAULT_REPOSITORY, TEST_REPOSITORY

    return url.startswith((DEFAULT_REPOSITORY, TEST_REPOSITORY))


def _entry(name: str, config_file: str) -> RepositoryConfig:
    """What .pypirc says of a repository; testpypi is known even where the file has a list without it."""
    from twine.exceptions import TwineException
    from twine.utils import DEFAULT_CONFIG_FILE, TEST_REPOSITORY, get_config

    path = config_file or DEFAULT_CONFIG_FILE
    try:
        known: dict[str, RepositoryConfig] = {"testpypi": {"repository": TEST_REPOSITORY}, **get_config(path)}
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", hint=f"ls {Path(path).parent}") from None
    except (OSError, TwineException) as error:
        raise UsageError(f"cannot read {path}: {error}", hint=f"ls -l {path}") from None
    except configparser.Error:  # its message shows the line, and the line may be the password's
        raise UsageError(f"{path} is not as .pypirc files are written", hint="see docs/upload.md") from None
    if not known.get(name, {}).get("repository"):
        meant = f"{_presentable(name)!r}{did_you_mean(name, known)}"
        raise UsageError(
            f"repository: {path} has no repository {meant}; known: {', '.join(known)}",
            hint=f"add it to {path}, or give its address: see docs/upload.md",
        )
    return known[name]


def _told_apart(url: str) -> tuple[str, str, str]:
    """An address without its user, the user's name, and the password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", "", ""
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, unquote(parts.username or ""), unquote(parts.password or "")


def _refuse_address(name: str, url: str, *, allow_http: bool) -> None:
    """Everybody on the way could read a token that goes over plain http, and change what is read."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port  # which is where urllib tells that it is none
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"}:
        raise UsageError(f"repository: {name} has no address that begins with https://", hint="see docs/upload.md")
    if parts.query or parts.fragment:  # below which there are no pages; and it may be a token
        raise UsageError(
            f"repository: {name} has a ? or a # in its address, and no index is there", hint="see docs/upload.md"
        )
    if parts.scheme == "http" and not _is_loopback(host) and not allow_http:
        raise UsageError(
            f"repository: {redact(url)} is plain http to another machine, where anybody on the way can read the token",
            hint="its https:// address; or, in a network that is all yours, --allow-http",
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_environ(word: str, name: str, environ: Mapping[str, str]) -> str:
    """One repository's own variable wins over that of all; empty, as CI services make it, is not given.

    Nor is the end of a line, which many a secret of theirs has.
    """
    return environ.get(variable(word, name), "").strip() or environ.get(variable(word), "").strip()


def _login(entry: RepositoryConfig) -> tuple[str, str]:
    """User name and password, from the keyring where nobody gave them; nothing is asked for on the terminal."""
    from twine.auth import TOKEN_USERNAME, CredentialInput, Private

    username, password = entry["username"] or "", entry["password"] or ""
    if not username and _is_pypi(entry["repository"] or ""):
        username = TOKEN_USERNAME
    keyring = Private({**entry, "username": username or None, "password": None}, CredentialInput())
    username = username or keyring.get_username_from_keyring() or ""
    if username and not password:
        keyring = Private({**entry, "username": username, "password": None}, CredentialInput())
        password = keyring.get_password_from_keyring() or ""
    return username, password


# ---- where the same index is read ---------------------------------------------------------------------------------


def _with_simple_url(repository: Repository, config: Config) -> Repository:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT
    from twine.utils import DEFAULT_REPOSITORY, TEST_REPOSITORY

    url = repository.upload_url
    written = config.index.get(repository.name) or config.index.get(url)
    if written:
        _refuse_address(f"index.{repository.name}", written, allow_http=config.allow_http)
        if "@" in urlsplit(written).netloc:
            raise UsageError(
                f"index.{repository.name}: names and passwords have no place in pyproject.toml",
                hint=f"export {repository.variable}=...",
            )
        simple_url = f"{written.rstrip('/')}/"
    elif url.startswith(DEFAULT_REPOSITORY):
        simple_url = PYPI_SIMPLE_ENDPOINT
    elif url.startswith(TEST_REPOSITORY):
        simple_url = urljoin(url, "/simple/")
    else:
        simple_url = _tried(repository)
    return replace(repository, simple_url=simple_url)


def _tried(repository: Repository) -> str:
    """The first address below that of uploads which answers as an index does."""
    from requests.auth import HTTPBasicAuth

    candidates = [f"{repository.upload_url.rstrip('/')}/{below}" for below in _BELOW]
    login = (repository.username.encode(), repository.password.encode())
    doing = f"asking for {repository.name}"
    with open_session(PipSettings(cert=repository.certificate)) as session, network(doing, _HINT):
        session.auth = HTTPBasicAuth(*login) if all(login) else None
        session.cert = repository.client_certificate or None
        for url in candidates:
            # A server that sends on whom it does not understand may send them to another index.
            with session.get(url, stream=True, allow_redirects=False, timeout=TIMEOUT) as answer:
                if answer.status_code in _THERE:
                    return url
    raise UsageError(
        f"nobody knows where {repository.name} is read: there is no index at {' or '.join(candidates)}",
        hint=f'in pyproject.toml: [tool.crosswheel.index] and "{repository.name}" = "where pip installs from"',
    )
