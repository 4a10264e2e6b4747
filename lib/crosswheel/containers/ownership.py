"""Labels of what is ours on a Docker host: which run's it is, and what it is kept for.

A run's own carry its label, so that the next run can remove what a killed one left. What outlives runs says its kind,
and the project whose it is, if it is one's.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path

LABEL = "io.crosswheel.run"
KIND, PROJECT = "io.crosswheel", "io.crosswheel.project"


def labels() -> dict[str, str]:
    """For what this process creates: machine, process, and when that process began (numbers are used again)."""
    return {LABEL: f"{_machine()} {os.getpid()} {_began(os.getpid())}"}


def as_instructions(given: Mapping[str, str]) -> list[str]:
    """As a Dockerfile has them, for an image that is committed: podman takes labels in no other way.

    Engines read quotes and backslashes in a label in their own ways, so that no label may have any.
    """
    if unsafe := [text for pair in given.items() for text in pair if re.search(r'["\\\\$\n]', text)]:
        raise ValueError(f"labels that engines read differently: {unsafe}")
    return [f'LABEL "{name}"="{value}"' for name, value in given.items()]


def is_stale(found: Mapping[str, str]) -> bool:
    """Whether the labels are those of a run of this machine that is over."""
    machine, _, process = found.get(LABEL, "").partition(" ")
    number, _, began = process.partition(" ")
    # Another machine's: only that one knows.
    return machine == _machine() and not (number.isdigit() and _began(int(number)) == began)


def _machine() -> str:
    """And which of its processes are seen from here: containers may share its name, and not its numbers."""
    return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"


def _began(process: int) -> str:
    """In clock ticks since boot (proc(5), field 22 of stat, after the name in parentheses); empty if there is none."""
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""
