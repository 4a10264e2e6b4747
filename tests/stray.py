"""Processes that should have ended."""

from __future__ import annotations

import time
from pathlib import Path


def runs_still(pid: int) -> bool:
    """Whether it still runs a while after it was killed; a zombie has ended, though nobody has asked how."""
    limit = time.monotonic() + 20
    while time.monotonic() < limit:
        try:
            state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state in {"Z", "X"}:
            return False
        time.sleep(0.01)
    return True
