"""Imports of slow packages inside functions, which several threads may do at the same time."""

from __future__ import annotations

import importlib
import threading

_LOCK = threading.Lock()


def import_alone(name: str) -> None:
    """Import a package whose modules import each other in a circle.

    Of two threads that do it at the same time, Python would show one of them a module that is not finished.
    """
    with _LOCK:
        importlib.import_module(name)
