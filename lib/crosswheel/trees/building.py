"""What of a tree is to be built, and how each package ended: values of the verb `wheelhouse`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crosswheel.errors import SourceError
from crosswheel.model.job import Failure
from crosswheel.trees.cells import Cell
from crosswheel.trees.verdicts import Verdict

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

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

    `reason` says which package a skipped one waited for. `across`: it was built by cross, whose build environments are
    this machine's.
    """

    package: Package
    state: BuildState
    wheels: tuple[Path, ...] = ()
    failures: tuple[Failure, ...] = ()
    seconds: float = 0.0
    reason: str = ""
    across: bool = False

    @property
    def stops_others(self) -> bool:
        """Whether builds that require it cannot have it: neither from here, nor from the index, nor this machine's."""
        return self.state != "built" and not self.across and self.package.verdict.state != "wheel"


def packages_to_build(verdicts: Iterable[Verdict]) -> tuple[Package, ...]:
    """One package for each name and version among the verdicts that are to be built from a file of the index."""
    grouped: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        grouped[verdict.name, verdict.version].append(verdict)
    return tuple(
        Package(name, version, tuple(verdict.cell for verdict in group), group[0])
        for (name, version), group in sorted(grouped.items())
    )


def source_of(package: Package) -> str:
    """A source for `wheels`: a folder, or NAME==VERSION. Raises SourceError for one that is not downloaded."""
    place = package.verdict.file
    if package.verdict.state == "to build" and Path(place).is_dir():
        return place
    if package.verdict.state == "to build" and place.startswith(("git+", "hg+", "svn+", "bzr+")):
        raise SourceError(
            f"{package.name} is required from {place.partition('@')[0]}, and repositories are not cloned",
            hint="git clone, and name the folder instead",
        )
    if not package.version:
        raise SourceError(f"no version of {package.name} is known", hint="crosswheel wheels, with its folder or sdist")
    return f"{package.name}=={package.version}"


def sdist_of(package: Package) -> DistributionPackage | None:
    """The sdist that the tree names by its address and sha256, if it does."""
    from pypi_simple import DistributionPackage

    verdict = package.verdict
    name = verdict.file.rpartition("/")[2]
    if verdict.state != "to build" or not (verdict.url and verdict.sha256) or not name.endswith(".tar.gz"):
        return None
    return DistributionPackage(
        filename=name,
        url=verdict.url,
        project=verdict.name,
        version=verdict.version,
        package_type="sdist",
        digests={"sha256": verdict.sha256},
        requires_python=None,
        has_sig=None,
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
