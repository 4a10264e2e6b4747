"""The proof of a wheelhouse: an installer of each platform finds the whole tree in that folder alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from crosswheel.system.interpreters import uv
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import CommandFailed
from crosswheel.trees.cells import Cell
from crosswheel.trees.refusals import reason_of
from crosswheel.trees.resolution import uv_platform
from crosswheel.trees.verdicts import Verdict


def prove(verdicts: Iterable[Verdict], wheels: Path, host: LocalHost, folder: Path) -> Mapping[Cell, str]:
    """Uv's answer for each cell: empty, or why its packages cannot be installed from `wheels` alone.

    `folder` is an empty folder. Nothing is installed, and no index is asked. The versions are those of the verdicts.
    """
    cells: dict[Cell, list[str]] = {}
    for verdict in verdicts:
        pin = f"{verdict.name}=={verdict.version}" if verdict.version else verdict.name
        cells.setdefault(verdict.cell, []).append(pin)
    return {cell: _asked(cell, pins, wheels, host, folder) for cell, pins in cells.items()}


def _asked(cell: Cell, pins: Iterable[str], wheels: Path, host: LocalHost, folder: Path) -> str:
    wanted = folder / f"{cell}.txt"
    wanted.write_text("".join(f"{pin}\n" for pin in pins))
    command = [uv(), "pip", "install", "--dry-run", "--quiet", "--no-progress", "--no-deps", "--only-binary", ":all:"]
    command += ["--no-index", "--find-links", str(wheels.resolve()), "--target", str(folder / str(cell))]
    command += ["--python-version", cell.newest_patch, "--python-platform", uv_platform(cell)]
    environ = {**host.installer_environ, "UV_PYTHON_DOWNLOADS": "never", "UV_FIND_LINKS": ""}
    try:
        host.processes.run([*command, "--requirements", str(wanted)], env=environ, cwd=folder)
    except CommandFailed as error:
        return reason_of(error)
    return ""
