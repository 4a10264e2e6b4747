"""What makes the interpreters of a build environment answer as the target's: impersonate.py, and who starts it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

_NAME = "_crosswheel_impersonate"


def install_startup(packages: Path) -> None:
    """Into an environment's site-packages: a .pth line runs in each of its interpreters, however it was started."""
    source = resources.files("crosswheel.toolchains").joinpath("impersonate.py")
    (packages / f"{_NAME}.py").write_text(source.read_text("utf-8"))
    (packages / f"{_NAME}.pth").write_text(f"import {_NAME}; {_NAME}.main()\n")
