"""A package index of our own on the loopback interface (PEP 691 and 700), which can be told to misbehave."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class IndexServer:
    """`files` by project; `promised` overrides the sha256 of a file; `cuts` and `errors` say how often to fail."""

    url: str = ""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    promised: dict[str, str] = field(default_factory=dict)
    yanked: set[str] = field(default_factory=set)
    cuts: int = 0
    """How many more downloads end half way."""
    errors: int = 0
    """How many more requests are answered with 503."""
    asked: list[str] = field(default_factory=list)

    def page(self, project: str) -> bytes:
        files = [
            {
                "filename": name,
                "url": f"{self.url.partition('simple/')[0]}files/{project}/{name}",
                "hashes": self.hashes(name, data),
                "yanked": name in self.yanked,
            }
            for name, data in self.files[project].items()
        ]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": files, "versions": []}).encode()

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
            if state.errors > 0:
                state.errors -= 1
                self.send_error(503)
            elif project not in state.files:
                self.send_error(404)
            elif kind == "simple":
                self.answer(state.page(project), _JSON)
            else:
                self.answer(state.files[project][rest[0]], "application/octet-stream")

        def answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.cuts > 0 and kind != _JSON:
                state.cuts -= 1
                body = body[: len(body) // 2]
                self.close_connection = True
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/simple/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
