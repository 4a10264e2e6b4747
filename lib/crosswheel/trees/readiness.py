"""The readiness of a dependency tree: its verdicts, what explains the missing wheels, and what would mend it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product

from packaging.specifiers import SpecifierSet

from crosswheel.model.targets import Architecture, Policy, PythonTag, Target, usual_pythons
from crosswheel.trees.cells import Cell, cell_of
from crosswheel.trees.explanations import Explanation
from crosswheel.trees.verdicts import Verdict

_OLDEST = 10


@dataclass(frozen=True)
class Advice:
    """For one cell: versions by package that differ from the tree's and install from wheels alone, or why not."""

    cell: Cell
    pins: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class TreeReadiness:
    """The readiness of one tree. `left_out` are missing wheels that the compared architecture lacks, too.

    `unsolved` are the Pythons without a resolution, with the reason; `unknown` are packages whose requirements are not
    known.
    """

    named: str
    cells: tuple[Cell, ...]
    verdicts: tuple[Verdict, ...]
    required_by: Mapping[str, tuple[str, ...]]
    explanations: Mapping[Verdict, Explanation] = field(default_factory=dict)
    advice: tuple[Advice, ...] = ()
    left_out: tuple[Verdict, ...] = ()
    unsolved: Mapping[PythonTag, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Verdict, ...]:
        """The packages without a wheel, cell by cell."""
        left_out = set(self.left_out)
        return tuple(verdict for verdict in self.verdicts if verdict.is_missing and verdict not in left_out)

    @property
    def impossible(self) -> tuple[Verdict, ...]:
        """The missing ones that cannot be built either."""
        return tuple(verdict for verdict in self.missing if verdict.state == "impossible")

    def fails(self, fail_on: str) -> bool:
        """Whether this is a failure; `fail_on` is missing, impossible or never."""
        if fail_on == "never":
            return False
        return bool(self.unsolved or (self.missing if fail_on == "missing" else self.impossible))


def cells_of(
    pythons: Iterable[PythonTag], platforms: Iterable[tuple[Policy, Architecture]], arch: Architecture | None = None
) -> tuple[Cell, ...]:
    """Every Python on every platform; with `arch`, on that architecture instead of the platform's."""
    pairs = product(dict.fromkeys(platforms), dict.fromkeys(pythons))
    return tuple(cell_of(Target(python, arch or own, policy)) for (policy, own), python in pairs)


def supported_pythons(requires_python: SpecifierSet) -> tuple[PythonTag, ...]:
    """The usual CPythons that a project supports, without free-threaded ones."""
    usual = (tag for tag in usual_pythons() if not tag.free_threaded and tag.minor >= _OLDEST)
    return tuple(tag for tag in usual if requires_python.contains(f"{tag.version}.99", prereleases=True))


def missing_there_too(missing: Iterable[Verdict], compared: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """The missing wheels that are missing on the compared architecture as well, for the same Python and C library."""
    lacking = {_place(verdict) for verdict in compared if verdict.is_missing}
    return tuple(verdict for verdict in missing if _place(verdict) in lacking)


def _place(verdict: Verdict) -> tuple[str, str, PythonTag, str]:
    return verdict.name, verdict.version, verdict.cell.python, verdict.cell.policy.libc
