"""The terminal of this process, while another program reads its input."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

STDIN, STDOUT = 0, 1


def is_interactive() -> bool:
    """Whether input and output are a terminal."""
    return os.isatty(STDIN) and os.isatty(STDOUT)


def forget_typed() -> None:
    """Discard input typed before a question, which is no answer to it."""
    if os.isatty(STDIN):
        termios.tcflush(STDIN, termios.TCIFLUSH)


@contextmanager
def kept_terminal() -> Iterator[None]:
    """Restore the terminal's settings and its foreground process group at the end."""
    settings = termios.tcgetattr(STDIN)
    try:
        yield
    finally:
        # A killed shell leaves us in the background, where using the terminal stops a process.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        # The terminal may be gone, if its window was closed.
        with contextlib.suppress(OSError, termios.error):
            os.tcsetpgrp(STDIN, os.getpgrp())
            termios.tcsetattr(STDIN, termios.TCSANOW, settings)
        signal.signal(signal.SIGTTOU, before)


@contextmanager
def raw_terminal() -> Iterator[None]:
    """Pass every key through unchanged, including Ctrl-C."""
    with kept_terminal():
        # Input typed ahead is kept.
        tty.setraw(STDIN, termios.TCSANOW)
        yield
