"""Wall time and peak memory of a whole command, with everything it starts."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Measured:
    """`seconds` of wall clock, `cpu` seconds of it and its children, `peak` bytes of resident memory, summed."""

    seconds: float
    cpu: float
    peak: int


def measure(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    sample: float = 0.1,
    codes: Container[int] = (0,),
) -> Measured:
    """Run to the end; raises CalledProcessError with the log's path when the command ends with none of `codes`.

    `sample` is how many seconds lie between two looks at the memory.
    """
    before = psutil.Process().cpu_times()
    began = time.perf_counter()
    with log.open("wb") as sink:
        process = subprocess.Popen(list(argv), env=dict(env), cwd=cwd, stdout=sink, stderr=subprocess.STDOUT)
        peaks: list[int] = [0]
        watcher = threading.Thread(target=_watch, args=(process, peaks, sample))
        watcher.start()
        code = process.wait()
        seconds = time.perf_counter() - began
        watcher.join()
    after = psutil.Process().cpu_times()
    if code not in codes:
        raise subprocess.CalledProcessError(code, [*argv, f"(see {log})"])
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Measured(seconds, cpu, max(peaks))


def _watch(process: subprocess.Popen[bytes], peaks: list[int], sample: float) -> None:
    while process.poll() is None:
        try:
            root = psutil.Process(process.pid)
            peaks.append(sum(_resident(member) for member in [root, *root.children(recursive=True)]))
        except psutil.NoSuchProcess:
            continue
        time.sleep(sample)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
