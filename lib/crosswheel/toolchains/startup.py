"""Modules that run at the start of each interpreter of an environment, by a .pth line (site in Python's manual)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

_FOLDER = "_crosswheel"


@dataclass(frozen=True)
class Startup:
    """A module of inside/, and the arguments of its `main`."""

    module: str
    arguments: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        name = f"{_FOLDER}.{self.module}"
        return f"import {name}; {name}.main({', '.join(map(repr, self.arguments))})\n"


HOOKS = PurePosixPath(_FOLDER, "hooks.py")
"""The program in site-packages that runs several hooks of a backend."""

IMPERSONATE = Startup("impersonate")
"""Interpreters answer like the target's."""

SIDE_BY_SIDE = Startup("side_by_side")
"""setuptools runs MAX_JOBS compilers in parallel."""


def note_uncompiled(path: Path) -> Startup:
    """Setuptools records extensions that were not compiled in the file."""
    return Startup("uncompiled", (str(path),))


def note_unrun(path: Path) -> Startup:
    """Programs of another machine that a build starts are recorded in the file: here, none of them runs."""
    return Startup("unrun", (str(path),))


def start_over(python: str, suffix: str) -> Startup:
    """Programs that import an extension module with this suffix start over under the target's `python`."""
    return Startup("start_over", (python, suffix))


def hide_folder(name: str) -> Startup:
    """Setuptools does not treat a folder beside pyproject.toml as a package."""
    return Startup("undiscovered", (name,))


def startup_files(*starts: Startup) -> Mapping[str, bytes]:
    """The files for site-packages of an environment."""
    inside = resources.files("crosswheel.toolchains.inside")
    modules = {each.name: each.read_bytes() for each in inside.iterdir() if each.name.endswith(".py")}
    files = {f"{_FOLDER}/{name}": content for name, content in modules.items()}
    return {**files, f"{_FOLDER}.pth": "".join(each.line for each in starts).encode()}


def install_startup(packages: Path, *starts: Startup) -> None:
    """Install the modules into an environment on this machine."""
    for name, content in startup_files(*starts).items():
        path = packages / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
