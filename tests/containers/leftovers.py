"""What an engine leaves on this machine: processes, and folders with all that is mounted there."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from containers.program import run_program


def end_processes(run: str) -> None:
    """What an engine started has sessions of its own; all of it names a folder that is ours alone."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if run.encode() in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)


def data_folder(cache: Path) -> Path:
    """For an engine's images, on a disk; what killed runs have left beside it is removed."""
    _sweep(cache)
    return cache / f"engine-{os.getpid()}-{secrets.token_hex(4)}"


def _sweep(cache: Path) -> None:
    """A run that was killed leaves its images."""
    for path in cache.glob("engine-*"):
        if not Path("/proc", path.name.split("-")[1]).exists():
            remove_folder(path)


def remove_folder(folder: Path) -> None:
    for mount in sorted(_mounts(folder), reverse=True):
        run_program("umount", "--lazy", mount)
    shutil.rmtree(folder, ignore_errors=True)


def _mounts(folder: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines()]
    return [point for point in points if Path(point).is_relative_to(folder)]
