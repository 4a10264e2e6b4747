"""Orderly ends of interrupted runs: Ctrl-C, a cancelled CI job, a closed terminal."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1  # prctl(2)


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent, or the thread there that started it, ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it has ended meanwhile
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Raise KeyboardInterrupt for SIGTERM (from CI systems) and SIGHUP (from a closed terminal).

    Ignored signals stay ignored, as under nohup.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [it for it in (signal.SIGHUP, signal.SIGTERM) if signal.getsignal(it) is not signal.SIG_IGN]
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
