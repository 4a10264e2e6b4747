"""Connects this process's input and output to a command in a container, byte by byte as they arrive.

One thread serves both directions and never blocks on one while the other has data.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

from crosswheel.system.terminal import STDIN, STDOUT, raw_terminal

_POLL = 0.1
_BLOCK = 64 * 1024
_HEADER = struct.Struct(">BxxxL")  # header of a frame without a terminal: 1 or 2 (stdout, stderr), and the length
_TRY_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Resize = Callable[[int, int], object]
"""(rows, columns)"""


class Channel:
    """The connection to a started command; `connection` is the object of docker-py."""

    def __init__(self, connection: Any) -> None:
        self._response = connection._response  # noqa: SLF001 - the library keeps it alive here, and so do we
        self._socket: socket.socket = getattr(connection, "_sock", connection)
        self._socket.setblocking(False)
        self._early = b""
        # The first bytes may have arrived with the response headers and been read with them.
        with contextlib.suppress(ssl.SSLWantReadError):
            self._early = self._response.raw._fp.fp.peek()  # noqa: SLF001

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_more(self) -> bool:
        """Whether data is buffered, where `select` cannot see it."""
        return bool(self._early) or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0)

    def receive(self) -> bytes | None:
        """The received data; None if there is none yet, empty at the end."""
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            return self._socket.recv(_BLOCK)
        except _TRY_AGAIN:
            return None
        except OSError:
            # The exit code, asked for next, tells a broken connection from an ended command.
            return b""

    def send(self, data: bytes) -> int:
        """Send data; return the number of bytes sent."""
        try:
            return self._socket.send(data)
        except _TRY_AGAIN:
            return 0
        except OSError:
            return len(data)  # the command no longer reads

    def end_input(self) -> None:
        with contextlib.suppress(OSError):
            # Not the shutdown of an SSLSocket, which would end receiving too.
            socket.socket.shutdown(self._socket, socket.SHUT_WR)

    def close(self) -> None:
        # In this order: a response with a closed connection warns when it is collected.
        self._response.close()
        self._socket.close()


def converse(channel: Channel, resize: Resize, check: Callable[[], None], *, terminal: bool) -> None:
    """Transfer data until the command's output ends. `check` is called several times a second, and may raise."""
    size: os.terminal_size | None = None
    received, unsent, asking = bytearray(), b"", True
    with raw_terminal() if terminal else nullcontext():
        while True:
            # Read more only when everything before was sent.
            reading: list[Channel | int] = [channel, STDIN] if asking and not unsent else [channel]
            patience = 0 if channel.has_more else _POLL
            ready, writable, _ = select.select(reading, [channel] if unsent else [], [], patience)
            check()
            if terminal:
                size = _follow(size, resize)
            if channel in ready or not patience:
                data = channel.receive()
                if data == b"":
                    return
                received += data or b""
                for stream, part in [(STDOUT, _all(received))] if terminal else _frames(received):
                    _write(stream, part)
            if STDIN in ready:
                unsent = _typed()
                asking = bool(unsent)
                if not asking:
                    channel.end_input()
            if writable:
                unsent = unsent[channel.send(unsent) :]


def _follow(size: os.terminal_size | None, resize: Resize) -> os.terminal_size | None:
    """Send the window size to the command; polled, because SIGWINCH reaches only the main thread."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    # The command may not run yet, or no longer: try again next time.
    with contextlib.suppress(DockerException, RequestException, OSError):
        now = os.get_terminal_size(STDIN)
        if now != size:
            resize(now.lines, now.columns)
        return now
    return size


def _typed() -> bytes:
    """The input; empty at its end, or if the terminal's window was closed."""
    try:
        return os.read(STDIN, _BLOCK)
    except OSError:
        return b""


def _frames(received: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take the complete frames from the buffer."""
    while len(received) >= _HEADER.size:
        stream, length = _HEADER.unpack_from(received)
        end = _HEADER.size + length
        if len(received) < end:
            return
        yield stream, bytes(received[_HEADER.size : end])
        del received[:end]


def _all(received: bytearray) -> bytes:
    taken = bytes(received)
    received.clear()
    return taken


def _write(stream: int, data: bytes) -> None:
    while data:
        data = data[os.write(stream, data) :]
