"""A package index on this machine that serves the files of a folder (PEP 503)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name

from crosswheel.formats.distributions import Distribution, files_in, read_distribution


@contextmanager
def serving_index(folder: Path) -> Iterator[str]:
    """Serve the wheels and sdists that lie in `folder` while the block runs; gives the URL for pip's --index-url."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple/"
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, folder: Path, *given: object) -> None:
        self.folder = folder
        super().__init__(*given)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        kind, _, name = unquote(self.path).strip("/").partition("/")
        files = [read_distribution(path) for path in files_in([self.folder])]
        if kind == "simple" and name:
            self._send("".join(_link(file) for file in files if file.name == canonicalize_name(name)).encode())
        elif kind == "files" and (found := [file for file in files if file.filename == name]):
            self._send(found[0].path.read_bytes())
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *given: object) -> None:
        """Nothing: a test's output is not for requests."""

    def _send(self, body: bytes) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


def _link(file: Distribution) -> str:
    return f'<a href="/files/{quote(file.filename)}#sha256={file.sha256}">{escape(file.filename)}</a>\n'
