"""A registry of our own on the loopback interface (OCI distribution specification), which can be told to misbehave."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from layer_files import HandMade
from loopback import serving


@dataclass
class RegistryServer:
    """`images` by ``repository:tag``; all of them answer for any repository.

    `cuts` says how many answers with layers end after half of what is left, `errors` how many are 503; `wrong` blobs
    have their first byte changed; `elsewhere` is an address that layers are redirected to. `login` is the user and the
    password that are asked for, by `challenge` (Basic or Bearer); tokens are taken from `/token` of `realm`.
    """

    url: str = ""
    images: dict[str, HandMade] = field(default_factory=dict)
    cuts: int = 0
    errors: int = 0
    ranges: bool = True
    wrong: set[str] = field(default_factory=set)
    elsewhere: str = ""
    challenge: str = ""
    login: tuple[str, str] = ("", "")
    identity_token: str = ""
    realm: str = ""
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Each request: method, path, headers."""

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    def add(self, name: str, image: HandMade) -> str:
        """Serve it under ``repository:tag``; the reference by tag."""
        self.images[name] = image
        return f"{self.host}/{name}"

    def sent(self, header: str) -> list[str]:
        return [headers[header] for _, _, headers in self.seen if header in headers]


@contextmanager
def registry_server(certificate: Path | None = None) -> Iterator[RegistryServer]:
    state = RegistryServer()

    class Handler(_Handler):
        registry = state

    with serving(Handler, certificate) as url:
        state.url = url.rstrip("/")
        yield state


class _Handler(BaseHTTPRequestHandler):
    registry: RegistryServer

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Stay silent."""

    def do_POST(self) -> None:
        self.do_GET(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def do_GET(self, form: str = "") -> None:
        registry, path = self.registry, urlsplit(self.path)
        registry.seen.append((self.command, self.path, dict(self.headers)))
        if path.path == "/token":
            self._token(parse_qs(form))
        elif registry.challenge and not self._is_logged_in():
            self._challenge()
        elif path.path == "/v2/":
            self._answer(200, b"{}")
        elif "/manifests/" in path.path:
            self._manifest(*path.path.removeprefix("/v2/").split("/manifests/"))
        elif "/blobs/" in path.path:
            self._blob(path.path.rpartition("/")[2])
        else:
            self._answer(404, b"")

    def _manifest(self, repository: str, name: str) -> None:
        documents = {key: one for image in self.registry.images.values() for key, one in image.documents.items()}
        image = self.registry.images.get(f"{repository}:{name}")
        found = documents.get(image.manifest if image else name)
        if found is None:
            self._refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        else:
            self._answer(200, self._spoilt(name, found[1]), {"Content-Type": found[0]})

    def _blob(self, digest: str) -> None:
        registry = self.registry
        blobs = {key: one for image in registry.images.values() for key, one in image.blobs.items()}
        if digest not in blobs:
            self._refuse(404, "BLOB_UNKNOWN", "blob unknown")
            return
        if registry.elsewhere:
            self._answer(307, b"", {"Location": f"{registry.elsewhere}/v2/x/blobs/{digest}?signature=let-me-in"})
            return
        if registry.errors:
            registry.errors -= 1
            self._answer(503, b"")
            return
        content, begin = self._spoilt(digest, blobs[digest]), 0
        asked = self.headers.get("Range", "")
        if asked and registry.ranges:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"} if begin else {}
        rest = content[begin:]
        cut = len(rest)
        if registry.cuts and len(rest) > 1000:  # not a configuration
            registry.cuts -= 1
            cut //= 2
        self._answer(206 if begin else 200, rest, headers, cut)

    def _spoilt(self, name: str, content: bytes) -> bytes:
        return b"!" + content[1:] if name in self.registry.wrong else content

    def _is_logged_in(self) -> bool:
        user = base64.b64encode(":".join(self.registry.login).encode()).decode()
        wanted = f"Basic {user}" if self.registry.challenge == "Basic" else "Bearer access-token"
        return self.headers.get("Authorization") == wanted

    def _challenge(self) -> None:
        realm = self.registry.realm or f"{self.registry.url}/token"
        about = f'{self.registry.challenge} realm="{realm}",service="a registry",scope="repository:a/b:pull,push"'
        self._refuse(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": about})

    def _token(self, form: dict[str, list[str]]) -> None:
        registry = self.registry
        user = base64.b64encode(":".join(registry.login).encode()).decode()
        wanted = f"Basic {user}" if any(registry.login) else None
        if registry.identity_token:
            allowed = form.get("refresh_token") == [registry.identity_token]
        else:
            allowed = self.headers.get("Authorization") == wanted
        if allowed:
            self._answer(200, json.dumps({"token": "access-token"}).encode())
        else:
            self._refuse(401, "UNAUTHORIZED", "incorrect username or password")

    def _refuse(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "message": message}]}).encode(), headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None, cut: int | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:cut])
