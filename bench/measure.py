"""Wall time, processors' time and peak memory of a whole command, with everything it starts, in containers too.

Containers are no children of whoever asks for them. So the time is what all processors of this machine have worked, and
the memory is that of all processes that began after the command did: true on a quiet machine that is its own Docker
host, and nowhere else.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_TAIL = 8  # lines of a log that tell why a command failed
_PATIENCE = 30  # seconds for containers to be removed by a command that was stopped


@dataclass(frozen=True)
class Measured:
    """Seconds of wall clock and of all processors (`cpu`), and at its highest the resident memory, summed, in bytes."""

    seconds: float
    cpu: float
    peak: int


class RunFailed(Exception):  # noqa: N818 - reads as what happened
    """A command that did not do what it should, and the last lines that it wrote."""

    def __init__(self, message: str, log: Path) -> None:
        super().__init__(message)
        lines = log.read_text("utf-8", "replace").splitlines() if log.is_file() else []
        self.tail = tuple(lines[-_TAIL:])


class OverBudget(RunFailed):
    """A command that was stopped, for it took longer than it may."""


def measure(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    sample: float = 0.2,
    codes: Container[int] = (0,),
    budget: float | None = None,
) -> Measured:
    """Run to the end; raises RunFailed when the command ends with none of `codes`, OverBudget after `budget` seconds.

    `sample` is how many seconds lie between two looks at the memory.
    """
    worked, began = _worked(), time.perf_counter()
    with log.open("wb") as sink:
        process = subprocess.Popen(
            list(argv), env=dict(env), cwd=cwd, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
        peaks: list[int] = [0]
        watcher = threading.Thread(target=_watch, args=(process, peaks, sample))
        watcher.start()
        try:
            code = process.wait(budget)
        except subprocess.TimeoutExpired:
            raise OverBudget(f"stopped after {budget:.0f} s", log) from None
        finally:
            seconds, cpu = time.perf_counter() - began, _worked() - worked
            _end(process)
            watcher.join()
    if code not in codes:
        raise RunFailed(f"{Path(argv[0]).name} ended with {code}", log)
    return Measured(seconds, cpu, max(peaks))


def _worked() -> float:
    """Seconds that this machine's processors have worked so far."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.steal - times.guest - times.guest_nice)


def _watch(process: subprocess.Popen[bytes], peaks: list[int], sample: float) -> None:
    # As the kernel tells it of all processes: a clock may have been set since it began to count.
    moment = psutil.Process(process.pid).create_time()
    while process.poll() is None:
        peaks.append(sum(_resident(each, moment) for each in psutil.process_iter()))
        time.sleep(sample)


def _resident(process: psutil.Process, moment: float) -> int:
    try:
        return int(process.memory_info().rss) if process.create_time() >= moment else 0
    except psutil.Error:
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would, so that it removes its containers; some are deaf to that in the background; then for good."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if process.poll() is None:
            process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
