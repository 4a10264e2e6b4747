"""What is typed or piped here goes to a command in a container, and what that prints comes back, both as they come.

One thread, which never waits for one side while the other has something to say.
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
_HEADER = struct.Struct(">BxxxL")  # of a frame, where there is no terminal: 1 or 2 (stdout, stderr), and its length
_TRY_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Resize = Callable[[int, int], object]
"""Rows, columns."""


class Channel:
    """The connection to a command that the engine has started. `connection` is what the library gives for it."""

    def __init__(self, connection: Any) -> None:
        self._response = connection._response  # noqa: SLF001 - the library keeps it alive here, and so do we
        self._socket: socket.socket = getattr(connection, "_sock", connection)
        self._socket.setblocking(False)
        self._early = b""
        # The first words may have come together with the answer's headers, and were read with them.
        with contextlib.suppress(ssl.SSLWantReadError):
            self._early = self._response.raw._fp.fp.peek()  # noqa: SLF001

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_more(self) -> bool:
        """Whether something has come that nobody can see from outside."""
        return bool(self._early) or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0)

    def receive(self) -> bytes | None:
        """What has come; None where nothing has, and nothing at the end."""
        if self._early:
            early, self._early = self._early, b""
            return early
        try:
            return self._socket.recv(_BLOCK)
        except _TRY_AGAIN:
            return None
        except OSError:
            # One that breaks is told from one that ends by the exit code that is asked for next.
            return b""

    def send(self, data: bytes) -> int:
        """How much of it has gone."""
        try:
            return self._socket.send(data)
        except _TRY_AGAIN:
            return 0
        except OSError:
            return len(data)  # nobody reads any more

    def end_input(self) -> None:
        with contextlib.suppress(OSError):
            # Not that of an SSLSocket, which would not receive any more.
            socket.socket.shutdown(self._socket, socket.SHUT_WR)

    def close(self) -> None:
        # In this order: a response whose connection is gone complains when it is collected.
        self._response.close()
        self._socket.close()


def converse(channel: Channel, resize: Resize, check: Callable[[], None], *, terminal: bool) -> None:
    """Until the command's output ends. `check` is called several times a second, and may raise."""
    size: os.terminal_size | None = None
    received, unsent, asking = bytearray(), b"", True
    with raw_terminal() if terminal else nullcontext():
        while True:
            # More is read when all before has gone.
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
    """Tell the command how large the window is now; looked at each time, for SIGWINCH reaches the main thread only."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    # The command may not be there yet, or no more: the next time, then.
    with contextlib.suppress(DockerException, RequestException, OSError):
        now = os.get_terminal_size(STDIN)
        if now != size:
            resize(now.lines, now.columns)
        return now
    return size


def _typed() -> bytes:
    """Nothing at the end, and nothing from a terminal whose window was closed."""
    try:
        return os.read(STDIN, _BLOCK)
    except OSError:
        return b""


def _frames(received: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take those that are complete."""
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
