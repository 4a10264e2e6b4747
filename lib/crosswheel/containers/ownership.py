"""Labels for our objects on a Docker host: the owning run, and the purpose.

Temporary objects carry the label of their run, so that the next run can remove the leftovers of a killed one. Lasting
objects carry their kind, and their project if they belong to one.
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
    """Labels for objects of this process: machine, process id, and start time, because process ids are reused."""
    return {LABEL: f"{_machine()} {os.getpid()} {_began(os.getpid())}"}


def as_instructions(given: Mapping[str, str]) -> list[str]:
    """The labels as Dockerfile instructions for a committed image, which is the only way that podman accepts.

    Labels must not contain quotes and backslashes, which engines parse differently.
    """
    if unsafe := [text for pair in given.items() for text in pair if re.search(r'["\\\\$\n]', text)]:
        raise ValueError(f"labels with quotes or backslashes, which engines parse differently: {unsafe}")
    return [f'LABEL "{name}"="{value}"' for name, value in given.items()]


def is_stale(found: Mapping[str, str]) -> bool:
    """Whether the labels belong to a finished run of this machine."""
    machine, _, process = found.get(LABEL, "").partition(" ")
    number, _, began = process.partition(" ")
    # Another machine's run: only that machine can tell.
    return machine == _machine() and not (number.isdigit() and _began(int(number)) == began)


def _machine() -> str:
    """The machine and its PID namespace: containers may share the machine's name but not its process ids."""
    return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').readlink()}"


def _began(process: int) -> str:
    """The start time of a process in clock ticks since boot (field 22 of stat, proc(5)); empty if it has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""
