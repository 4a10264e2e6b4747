"""Real package indexes on the loopback interface, each in a process of its own: pypiserver and devpi-server."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import requests

_PATIENCE = 240  # seconds in which a server has to answer; devpi takes minutes on a very busy machine
_USER = "releaser"

# passlib, which both servers ask about passwords, ends with an error where it meets a bcrypt of these days, and does
# without where there is none.
_WITHOUT_BCRYPT = "import sys; sys.modules['bcrypt'] = None; from {} import {} as main; sys.exit(main())"


class ServerFailed(Exception):  # noqa: N818 - reads as what happened
    """A server that ended, or did not answer, with the last it said."""


@dataclass(frozen=True)
class Served:
    """An index without any file in it, which takes uploads from one user."""

    kind: str
    upload_url: str
    simple_url: str
    username: str
    password: str

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return urlunsplit((*urlsplit(self.upload_url)[:2], "", "", ""))

    def behind(self, origin: str) -> Served:
        """The same index, reached through a proxy."""
        upload_url, simple_url = (url.replace(self.origin, origin) for url in (self.upload_url, self.simple_url))
        return Served(self.kind, upload_url, simple_url, self.username, self.password)

    @property
    def environ(self) -> dict[str, str]:
        """What twine is told, and what keeps any other index and setting of this machine out."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "TWINE_", "UV_"))},
            "TWINE_USERNAME": self.username,
            "TWINE_PASSWORD": self.password,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_INDEX_URL": self.simple_url,
            "NO_PROXY": "127.0.0.1",
        }


class IndexServer(Protocol):
    """A running server that can be asked for an empty index."""

    def new_index(self) -> Served: ...


@dataclass(frozen=True)
class PypiServer:
    """Has one index, a folder: a new one is the old one emptied."""

    origin: str
    folder: Path
    password: str

    def new_index(self) -> Served:
        for path in self.folder.iterdir():
            path.unlink()
        return Served("pypiserver", f"{self.origin}/", f"{self.origin}/simple/", _USER, self.password)


@dataclass(frozen=True)
class DevpiServer:
    """Has as many indexes as one likes; those made here keep what they have, as public indexes do."""

    origin: str
    password: str
    numbers: Iterator[int]

    def new_index(self) -> Served:
        url = f"{self.origin}/{_USER}/index{next(self.numbers)}"
        self.put(url, {"type": "stage", "bases": [], "volatile": False})
        return Served("devpi", f"{url}/", f"{url}/+simple/", _USER, self.password)

    def put(self, url: str, document: Mapping[str, Any]) -> None:
        token = base64.b64encode(f"{_USER}:{self.password}".encode()).decode()
        answer = requests.put(url, json=document, headers={"X-Devpi-Auth": token}, timeout=_PATIENCE)
        answer.raise_for_status()


@contextmanager
def pypi_server(folder: Path) -> Iterator[PypiServer]:
    packages, passwords = folder / "packages", folder / "htpasswd"
    password = f"/{secrets.token_urlsafe()}@ #%2F?'"  # all that ends something in an address
    packages.mkdir()
    digest = base64.b64encode(hashlib.sha1(password.encode(), usedforsecurity=False).digest()).decode()
    passwords.write_text(f"{_USER}:{{SHA}}{digest}\n")
    port = _free_port()
    arguments = [
        *("run", "--interface", "127.0.0.1", "--port", str(port), "--disable-fallback", "--backend", "simple-dir"),
        *("--passwords", str(passwords), "--authenticate", "update", str(packages)),
    ]
    with _running("pypiserver.__main__:main", arguments, f"http://127.0.0.1:{port}", folder) as origin:
        yield PypiServer(origin, packages, password)


@contextmanager
def devpi_server(folder: Path) -> Iterator[DevpiServer]:
    state, password, port = folder / "state", secrets.token_urlsafe(), _free_port()
    init = _command("devpi_server.init:init", ["--serverdir", str(state), "--no-root-pypi"])
    subprocess.run(init, check=True, capture_output=True, timeout=_PATIENCE)
    arguments = [
        *("--serverdir", str(state), "--host", "127.0.0.1", "--port", str(port)),
        *("--offline-mode", "--enable-core-metadata"),
    ]
    with _running("devpi_server.main:main", arguments, f"http://127.0.0.1:{port}", folder) as origin:
        server = DevpiServer(origin, password, count(1))
        server.put(f"{origin}/{_USER}", {"password": password})
        yield server
    shutil.rmtree(state)


def _command(program: str, arguments: Sequence[str]) -> list[str]:
    """`program` as an entry point names it: ``module:function``."""
    return [sys.executable, "-W", "ignore", "-c", _WITHOUT_BCRYPT.format(*program.split(":")), *arguments]


def _free_port() -> int:
    """One that nobody listens on. Another may take it in between; then the server ends, and the test says so."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port: int = nobody.getsockname()[1]
        return port


@contextmanager
def _running(program: str, arguments: Sequence[str], origin: str, folder: Path) -> Iterator[str]:
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(_command(program, arguments), cwd=folder, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(process, origin, log)
        yield origin
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], origin: str, log: Path) -> None:
    """Until it answers anything at all."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(requests.RequestException):
            requests.get(origin, timeout=_PATIENCE)
            return
        time.sleep(0.1)
    raise ServerFailed(f"{origin} does not answer: {log.read_text('utf-8', 'replace')[-2000:]}")
