"""A PEP 517 backend of a pure project that waits for WAITS seconds, in a process of its own, to make its wheel."""

from __future__ import annotations

import os
import subprocess

import tiny_backend  # type: ignore[import-not-found]


class Waits(tiny_backend.Pure):  # type: ignore[misc]
    def members(self) -> dict[str, bytes]:
        subprocess.run(["sleep", os.environ.get("WAITS", "0")], check=True)  # noqa: S607
        return super().members()  # type: ignore[no-any-return]


backend = Waits()
