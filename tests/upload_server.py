"""An index on the loopback interface that takes uploads, as one is told to: with bad answers, or with none."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from loopback import serving


@dataclass
class Answer:
    """What one upload is answered with; `kept` the file is there all the same, `cut` there is no answer at all."""

    status: int = 200
    reason: str = ""
    page: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    kept: bool = False
    cut: bool = False


@dataclass
class UploadServer:
    """`answers` are for the next uploads, one each; a file that is there with other bytes is refused."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    """The names of files in every upload, whatever became of it."""
    forms: list[dict[str, str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    hashes: bool = True
    """Whether pages have them."""
    late: int = 0
    """How many more pages show nothing of what was sent."""
    spoiled: set[str] = field(default_factory=set)
    """Files that are kept with other bytes than were sent."""
    unreadable_after: int = 0
    """The number of uploads after which no page can be read."""
    stale: int = 0
    """How many more pages are of a time when there was no file yet."""
    status: dict[str, str] = field(default_factory=dict)
    """The project status of PEP 792: `status` and `reason`."""
    others: dict[str, tuple[int, str]] = field(default_factory=dict)
    """More files of the page, each with its size and upload-time (PEP 700), and with no bytes."""
    uploaded: dict[str, str] = field(default_factory=dict)
    """When files came (PEP 700)."""
    simple: str = "/simple/"
    pages: dict[str, str] = field(default_factory=dict)
    """By path, in HTML."""
    moved: dict[str, str] = field(default_factory=dict)
    """By path, where one is sent on to."""
    asked: list[str] = field(default_factory=list)

    def page(self) -> bytes:
        self.stale -= 1
        unseen = self.stale >= 0
        if self.sent and self.late > 0:
            self.late -= 1
            unseen = True
        files: list[dict[str, Any]] = [
            {
                "filename": name,
                "url": f"{self.url}files/{name}",
                "hashes": self.digests(data),
                **({"upload-time": self.uploaded[name]} if name in self.uploaded else {}),
            }
            for name, data in ({} if unseen else self.files).items()
        ]
        files += [
            {"filename": name, "url": f"{self.url}files/{name}", "hashes": {}, "size": size, "upload-time": uploaded}
            for name, (size, uploaded) in self.others.items()
        ]
        status = {"project-status": self.status} if self.status else {}
        return json.dumps({"meta": {"api-version": "1.4"}, "name": "tiny", "files": files, **status}).encode()

    def digests(self, data: bytes) -> dict[str, str]:
        return {"sha256": hashlib.sha256(data).hexdigest()} if self.hashes else {}

    def reply(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        """To who reads."""
        name = path.removeprefix("/files/")
        if self.unreadable_after and len(self.sent) >= self.unreadable_after:
            return 500, b"", {}
        if path in self.pages:
            return 200, self.pages[path].encode(), {"Content-Type": "text/html"}
        if path in self.moved:
            return 302, b"", {"Location": self.moved[path]}
        if path == f"{self.simple}tiny/" and (page := self.page()):
            return 200, page, {"Content-Type": "application/vnd.pypi.simple.v1+json"}
        return 200 if path == self.simple or name in self.files else 404, self.files.get(name, b""), {}

    def take(self, body: bytes, kind: str) -> Answer:
        form = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        parts: dict[str, Any] = {
            str(part.get_param("name", header="Content-Disposition")): part for part in form.iter_parts()
        }
        name: str = parts["content"].get_filename()
        data: bytes = parts["content"].get_payload(decode=True)
        self.sent.append(name)
        self.forms.append({key: part.get_content() for key, part in parts.items() if key != "content"})
        answer = self.answers.pop(0) if self.answers else Answer()
        if answer.status == 200 and not answer.cut and self.files.get(name, data) != data:
            answer = Answer(400, "File already exists")
        if answer.kept or (answer.status == 200 and not answer.cut):
            self.files.setdefault(name, data + b"\0" if name in self.spoiled else data)
        return answer


@contextmanager
def upload_server(certificate: Path | None = None) -> Iterator[UploadServer]:
    state = UploadServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            scheme, _, login = self.headers.get("Authorization", "").partition(" ")
            state.logins.append(base64.b64decode(login).decode() if scheme else "")
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = state.take(body, self.headers["Content-Type"])
            if not answer.cut:
                self.answer(answer.status, answer.page.encode(), answer.headers, answer.reason)

        def do_GET(self) -> None:
            state.asked.append(self.path)
            self.answer(*state.reply(self.path))

        def answer(self, status: int, body: bytes, headers: dict[str, str], reason: str = "") -> None:
            self.send_response(status, reason or None)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with serving(Handler, certificate) as address:
        state.url = address
        yield state
