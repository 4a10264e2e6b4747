"""Standard output and standard error, guarded: readers may leave early, and texts cannot control the terminal."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from crosswheel.errors import UsageError
from crosswheel.reporting.untrusted import Guard

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD = (0, 1, 2)


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """The stream that a verb prints to.

    When the reader leaves early, as `head` does, further output is dropped; the work continues, and the exit code tells
    the result. Raises UsageError if standard output is closed, OSError if the last lines cannot be written.
    """
    if sys.stdout is None:
        raise UsageError("standard output is closed", hint="crosswheel ... > FILE, or > /dev/null")
    stream = _leavable(sys.stdout)
    try:
        yield stream
    finally:
        stream.flush()


@contextmanager
def guarded_streams() -> Iterator[None]:
    """For the console command: guard what libraries print, and keep the numbers 0 to 2 from becoming other files."""
    for number in _STANDARD:
        if not _is_open(number):
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number
    streams = sys.stdout, sys.stderr
    if sys.stdout is not None:
        sys.stdout = _leavable(sys.stdout)
    if sys.stderr is not None:
        sys.stderr = GuardedErrors(_leavable(sys.stderr))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        sys.stdout, sys.stderr = streams


class GuardedErrors(io.TextIOBase):
    """Standard error that cleans every text; `stream` is the unguarded one, for text that is already clean."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.stream = stream
        self._guard = Guard()

    def write(self, text: str) -> int:
        self.stream.write(self._guard(text))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding


class _Leavable(io.FileIO):
    """A stream that drops output once its reader has left, and reports a full disk once."""

    _lost = False

    def write(self, data: ReadableBuffer, /) -> int | None:  # type: ignore[override]
        if not self._lost:
            try:
                return super().write(data)
            except OSError as error:
                self._lost = True
                if not isinstance(error, BrokenPipeError):
                    raise
        return memoryview(data).nbytes


def _leavable(stream: TextIO) -> TextIO:
    """Wrap a real stream; the replacement of a test or a notebook is used unchanged."""
    if not isinstance(stream, io.TextIOWrapper) or isinstance(getattr(stream.buffer, "raw", None), _Leavable):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Leavable(stream.fileno(), "w", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
