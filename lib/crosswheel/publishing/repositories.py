"""Repositories: the upload address and the read address of an index.

twine's names, file and variables apply: pypi and testpypi, .pypirc, TWINE_USERNAME and TWINE_PASSWORD, the keyring.
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
from urllib.parse import urljoin, urlsplit

from crosswheel.errors import UsageError
from crosswheel.model.config import Config
from crosswheel.model.index_limits import IndexLimits, pypi_limits
from crosswheel.model.targets import did_you_mean
from crosswheel.system.addresses import Address, parse_address, redact
from crosswheel.system.index_pages import TIMEOUT, Help, is_for_people, network, open_session
from crosswheel.system.pip_settings import PipSettings
from crosswheel.system.trust import Trust, named_authorities

if TYPE_CHECKING:
    import requests
    from twine.utils import RepositoryConfig

_BELOW = ("+simple/", "simple/")  # devpi's; that of all others
_NO_SETTINGS = PipSettings()
_PAGES = re.compile(r"/(\+?simple)/?$")
_HINT = "the same command again later; if it keeps failing, check the address: docs/upload.md"
_BEGINNING = 64 * 1024  # bytes; the page may list every project of an index
_THERE = {200, 401, 403}  # an index that requires a login counts too


@dataclass(frozen=True)
class Repository:
    """An index: files are uploaded to `upload_url` and read below `simple_url` (PEP 503, 691).

    Without a password, trusted publishing may provide a token at upload time. `password_from` names the place where
    the password was found, for people.
    """

    name: str
    upload_url: str
    simple_url: str
    username: str
    password: str = field(repr=False)
    trust: Trust = field(default_factory=Trust)
    password_from: str = field(default="", compare=False)

    @property
    def is_pypi(self) -> bool:
        """Whether the index is PyPI or TestPyPI."""
        return _is_pypi(self.upload_url)

    @property
    def limits(self) -> IndexLimits | None:
        """The limits of the index beyond the standards; None if none are known."""
        return pypi_limits() if self.is_pypi else None

    @property
    def variable(self) -> str:
        """The environment variable for this repository's password only."""
        return variable("PASSWORD", self.name)

    @property
    def reader(self) -> Address:
        """The read address with the credentials for reading."""
        return Address(self.simple_url, self.username, self.password)

    @property
    def help(self) -> Help:
        """The hint of an error while reading the index."""
        user, host = variable("USERNAME", self.name), urlsplit(self.simple_url or self.upload_url).netloc
        return Help(
            hint=_HINT,
            login=f"export {user}=... {self.variable}=...; or username and password in .pypirc; or a line for {host} in"
            " ~/.netrc",
            certificates="export TWINE_CERT=FILE; or ca_cert = FILE in .pypirc; or pip config set global.cert FILE; or"
            " export REQUESTS_CA_BUNDLE=FILE",
        )


def variable(word: str, name: str = "") -> str:
    """The environment variable for passwords: ``TWINE_PASSWORD``, or ``TWINE_PASSWORD_TESTPYPI`` for one repository."""
    own = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"TWINE_{word}_{own}" if own and not _is_address(name) else f"TWINE_{word}"


def find_repository(
    text: str, config: Config, environ: Mapping[str, str], settings: PipSettings = _NO_SETTINGS
) -> Repository:
    """The repository for ``testpypi``, a name in .pypirc, or an address.

    Certificates come from twine's configuration, otherwise from `settings`.

    If no read address is configured, it is found by asking the index. Raises UsageError, IndexUnreachable.
    """
    silence_twine()
    name = _presentable(text) if _is_address(text) else text
    entry = {"repository": text} if _is_address(text) else _entry(text, config.release.config_file)
    address = _address(name, entry.get("repository") or "", allow_http=config.release.allow_http)
    url = address.bare
    _refuse_pages(name, url, config)
    stated = entry.get("password")
    entry = {
        **entry,
        "repository": url,
        "username": _from_environ("USERNAME", name, environ) or address.username or entry.get("username"),
        "password": _from_environ("PASSWORD", name, environ) or address.password or entry.get("password"),
    }
    username, password = _login(entry)
    repository = Repository(
        name=name,
        upload_url=url,
        simple_url="",
        username=username,
        password=password,
        trust=_trust(entry, environ, settings),
        password_from=_source(name, environ, address, password, known=bool(stated)),
    )
    return _with_simple_url(repository, config)


def silence_twine() -> None:
    """Silence twine's loggers: we report the same, and some messages show answers of a keyring or server."""
    for name in ("twine.auth", "twine.repository", "twine.utils"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _is_address(text: str) -> bool:
    return "://" in text


def _presentable(text: str) -> str:
    """The address without possible secrets, even if it was mistyped: a password may contain any character."""
    bare = re.sub(r"^(\w+://)?.*@", r"\1***@", text)
    return re.sub(r"[?#].*", "", bare) if _is_address(bare) else bare


def _is_pypi(url: str) -> bool:
    from twine.utils import DEFAULT_REPOSITORY, TEST_REPOSITORY

    return url.startswith((DEFAULT_REPOSITORY, TEST_REPOSITORY))


def _entry(name: str, config_file: str) -> RepositoryConfig:
    """The entry of a repository in .pypirc; testpypi is known even if the file's list lacks it."""
    from twine.exceptions import TwineException
    from twine.utils import DEFAULT_CONFIG_FILE, TEST_REPOSITORY, get_config

    path = config_file or DEFAULT_CONFIG_FILE
    try:
        known: dict[str, RepositoryConfig] = {"testpypi": {"repository": TEST_REPOSITORY}, **get_config(path)}
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", hint=f"ls {Path(path).parent}") from None
    except (OSError, TwineException) as error:
        raise UsageError(f"cannot read {path}: {error}", hint=f"ls -l {path}") from None
    except configparser.Error as error:  # configparser's message shows the line, which may contain the password
        raise UsageError(f"{path} cannot be read: {_mistakes(error)}", hint="see docs/upload.md") from None
    if not known.get(name, {}).get("repository"):
        meant = f"{_presentable(name)!r}{did_you_mean(name, known)}"
        raise UsageError(
            f"repository: {path} has no repository {meant}; known: {', '.join(known)}",
            hint=f"add it to {path}, or give its address: see docs/upload.md",
        )
    return known[name]


def _mistakes(error: configparser.Error) -> str:
    """The mistakes by line number; the lines may contain secrets and are not shown."""
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno} comes before the first [section]"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno} repeats a section"
    if isinstance(error, configparser.DuplicateOptionError):
        return f"line {error.lineno} repeats an option"
    if isinstance(error, configparser.ParsingError):
        lines = [str(number) for number, _ in error.errors]
        return f"no `option = value` in line{'s' * (len(lines) > 1)} {', '.join(lines)}"
    return type(error).__name__


def _address(name: str, text: str, *, allow_http: bool) -> Address:
    """The checked address; plain http is refused, because others on the network could read the token."""
    # First check for a password that splits the address: later messages would mislead.
    address = parse_address(text, f"repository: the address of {name}") if "@" in text else Address(text)
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port  # urllib raises for an invalid port here
    except ValueError:
        host = ""
    if not host or parts.scheme not in {"http", "https"}:
        raise UsageError(f"repository: the address of {name} does not begin with https://", hint="see docs/upload.md")
    if parts.query or parts.fragment:  # no pages exist below such an address, and it may contain a token
        raise UsageError(
            f"repository: the address of {name} contains ? or #, which no index has", hint="see docs/upload.md"
        )
    if parts.scheme == "http" and not _is_loopback(host) and not allow_http:
        raise UsageError(
            f"repository: {address.bare} is plain http to another machine: others on the network could read the token",
            hint="the https:// address; or, in a private network, --allow-http",
        )
    return address


def _refuse_pages(name: str, url: str, config: Config) -> None:
    """Raise UsageError for an address that pip reads, a likely mistake, unless another read address is configured."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    pages = _PAGES.search(url)
    if not pages or config.release.index.get(name) or config.release.index.get(url):
        return
    public = url.startswith(PYPI_SIMPLE_ENDPOINT.rstrip("/"))
    raise UsageError(
        f"repository: {url} is a read address for pip, not an upload address",
        hint="--repository pypi" if public else f"without /{pages[1]}/: {url[: pages.start()]}/",
    )


def _trust(entry: RepositoryConfig, environ: Mapping[str, str], settings: PipSettings) -> Trust:
    """The trusted certificates for all requests to this index: ours, twine's and pip's."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    said = (environ.get("TWINE_CERT", ""), entry.get("ca_cert") or "", settings.cert)
    authorities = named_authorities(said, environ) or str(DEFAULT_CA_BUNDLE_PATH)
    return Trust(authorities, entry.get("client_cert") or settings.client_cert)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_environ(word: str, name: str, environ: Mapping[str, str]) -> str:
    """The value of a variable; the repository's own wins over the general one, and empty counts as not set, as in CI.

    A trailing line end is removed, because secrets of CI services often have one.
    """
    return environ.get(variable(word, name), "").strip() or environ.get(variable(word), "").strip()


def _source(name: str, environ: Mapping[str, str], address: Address, password: str, *, known: bool) -> str:
    """Where the password was found, in the order of search; empty without one."""
    for text in (variable("PASSWORD", name), variable("PASSWORD")):
        if environ.get(text, "").strip():
            return f"the variable {text}"
    if address.password:
        return "the address"
    if known:
        return "the file .pypirc"
    return "the keyring" if password else ""


def _login(entry: RepositoryConfig) -> tuple[str, str]:
    """User name and password, otherwise from the keyring; never asked for on the terminal."""
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


# ---- the read address ---------------------------------------------------------------------------------------------


def _with_simple_url(repository: Repository, config: Config) -> Repository:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT
    from twine.utils import DEFAULT_REPOSITORY, TEST_REPOSITORY

    url = repository.upload_url
    written = config.release.index.get(repository.name) or config.release.index.get(url)
    if written:
        _address(f"index.{repository.name}", written, allow_http=config.release.allow_http)
        if "@" in urlsplit(written).netloc:
            raise UsageError(
                f"index.{repository.name}: pyproject.toml must not contain user names and passwords",
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
    """The first address near the upload address that answers like an index."""
    from requests.auth import HTTPBasicAuth

    candidates = [f"{repository.upload_url.rstrip('/')}/{below}" for below in _BELOW]
    login = (repository.username.encode(), repository.password.encode())
    said = []
    with open_session(repository.trust) as session, network(f"asking for {repository.name}", repository.help):
        session.auth = HTTPBasicAuth(*login) if all(login) else None
        for url in candidates:
            # A server may redirect unknown paths to another index, so redirects are not followed.
            with session.get(url, stream=True, allow_redirects=False, timeout=TIMEOUT) as answer:
                if answer.status_code in _THERE and not _is_web_page(answer):
                    return url
                said.append(f"{url} ({_told(answer)})")
    raise UsageError(
        f"the read address of {repository.name} is unknown: there is no index at {' or '.join(said)}",
        hint=f'in pyproject.toml: [tool.crosswheel.index] and "{repository.name}" = "where pip installs from"',
    )


def _is_web_page(answer: requests.Response) -> bool:
    return answer.ok and is_for_people(answer.headers, next(answer.iter_content(_BEGINNING), b""))


def _told(answer: requests.Response) -> str:
    if answer.is_redirect:
        return f"{answer.status_code}, redirected to {redact(urljoin(answer.url, answer.headers['Location']))}"
    return "a web page" if answer.ok else str(answer.status_code)
