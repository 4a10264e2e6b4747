"""A package index of our own on the loopback interface (PEP 691 and 700), which can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from loopback import serving

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "text/html; charset=utf-8"


@dataclass
class IndexServer:
    """`files` by project; `promised` overrides the sha256 of a file; `cuts` and `errors` say how often to fail.

    `metadata` and `requires_python` are by file name; where a name is not in them, the index does not tell.
    """

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    promised: dict[str, str] = field(default_factory=dict)
    yanked: set[str] = field(default_factory=set)
    metadata: dict[str, bytes] = field(default_factory=dict)
    requires_python: dict[str, str] = field(default_factory=dict)
    html: bool = False
    """Whether pages are in HTML, as of an index that knows nothing of PEP 691."""
    login: str = ""
    """The user:password without which nobody may read."""
    cuts: int = 0
    """How many more downloads end half way."""
    errors: int = 0
    """How many more requests are answered with 503."""
    retry_after: int = 0
    """The seconds that it asks to wait then."""
    stale: int = 0
    """How many more pages are of a time when there was no file yet."""
    asked: list[str] = field(default_factory=list)

    def page(self, project: str) -> bytes:
        there = {} if self.stale > 0 else self.files[project]
        self.stale -= 1
        if self.html:
            return "".join(self.anchor(project, name, data) for name, data in there.items()).encode()
        files = [
            {
                "filename": name,
                "url": self.address(project, name),
                "hashes": self.hashes(name, data),
                "size": len(data),
                "yanked": name in self.yanked,
                **({"requires-python": self.requires_python[name]} if name in self.requires_python else {}),
                **(
                    {"core-metadata": self.hashes(f"{name}.metadata", self.metadata[name])}
                    if name in self.metadata
                    else {}
                ),
            }
            for name, data in there.items()
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": files, "versions": []}).encode()

    def anchor(self, project: str, name: str, data: bytes) -> str:
        """A link of PEP 503: a sha256, and no size."""
        fragment = "".join(f"#{kind}={value}" for kind, value in self.hashes(name, data).items())
        return f'<a href="{self.address(project, name)}{fragment}">{name}</a><br>\n'

    def address(self, project: str, name: str) -> str:
        return f"{self.url.partition('simple/')[0]}files/{project}/{name}"

    def body(self, project: str, name: str) -> bytes | None:
        files = self.files[project]
        return files[name] if name in files else self.metadata.get(name.removesuffix(".metadata"))

    def hashes(self, name: str, data: bytes) -> dict[str, str]:
        promised = self.promised.get(name, hashlib.sha256(data).hexdigest())
        return {"sha256": promised} if promised else {}


@contextmanager
def index_server() -> Iterator[IndexServer]:
    state = IndexServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            kind, project, *rest = self.path.strip("/").split("/")
            login = f"Basic {base64.b64encode(state.login.encode()).decode()}"
            if state.login and self.headers["Authorization"] != login:
                self.send_response(401)
                self.send_header("WWW-Authenticate", "Basic")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif state.errors > 0:
                state.errors -= 1
                self.send_response(503)
                self.send_header("Retry-After", str(state.retry_after))
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif project not in state.files:
                self.send_error(404)
            elif kind == "simple":
                self.answer(state.page(project), _HTML if state.html else _JSON)
            elif (body := state.body(project, rest[0])) is not None:
                self.answer(body, "application/octet-stream")
            else:
                self.send_error(404)

        def answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.cuts > 0 and kind not in {_JSON, _HTML}:
                state.cuts -= 1
                body = body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with serving(Handler) as address:
        state.url = f"{address}simple/"
        yield state
