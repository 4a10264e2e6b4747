"""A package index of our own on the loopback interface (PEP 691, 700, 740, 792), which can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from loopback import serving

_JSON = "application/vnd.pypi.simple.v1+json"
_HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class IndexServer:
    """`files` by project; `promised` overrides the sha256 of a file; `cuts` and `errors` say how often to fail.

    `metadata`, `requires_python`, `uploaded` (as PEP 700 writes it) and `provenance` (an object of PEP 740) are by file
    name; where a name is not in them, the index does not tell.
    """

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    promised: dict[str, str] = field(default_factory=dict)
    yanked: set[str] = field(default_factory=set)
    yanked_reason: str = ""
    metadata: dict[str, bytes] = field(default_factory=dict)
    requires_python: dict[str, str] = field(default_factory=dict)
    uploaded: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    """The project status of PEP 792: `status` and `reason`."""
    pages: dict[str, str] = field(default_factory=dict)
    """By project, pages in HTML that are sent in place of its own."""
    moved: dict[str, str] = field(default_factory=dict)
    """By project, where whoever asks for its page is sent on to."""
    refusing: int = 401
    """What is said to who does not log in."""
    html: bool = False
    """Whether pages are in HTML, as of an index that knows nothing of PEP 691."""
    login: str = ""
    """The user:password without which nobody may read."""
    cuts: int = 0
    """How many more downloads end half way."""
    errors: int = 0
    """How many more requests are answered with `failing`."""
    failing: int = 503
    delay: float = 0.0
    """The seconds that it takes for each answer."""
    retry_after: int = 0
    """The seconds that it asks to wait then."""
    stale: int = 0
    """How many more pages are of a time when there was no file yet."""
    asked: list[str] = field(default_factory=list)

    def page(self, project: str) -> bytes:
        there = {} if self.stale > 0 else self.files[project]
        self.stale -= 1
        if self.html:
            head = "".join(f'<meta name="pypi:project-{key}" content="{text}">' for key, text in self.marks.items())
            return head.encode() + "".join(self.anchor(project, name, data) for name, data in there.items()).encode()
        files = [
            {
                "filename": name,
                "url": self.address(project, name),
                "hashes": self.hashes(name, data),
                "size": len(data),
                "yanked": (self.yanked_reason or True) if name in self.yanked else False,
                **({"requires-python": self.requires_python[name]} if name in self.requires_python else {}),
                **({"upload-time": self.uploaded[name]} if name in self.uploaded else {}),
                **({"provenance": f"{self.address(project, name)}.provenance"} if name in self.provenance else {}),
                **(
                    {"core-metadata": self.hashes(f"{name}.metadata", self.metadata[name])}
                    if name in self.metadata
                    else {}
                ),
            }
            for name, data in there.items()
        ]
        status = {"project-status": self.status} if self.status else {}
        meta = {"meta": {"api-version": "1.4"}, "name": project, "versions": [], **status}
        return json.dumps({**meta, "files": files}).encode()

    @property
    def marks(self) -> dict[str, str]:
        """As the names of tags in HTML have them."""
        return {{"reason": "status-reason"}.get(key, key): text for key, text in self.status.items()}

    def anchor(self, project: str, name: str, data: bytes) -> str:
        """A link of PEP 503: a sha256, and no size."""
        fragment = "".join(f"#{kind}={value}" for kind, value in self.hashes(name, data).items())
        proof = f' data-provenance="{self.address(project, name)}.provenance"' if name in self.provenance else ""
        return f'<a href="{self.address(project, name)}{fragment}"{proof}>{name}</a><br>\n'

    def address(self, project: str, name: str) -> str:
        return f"{self.url.partition('simple/')[0]}files/{project}/{name}"

    def body(self, project: str, name: str) -> bytes | None:
        files = self.files.get(project, {})
        proof = self.provenance.get(name.removesuffix(".provenance"))
        return files[name] if name in files else self.metadata.get(name.removesuffix(".metadata"), proof)

    def hashes(self, name: str, data: bytes) -> dict[str, str]:
        promised = self.promised.get(name, hashlib.sha256(data).hexdigest())
        return {"sha256": promised} if promised else {}

    def reply(self, path: str, login: str) -> Reply:
        kind, project, *rest = path.strip("/").split("/")
        if self.login and login != f"Basic {base64.b64encode(self.login.encode()).decode()}":
            return Reply(self.refusing, {"WWW-Authenticate": "Basic"})
        if self.errors > 0:
            self.errors -= 1
            return Reply(self.failing, {"Retry-After": str(self.retry_after)})
        if kind == "simple":
            return self.reply_page(project)
        body = self.body(project, rest[0])
        return Reply(404) if body is None else Reply(200, {"Content-Type": "application/octet-stream"}, body)

    def reply_page(self, project: str) -> Reply:
        if project in self.moved:
            return Reply(302, {"Location": self.moved[project]})
        if project in self.pages:
            return Reply(200, {"Content-Type": _HTML}, self.pages[project].encode())
        if project not in self.files:
            return Reply(404)
        return Reply(200, {"Content-Type": _HTML if self.html else _JSON}, self.page(project))


@contextmanager
def index_server() -> Iterator[IndexServer]:
    state = IndexServer()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            state.asked.append(self.path)
            time.sleep(state.delay)
            reply = state.reply(self.path, self.headers["Authorization"])
            self.send_response(reply.status)
            for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            body = reply.body if self.command == "GET" else b""
            if state.cuts > 0 and reply.headers.get("Content-Type") == "application/octet-stream":
                state.cuts -= 1
                body = body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with serving(Handler) as address:
        state.url = f"{address}simple/"
        yield state
