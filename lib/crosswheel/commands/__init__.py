"""The verbs, as nox sessions, invoke tasks and the console command all call them: one file each.

Each takes the project's folder and the options that were given by name (`--policy X` is ``{"policy": "X"}``), prints
to `stream`, and returns the exit code (see errors.py). What goes wrong before there is a report is raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from crosswheel.system.endings import ending_in_order


def run_verb(verb: str, project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Only the file of that verb is imported, with what it needs."""
    with ending_in_order():
        code: int = getattr(import_module(f"{__name__}.{verb}"), verb)(project, options, stream)
    return code
