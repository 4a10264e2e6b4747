"""What of a tree is to be built, and how each package ended: values of the verb `wheelhouse`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crosswheel.model.job import Failure
from crosswheel.trees.cells import Cell
from crosswheel.trees.verdicts import Verdict

BuildState: TypeAlias = Literal["built", "failed", "skipped"]


@dataclass(frozen=True)
class Package:
    """A package to build for some cells; `verdict` is the one of the first."""

    name: str
    version: str
    cells: tuple[Cell, ...]
    verdict: Verdict


@dataclass(frozen=True)
class PackageOutcome:
    """How the builds of a package ended; `wheels` may be there although some targets failed.

    `reason` says which package a skipped one waited for.
    """

    package: Package
    state: BuildState
    wheels: tuple[Path, ...] = ()
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    reason: str = ""


def packages_to_build(verdicts: Iterable[Verdict]) -> tuple[Package, ...]:
    """One package for each name and version among the verdicts that are to be built from a file of the index."""
    grouped: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        grouped[verdict.name, verdict.version].append(verdict)
    return tuple(
        Package(name, version, tuple(verdict.cell for verdict in group), group[0])
        for (name, version), group in sorted(grouped.items())
    )


def build_requirements(pyproject: Mapping[str, Any]) -> frozenset[str]:
    """The normalised names in `build-system.requires` of a pyproject.toml (PEP 518)."""
    table = pyproject.get("build-system", {})
    requires = table.get("requires", ()) if isinstance(table, Mapping) else ()
    return frozenset(filter(None, map(_name, requires if isinstance(requires, list) else ())))


def _name(text: object) -> str:
    try:
        return str(canonicalize_name(Requirement(str(text)).name))
    except InvalidRequirement:
        return ""
