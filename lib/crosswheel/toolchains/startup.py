"""What runs at the start of each interpreter of an environment: a .pth line starts it (site in Python's manual)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

_FOLDER = "_crosswheel"


@dataclass(frozen=True)
class Startup:
    """A module of inside/, and what its `main` is called with."""

    module: str
    arguments: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        name = f"{_FOLDER}.{self.module}"
        return f"import {name}; {name}.main({', '.join(map(repr, self.arguments))})\n"


HOOKS = PurePosixPath(_FOLDER, "hooks.py")
"""In site-packages: the program that runs several hooks of a backend."""

IMPERSONATE = Startup("impersonate")
"""Interpreters answer as the target's would."""

SIDE_BY_SIDE = Startup("side_by_side")
"""Setuptools runs as many compilers at a time as MAX_JOBS says."""


def note_uncompiled(path: Path) -> Startup:
    """Setuptools writes down in that file which extensions it was to compile and did not."""
    return Startup("uncompiled", (str(path),))


def hide_folder(name: str) -> Startup:
    """A folder beside pyproject.toml is none of the project's packages."""
    return Startup("undiscovered", (name,))


def startup_files(*starts: Startup) -> Mapping[str, bytes]:
    """What an environment's site-packages gets for them."""
    inside = resources.files("crosswheel.toolchains.inside")
    modules = {each.name: each.read_bytes() for each in inside.iterdir() if each.name.endswith(".py")}
    files = {f"{_FOLDER}/{name}": content for name, content in modules.items()}
    return {**files, f"{_FOLDER}.pth": "".join(each.line for each in starts).encode()}


def install_startup(packages: Path, *starts: Startup) -> None:
    """Into the site-packages of an environment on this machine."""
    for name, content in startup_files(*starts).items():
        path = packages / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
