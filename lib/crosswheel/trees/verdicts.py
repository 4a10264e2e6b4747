"""A verdict: what there is of a package in a cell, a wheel or something else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from packaging.utils import parse_wheel_filename

from crosswheel.trees.cells import Cell

if TYPE_CHECKING:
    from packaging.tags import Tag

State: TypeAlias = Literal["wheel", "pure", "to build", "impossible"]
MISSING: tuple[State, ...] = ("to build", "impossible")


@dataclass(frozen=True)
class Verdict:
    """The state of a package in a cell; `version` is empty for a source that names none.

    `file` is the wheel or the sdist that an installer takes, or the place of another source. `reason` says why it is
    impossible.
    """

    name: str
    version: str
    cell: Cell
    state: State
    file: str = ""
    reason: str = ""
    url: str = ""
    """The address of `file`; empty for a source that is not downloaded."""
    sha256: str = ""

    def __hash__(self) -> int:
        return hash((self.name, self.version, self.cell.name))

    @property
    def is_missing(self) -> bool:
        """Whether an installer finds no wheel."""
        return self.state in MISSING

    @property
    def is_own(self) -> bool:
        """Whether its source is a folder or a repository: a package of that name on an index may be another one."""
        return self.state == "to build" and not self.url


@dataclass(frozen=True)
class WheelFile:
    """A wheel by its file name."""

    filename: str
    version: str
    tags: frozenset[Tag]


def wheels_by_project(names: Iterable[str]) -> Mapping[str, tuple[WheelFile, ...]]:
    """The wheels of these names by normalised project name."""
    found: dict[str, list[WheelFile]] = defaultdict(list)
    for file in names:
        name, version, _, tags = parse_wheel_filename(file)
        found[name].append(WheelFile(file, str(version), tags))
    return {name: tuple(wheels) for name, wheels in found.items()}


def wheels_for(verdict: Verdict, wheels: Mapping[str, Iterable[WheelFile]]) -> tuple[WheelFile, ...]:
    """The wheels that install the package of a verdict in its cell."""
    accepted = verdict.cell.accepted_tags
    return tuple(
        wheel
        for wheel in wheels.get(verdict.name, ())
        if verdict.version in {"", wheel.version} and not wheel.tags.isdisjoint(accepted)
    )
