"""A terminal with a command in its foreground, typed at and read as a person would."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Nobody but a session's first process can have a terminal for its own.
_START = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"


@dataclass
class Terminal:
    """`seen` is whatever was printed there and has not been expected yet."""

    process: subprocess.Popen[bytes]
    _keyboard: int
    _screen: int
    seen: str = field(default="")

    def type(self, text: str) -> None:
        os.write(self._keyboard, text.encode())

    def expect(self, pattern: str, patience: float = 600) -> re.Match[str]:
        deadline = time.monotonic() + patience
        while not (match := re.search(pattern, self.seen)):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.seen!r}"
            self._read(0.1)
        self.seen = self.seen[match.end() :]
        return match

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._screen, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def settings(self) -> list[Any]:
        return termios.tcgetattr(self._screen)

    def code(self, patience: float = 300) -> int:
        """How it ends."""
        deadline = time.monotonic() + patience
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen!r}"
            self._read(0.1)
        return self.process.wait()

    def _read(self, patience: float) -> None:
        if select.select([self._keyboard], [], [], patience)[0]:
            self.seen += os.read(self._keyboard, 65536).decode(errors="replace")


@contextmanager
def terminal(command: Sequence[str], environ: Mapping[str, str], cwd: Path) -> Iterator[Terminal]:
    keyboard, screen = pty.openpty()
    starting = [sys.executable, "-c", _START, *command]
    process = subprocess.Popen(
        starting, env=dict(environ), cwd=cwd, stdin=screen, stdout=screen, stderr=screen, start_new_session=True
    )
    try:
        yield Terminal(process, keyboard, screen)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(keyboard)
        os.close(screen)
