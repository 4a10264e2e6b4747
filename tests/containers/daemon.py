"""A server program that runs as long as tests need it, and no longer, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

_POLL = 0.05

_Answer = TypeVar("_Answer")


class DaemonFailed(Exception):  # noqa: N818 - reads as what happened
    """It did not start, or did not answer in time; with the end of its log."""


@contextmanager
def running(
    command: Sequence[str], log: Path, answers: Callable[[], _Answer | None], *, patience: float
) -> Iterator[_Answer]:
    """Start it in the folder of `log`, wait until `answers` gives something, yield that, and end its process group.

    Podman leaves a file where it runs if a command runs out of memory. `patience` are the seconds that the program may
    take to answer, and again to end.
    """
    # Also when this process is killed: the kernel then sends the signal that `_stop` would have sent.
    guarded = ["setpriv", "--pdeathsig=TERM", *command]
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            guarded,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield _first_answer(process, Path(command[0]).name, log, answers, time.monotonic() + patience)
        finally:
            _stop(process, patience)


def _first_answer(
    process: subprocess.Popen[bytes], name: str, log: Path, answers: Callable[[], _Answer | None], deadline: float
) -> _Answer:
    while (answer := answers()) is None:
        if process.poll() is not None:
            raise DaemonFailed(f"{name} ended with {process.returncode}: {_tail(log)}")
        if time.monotonic() > deadline:
            raise DaemonFailed(f"{name} does not answer: {_tail(log)}")
        time.sleep(_POLL)
    return answer


def _tail(log: Path) -> str:
    return " / ".join(log.read_text("utf-8", errors="replace").splitlines()[-3:])


def _stop(process: subprocess.Popen[bytes], patience: float) -> None:
    """Ask, wait, and then make sure of the whole group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
