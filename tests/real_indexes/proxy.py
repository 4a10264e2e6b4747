"""A proxy in front of an index that has the faults one asks for.

>>> with proxy(server.origin) as between:
...     between.faults += [Fault("POST", r"/$", answered(503), times=2), Fault("GET", r"/simple/", stale)]
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias
from urllib.parse import urlsplit

_HOP_BY_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding"}
_LONGEST_HOLD = 120  # seconds


class Cut(Exception):  # noqa: N818 - reads as what happens
    """Raised by a fault: the connection ends here, without a word."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Exchange:
    """A request that has come in, and what may be done with it."""

    method: str
    path: str
    headers: Mapping[str, str]
    before: Answer | None
    """What the same request was answered first."""
    _receive: Callable[[int], bytes]
    _forward: Callable[[Exchange], Answer]
    body: bytes = b""

    @property
    def length(self) -> int:
        return int(self.headers.get("Content-Length", 0))

    def receive(self, count: int) -> None:
        """Read from the client until this many bytes of the body are there."""
        while len(self.body) < min(count, self.length):
            if not (block := self._receive(min(count, self.length) - len(self.body))):
                raise Cut
            self.body += block

    def forward(self) -> Answer:
        self.receive(self.length)
        return self._forward(self)


Act: TypeAlias = Callable[[Exchange], Answer]


def answered(status: int, body: bytes = b"", **headers: str) -> Act:
    """The server never hears of the request: ``answered(429, Retry_After="1")``."""

    def act(exchange: Exchange) -> Answer:
        exchange.receive(exchange.length)
        return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)

    return act


def cut_after(count: int) -> Act:
    """The connection breaks when so many bytes of the body have come; the server never hears of them."""

    def act(exchange: Exchange) -> Answer:
        exchange.receive(count)
        raise Cut

    return act


def cut_before_answer(exchange: Exchange) -> Answer:
    """The server has it all, and the client does not get to know."""
    exchange.forward()
    raise Cut


def late(seconds: float) -> Act:
    def act(exchange: Exchange) -> Answer:
        time.sleep(seconds)
        return exchange.forward()

    return act


def stale(exchange: Exchange) -> Answer:
    """As a cache that has not heard of the upload: what the same request was answered first."""
    return exchange.before or exchange.forward()


def replaced(old: str, new: str) -> Act:
    """A page with another text in it, such as another hash."""

    def act(exchange: Exchange) -> Answer:
        answer = exchange.forward()
        return Answer(answer.status, answer.headers, answer.body.replace(old.encode(), new.encode()))

    return act


@dataclass
class Hold:
    """Holds a request until it is let go: `arrived` says that it came, and with `after` the server has had it."""

    after: bool = False
    arrived: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __call__(self, exchange: Exchange) -> Answer:
        exchange.receive(exchange.length)
        answer = exchange.forward() if self.after else None
        self.arrived.set()
        self.released.wait(_LONGEST_HOLD)
        if answer is None:
            raise Cut
        return answer


@dataclass
class Fault:
    """What becomes of the next `times` requests of a method whose path matches."""

    method: str
    path: str
    act: Act
    times: int = 1

    def takes(self, method: str, path: str) -> bool:
        return self.times > 0 and method == self.method and bool(re.search(self.path, path))


@dataclass
class Proxy:
    """``http://127.0.0.1:PORT`` in front of another; the first of its faults that fits a request is its fate."""

    origin: str = ""
    faults: list[Fault] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """``POST /``, in order."""
    taken: int = 0
    """Uploads that the server said yes to, whoever got to hear of it."""
    first: dict[tuple[str, str, str], Answer] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def uploads(self) -> int:
        return sum(line.startswith("POST ") for line in self.asked)

    def fate(self, method: str, path: str) -> Act:
        with self._lock:
            self.asked.append(f"{method} {path}")
            fault = next((fault for fault in self.faults if fault.takes(method, path)), None)
            if fault is None:
                return Exchange.forward
            fault.times -= 1
            return fault.act


@contextmanager
def proxy(server: str) -> Iterator[Proxy]:
    state = Proxy()
    host = urlsplit(server).netloc

    def forward(exchange: Exchange) -> Answer:
        connection = http.client.HTTPConnection(host, timeout=60)
        try:
            # Pages are to be read, and changed, as they are.
            headers = {**exchange.headers, "Accept-Encoding": "identity", "Connection": "close"}
            connection.request(exchange.method, exchange.path, exchange.body or None, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP}
            state.taken += exchange.method == "POST" and answer.status < HTTPStatus.MULTIPLE_CHOICES
            return Answer(answer.status, kept, answer.read())
        finally:
            connection.close()

    class Handler(BaseHTTPRequestHandler):
        def relay(self) -> None:
            key = (self.command, self.path, self.headers.get("Accept", ""))
            act = state.fate(self.command, self.path)
            before = state.first.get(key)
            exchange = Exchange(self.command, self.path, dict(self.headers.items()), before, self.rfile.read1, forward)
            self.close_connection = True
            with suppress(Cut, ConnectionError):
                answer = act(exchange)
                state.first.setdefault(key, answer)
                self.answer(answer)

        do_GET = do_POST = relay  # noqa: N815 - their names there

        def answer(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True  # one that is held must not hold up the end
    state.origin = f"http://127.0.0.1:{running.server_port}"
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        running.shutdown()
        running.server_close()
        thread.join()
