"""How the releases of a tree reached an index: values of the verb `wheelhouse`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from crosswheel.model.job import Failure
from crosswheel.trees.cells import Cell
from crosswheel.trees.verdicts import Verdict, wheels_by_project, wheels_for


@dataclass(frozen=True)
class Release:
    """The wheels of one version of a project, by file name, and the cells that install them."""

    name: str
    version: str
    files: tuple[str, ...]
    cells: tuple[Cell, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class ReleaseUpload:
    """`sent` are the files that the index lacked (in a dry run: lacks); `failure` says why it has not got them."""

    release: Release
    sent: tuple[str, ...] = ()
    failure: Failure | None = None


def releases_of(verdicts: Iterable[Verdict], names: Iterable[str]) -> tuple[Release, ...]:
    """The releases that the wheels of these names are of, as far as a verdict's cell installs them."""
    wheels = wheels_by_project(names)
    files: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    cells: dict[tuple[str, str], dict[Cell, None]] = defaultdict(dict)
    for verdict in verdicts:
        for wheel in wheels_for(verdict, wheels):
            files[verdict.name, wheel.version][wheel.filename] = None
            cells[verdict.name, wheel.version][verdict.cell] = None
    return tuple(Release(*key, tuple(sorted(files[key])), tuple(cells[key])) for key in sorted(files))
