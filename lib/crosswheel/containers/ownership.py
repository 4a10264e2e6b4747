"""Whose a container is, in a label that all of ours carry: so the next run can remove what a killed one left."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

LABEL = "io.crosswheel.run"


def labels() -> dict[str, str]:
    """For what this process creates: machine, process, and when that process began (numbers are used again)."""
    return {LABEL: f"{socket.gethostname()} {os.getpid()} {_began(os.getpid())}"}


def is_stale(found: Mapping[str, str]) -> bool:
    """Whether the labels are those of a run of this machine that is over."""
    machine, _, process = found.get(LABEL, "").partition(" ")
    number, _, began = process.partition(" ")
    # Another machine's: only that one knows.
    return machine == socket.gethostname() and not (number.isdigit() and _began(int(number)) == began)


def _began(process: int) -> str:
    """In clock ticks since boot (proc(5), field 22 of stat, after the name in parentheses); empty if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""
