"""The terminal that this process was started on, while something else reads what is typed there."""

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
    """Whether somebody types what is read here, and sees what is written."""
    return os.isatty(STDIN) and os.isatty(STDOUT)


def forget_typed() -> None:
    """What was typed before a question is no answer to it."""
    if os.isatty(STDIN):
        termios.tcflush(STDIN, termios.TCIFLUSH)


@contextmanager
def kept_terminal() -> Iterator[None]:
    """Its settings, and who is in its foreground, are afterwards as they were, whatever happens meanwhile."""
    settings = termios.tcgetattr(STDIN)
    try:
        yield
    finally:
        # A shell that is killed leaves us in the background, where whoever touches the terminal is stopped.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        # It may be gone: its window was closed.
        with contextlib.suppress(OSError, termios.error):
            os.tcsetpgrp(STDIN, os.getpgrp())
            termios.tcsetattr(STDIN, termios.TCSANOW, settings)
        signal.signal(signal.SIGTTOU, before)


@contextmanager
def raw_terminal() -> Iterator[None]:
    """Every key is passed on as it is, Ctrl-C too."""
    with kept_terminal():
        # What was typed ahead stays.
        tty.setraw(STDIN, termios.TCSANOW)
        yield
