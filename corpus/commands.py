"""Commands with a time limit: a failed one raises with the last lines of its output, and leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TAIL = 12  # lines


class Failed(Exception):  # noqa: N818 - reads as what happened
    """A command ended with `code`, or was stopped, which is -1; `tail` are the last lines of its log."""

    def __init__(self, message: str, code: int, log: Path) -> None:
        super().__init__(message)
        self.code = code
        self.stopped = code == -1
        lines = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
        self.tail = tuple(line for line in lines if line.strip())[-_TAIL:]


def run(command: Sequence[str | Path], log: Path, *, limit: float, env: Mapping[str, str] | None = None) -> float:
    """The seconds that the command took. Raises Failed."""
    began = time.perf_counter()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**os.environ, **(env or {})},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"stopped after {limit:.0f} s", -1, log) from None
        finally:
            _end(process)
    if code:
        raise Failed(f"{Path(command[0]).name} ended with {code}", code, log)
    return time.perf_counter() - began


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop the command and all processes of its session; crosswheel is asked first, for it has more sessions."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
