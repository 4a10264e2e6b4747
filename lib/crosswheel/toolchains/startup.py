"""What runs at the start of each interpreter of an environment: a .pth line starts it (site in Python's manual)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def install_startup(packages: Path) -> None:
    """Into an environment's site-packages: what makes its interpreters answer as the target's would."""
    _install("impersonate", "", packages)


def hide_folder(name: str, packages: Path) -> None:
    """Likewise: what makes a folder beside pyproject.toml none of the project's packages."""
    _install("undiscovered", repr(name), packages)


def _install(module: str, argument: str, packages: Path) -> None:
    source, name = resources.files("crosswheel.toolchains").joinpath(f"{module}.py"), f"_crosswheel_{module}"
    (packages / f"{name}.py").write_text(source.read_text("utf-8"))
    (packages / f"{name}.pth").write_text(f"import {name}; {name}.main({argument})\n")
