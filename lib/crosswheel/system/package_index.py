"""Reads a package index (PEP 503, 691) with the caller's pip settings, and caches downloads.

Files get their final name in the cache only after their sha256 was verified.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crosswheel.errors import IndexUnreachable, SourceError, UnknownPackage, WrongHash
from crosswheel.model.job import Listener, Transfer, deaf
from crosswheel.system.addresses import Address, is_remote, origin_of, parse_address
from crosswheel.system.hashes import is_sound, sha256_of
from crosswheel.system.index_pages import ATTEMPTS, TIMEOUT, Help, IndexPage, Login, network, open_session, read_page
from crosswheel.system.locks import mark_used
from crosswheel.system.pip_settings import PipSettings

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage

_HINT = "pip config list, to check the index; or the same command with --offline, if it ran before"
_LARGEST_FILE = 16 << 30  # bytes, for a file whose size the index does not state
_TICK = 2 * 1024 * 1024  # bytes between two progress events


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

    @property
    def all(self) -> Iterator[Index]:
        """The index and the further ones that the caller's pip looks into, without folders of this machine."""
        further = filter(is_remote, self.settings.extra_index_urls)
        for address in dict.fromkeys((self.settings.index_url, *further)):
            yield replace(self, settings=replace(self.settings, index_url=address))

    def files_of(self, project: str) -> list[DistributionPackage]:
        """Every file of a project. Raises UnknownPackage if it is that, IndexUnreachable without an answer."""
        return self.page_of(project).page.packages

    def page_of(self, project: str) -> IndexPage:
        """The page of a project; raises as `files_of`."""
        from pypi_simple import NoSuchProjectError, PyPISimple

        if self.offline:
            raise IndexUnreachable(
                f"{project} is not in the cache, and --offline forbids access to the index",
                hint="run the same command without --offline",
            )
        with self._session() as session:
            client = PyPISimple(self._address.bare, session=session)
            try:
                return read_page(client, project, f"reading the index page of {project}", self._help)
            except NoSuchProjectError:
                raise UnknownPackage(
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
                raise WrongHash(
                    f"{package.filename} has the wrong sha256: {found}, expected {promised}",
                    hint="the same command again; if it keeps failing, ask the operator of the index or the proxy",
                )
            partial.replace(final)
        finally:
            partial.unlink(missing_ok=True)
        return final

    @property
    def place(self) -> str:
        """Its address without user name and password."""
        return self._address.bare

    def serves(self, url: str) -> bool:
        """Whether an address is on the same server."""
        return origin_of(url) == self._address.origin

    def kept(self, pattern: str) -> Iterator[Path]:
        """Cached files with matching names."""
        return (self.cache / "files").glob(f"*/{pattern}")

    def _download(self, package: DistributionPackage, to: Path) -> None:
        address = urlsplit(package.url)
        if address.scheme == "file":  # of a folder in find-links, or of an index on this machine
            from urllib.request import url2pathname

            try:
                shutil.copyfile(url2pathname(address.path), to)
            except OSError as error:
                raise SourceError(f"{package.filename} cannot be read: {error}", hint=_HINT) from error
            return
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
        stop=tenacity.stop_after_attempt(ATTEMPTS),
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
