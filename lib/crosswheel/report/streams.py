"""Standard output and standard error: a reader may leave before the end, and text of others may not steer him."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from crosswheel.errors import UsageError
from crosswheel.report.untrusted import Guard

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD = (0, 1, 2)


@contextmanager
def standard_output() -> Iterator[TextIO]:
    """Where a verb prints.

    What is written after the reader has left, as `head` does, is lost: the work goes on, and the exit code tells how
    it ended. Raises UsageError where standard output is closed, and OSError where the last lines cannot be written.
    """
    if sys.stdout is None:
        raise UsageError(
            "standard output is closed, so nothing can be shown", hint="crosswheel ... > FILE, or > /dev/null"
        )
    stream = _leavable(sys.stdout)
    try:
        yield stream
    finally:
        stream.flush()


@contextmanager
def guarded_streams() -> Iterator[None]:
    """For a process of our own: what libraries print is guarded too, and no file gets a number of a closed stream."""
    for number in _STANDARD:
        if not _is_open(number):
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest number that is free
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
    """Standard error for messages of any library, and for tracebacks; `stream` is for who cleans text himself."""

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
    """A pipe whose reader may go away, or a file on a disk that fills up, which is told once."""

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
    """The same stream, where it is a real one; a test's, or a notebook's, is taken as it is."""
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
