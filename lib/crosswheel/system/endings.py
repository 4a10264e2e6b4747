"""How a run ends early: Ctrl-C, a cancelled CI job and a closed window all end it in order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM, as CI systems send it, and SIGHUP, as a terminal does that is closed, raise KeyboardInterrupt.

    Not where they are to be ignored, as nohup has it.
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
