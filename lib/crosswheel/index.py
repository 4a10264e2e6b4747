"""Reading a package index (PEP 503, 691) with the caller's own pip settings, and keeping what was fetched.

Files land in the cache under their final name only after their sha256 was found right.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from crosswheel.answers import Answers
from crosswheel.errors import IndexUnreachable, SourceError
from crosswheel.keeping import mark_used
from crosswheel.model import Listener, Transfer, deaf
from crosswheel.process import CommandFailed, Processes

if TYPE_CHECKING:
    import requests
    from pypi_simple import DistributionPackage
    from urllib3 import BaseHTTPResponse

_FORGETFUL = Answers()
_ATTEMPTS = 3
TIMEOUT = (15.0, 60.0)  # seconds to connect, and of silence
_HINT = "pip config list (is the index right?), or the same command with --offline if it ran before"
_LONGEST_WAIT = 20.0  # seconds
_TICK = 2 * 1024 * 1024  # bytes between two progress events

# What decides, besides its own variables, where pip looks for its files.
_PIP_SEES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "VIRTUAL_ENV")

# Its settings, the files that it would read, and the file that changes when another pip is installed. A pip that does
# not know of the second says the first.
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


def redact(text: str) -> str:
    """The text without user names and passwords in its addresses."""
    return re.sub(r"//[^/\s]+@", "//***@", text)


@dataclass(frozen=True)
class PipSettings:
    """What pip.conf and PIP_* variables say about where packages come from."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str = ""

    @property
    def remote(self) -> PipSettings:
        """What of it holds on another machine, or in a container, too: no folders and no files."""
        return PipSettings(
            index_url=" ".join(filter(_is_remote, (self.index_url,))),
            extra_index_urls=tuple(filter(_is_remote, self.extra_index_urls)),
            find_links=tuple(filter(_is_remote, self.find_links)),
        )

    @property
    def uv_environ(self) -> dict[str, str]:
        """The same settings in uv's words; all indexes are searched together, as pip does."""
        words = {
            "UV_DEFAULT_INDEX": self.index_url,
            "UV_INDEX": " ".join(self.extra_index_urls),
            "UV_FIND_LINKS": ",".join(self.find_links),
            "SSL_CERT_FILE": self.cert,
            "UV_INDEX_STRATEGY": "unsafe-best-match" if self.extra_index_urls else "",
        }
        return {name: value for name, value in words.items() if value}


def _is_remote(address: str) -> bool:
    return address.startswith(("http://", "https://"))


def read_pip_settings(processes: Processes, environ: Mapping[str, str], answers: Answers = _FORGETFUL) -> PipSettings:
    """Ask pip itself: it knows its files, their order and its environment variables."""
    text = _ask_pip(processes, environ, answers)
    merged: dict[str, str] = {}
    # pip lets its environment win over `install`, and that over `global`.
    for section in ("global", "install", ":env:"):
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                merged[name.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    return PipSettings(
        index_url=merged.get("index-url", ""),
        extra_index_urls=tuple(merged.get("extra-index-url", "").split()),
        find_links=tuple(merged.get("find-links", "").split()),
        cert=merged.get("cert", ""),
    )


def _ask_pip(processes: Processes, environ: Mapping[str, str], answers: Answers) -> str:
    """What `pip config list` prints: remembered while pip, its variables and the files that it reads are the same.

    Not where a password is in it: the cache may be carried about.
    """
    seen = {name: value for name, value in environ.items() if name in _PIP_SEES or name.startswith(("PIP_", "PYTHON"))}
    question = ("pip", sys.executable, _ASK_PIP, json.dumps(seen, sort_keys=True))
    if (known := answers.recall(*question)) is not None:
        return str(known)
    asked = time.time()
    try:
        # Not with what lies in the current folder, a project of whatever content, in front of the standard library.
        said = processes.run([sys.executable, "-c", _ASK_PIP], env={**environ, "PYTHONSAFEPATH": "1"})
    except CommandFailed:
        return ""
    settings, told, itself = said.split("\0")
    files = re.findall(r"^  (/.*), exists: (?:True|False)$", told, re.MULTILINE)
    if files and redact(settings) == settings:
        answers.keep(settings, *question, asked=asked, rests_on=[*files, itself.strip()])
    return settings


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@dataclass
class _Progress:
    """What pypi-simple reports to; passes on a few events a second's worth of bytes."""

    what: str
    total: int | None
    listener: Listener
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
        if self.done - self.told >= _TICK:
            self.told = self.done
            self.listener(Transfer(self.what, self.done, self.total))


@dataclass(frozen=True)
class Index:
    """One package index and the folder that keeps what came from it; offline, the folder is all there is."""

    settings: PipSettings
    cache: Path
    offline: bool = False
    listener: Listener = field(default=deaf, compare=False)

    def files_of(self, project: str) -> list[DistributionPackage]:
        """Every file of a project; raises SourceError for an unknown one, IndexUnreachable when offline or cut off."""
        from pypi_simple import NoSuchProjectError, PyPISimple, UnsupportedContentTypeError, UnsupportedRepoVersionError

        if self.offline:
            raise IndexUnreachable(
                f"{project} is not in the cache, and --offline forbids asking the index",
                hint="the same command without --offline",
            )
        with open_session(self.settings) as session, network(f"reading the index page of {project}"):
            client = PyPISimple(self.settings.index_url or _default_endpoint(), session=session)
            try:
                return client.get_project_page(project, timeout=TIMEOUT).packages
            except NoSuchProjectError:
                raise SourceError(
                    f"the index has no project called {project!r}",
                    hint="check the spelling, or give a folder or an sdist file",
                ) from None
            except (UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError) as error:
                said = redact(str(error)).splitlines()[0]
                raise IndexUnreachable(f"what answers is no package index: {said}", hint=_HINT) from error

    def fetch(self, package: DistributionPackage, sha256: str = "") -> Path:
        """Download one file into the cache unless it is there; its bytes match `sha256`, or what the index says."""
        promised = (sha256 or (package.digests or {}).get("sha256", "")).lower()
        if not re.fullmatch(r"[0-9a-f]{64}", promised):  # it becomes the name of a folder
            raise SourceError(
                f"the index gives no sha256 for {package.filename}, so it cannot be checked",
                hint="download it yourself and give the file",
            )
        final = self.cache / "files" / promised / package.filename
        if final.is_file():
            mark_used(final.parent)
            return final
        final.parent.mkdir(parents=True, exist_ok=True)
        partial = final.with_name(f".{final.name}.{os.getpid()}.partial")
        try:
            self._download(package, partial)
            found = sha256_of(partial)
            if found != promised:
                raise SourceError(
                    f"{package.filename} is not what was promised: its sha256 is {found}, expected {promised}",
                    hint="try again; if it stays so, ask whoever runs the index or the proxy in between",
                )
            partial.replace(final)
        finally:
            partial.unlink(missing_ok=True)
        return final

    def kept(self, pattern: str) -> Iterator[Path]:
        """Files fetched before whose names match."""
        return (self.cache / "files").glob(f"*/{pattern}")

    def _download(self, package: DistributionPackage, to: Path) -> None:
        with open_session(self.settings) as session:
            download(package, to, session, self.listener)


def download(
    package: DistributionPackage,
    to: Path,
    session: requests.Session,
    listener: Listener = deaf,
    hint: str = _HINT,
) -> None:
    """Whatever bytes the index has for a file, again from the beginning where the connection is cut.

    Raises IndexUnreachable. Whoever calls has to compare the bytes with what was promised.
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
    with network(f"downloading {package.filename}", hint):
        retry(
            PyPISimple(session=session).download_package,
            package,
            to,
            verify=False,
            progress=lambda total: _Progress(package.filename, total, listener),
            timeout=TIMEOUT,
        )


def _default_endpoint() -> str:
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return PYPI_SIMPLE_ENDPOINT


@contextmanager
def open_session(settings: PipSettings) -> Iterator[requests.Session]:
    """What an index is asked by: again where it is in trouble, and with the certificates that pip takes."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    class Retries(Retry):
        """Some servers ask for an hour, which nobody waits for in silence."""

        def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
            asked = super().get_retry_after(response)
            return asked and min(asked, _LONGEST_WAIT)

    class Adapter(HTTPAdapter):
        """To requests, REQUESTS_CA_BUNDLE is worth more than what a session was told."""

        def send(self, request: requests.PreparedRequest, **how: Any) -> requests.Response:  # type: ignore[override]
            return super().send(request, **{**how, **({"verify": settings.cert} if settings.cert else {})})

    with requests.Session() as session:
        retries = Retries(total=_ATTEMPTS, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504))
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter(max_retries=retries))
        yield session


@contextmanager
def network(doing: str, hint: str = _HINT) -> Iterator[None]:
    """What requests raises, as one error of ours; of a host that can have no such name, it lets urllib3 tell."""
    import requests
    import urllib3.exceptions

    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise IndexUnreachable(f"{doing} failed: {redact(str(error))}", hint=hint) from error
