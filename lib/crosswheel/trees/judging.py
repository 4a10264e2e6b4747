"""Judges each package of a lock (PEP 751) in each cell: is there a wheel, or what else is there?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeAlias

from packaging.pylock import (
    Package,
    PackageArchive,
    PackageDirectory,
    PackageSdist,
    PackageVcs,
    PackageWheel,
    Pylock,
    PylockSelectError,
)
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crosswheel.trees.cells import Cell
from crosswheel.trees.verdicts import Verdict

_Chosen: TypeAlias = "PackageVcs | PackageDirectory | PackageArchive | PackageWheel | PackageSdist"


def judge(lock: Pylock, cells: Iterable[Cell]) -> tuple[Verdict, ...]:
    """The verdicts on all packages that the lock's markers select, cell by cell, in the order of the lock."""
    return tuple(verdict for cell in cells for verdict in _in_cell(lock, cell))


def _in_cell(lock: Pylock, cell: Cell) -> Iterator[Verdict]:
    """`select` ends at the first package that cannot be installed: the others are asked one by one."""
    try:
        yield from [_verdict(package, chosen, cell) for package, chosen in _select(lock, cell)]
    except PylockSelectError:
        for package in lock.packages:
            yield from _one(lock, package, cell)


def _one(lock: Pylock, package: Package, cell: Cell) -> Iterator[Verdict]:
    try:
        yield from [_verdict(found, chosen, cell) for found, chosen in _select(replace(lock, packages=[package]), cell)]
    except PylockSelectError as error:
        yield _impossible(package, cell, _reason(package, cell) or str(error))


def _select(lock: Pylock, cell: Cell) -> Iterator[tuple[Package, _Chosen]]:
    return lock.select(environment=cell.environment, tags=cell.tags)


def _reason(package: Package, cell: Cell) -> str:
    wanted = package.requires_python
    if wanted and not wanted.contains(cell.newest_patch):
        return f"it requires Python {wanted}"
    return "it has no sdist, and no wheel for this platform" if package.wheels else ""


def _verdict(package: Package, chosen: _Chosen, cell: Cell) -> Verdict:
    if isinstance(chosen, PackageArchive):
        return _of_archive(package, chosen, cell)
    version = str(package.version or "")
    if isinstance(chosen, PackageWheel):
        pure = all(tag.platform == "any" for tag in parse_wheel_filename(chosen.filename)[3])
        found = Verdict(package.name, version, cell, "pure" if pure else "wheel", chosen.filename)
        return replace(found, url=chosen.url or "", sha256=chosen.hashes.get("sha256", ""))
    found = Verdict(package.name, version, cell, "to build", _place(chosen))
    if isinstance(chosen, PackageSdist):
        return replace(found, url=chosen.url or "", sha256=chosen.hashes.get("sha256", ""))
    return found


def _of_archive(package: Package, chosen: PackageArchive, cell: Cell) -> Verdict:
    """A file that is named by its address may be a wheel of one platform."""
    place, version = _place(chosen), str(package.version or "")
    name = place.rpartition("/")[2]
    if not name.endswith(".whl"):
        sha256 = chosen.hashes.get("sha256", "")
        return Verdict(package.name, version, cell, "to build", place, url=place, sha256=sha256)
    try:
        tags = parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return _impossible(package, cell, f"{name} is not the name of a wheel")
    if tags.isdisjoint(cell.accepted_tags):
        return _impossible(package, cell, f"the requirement names {name}, which is for another platform")
    pure = all(tag.platform == "any" for tag in tags)
    sha256 = chosen.hashes.get("sha256", "")
    return Verdict(package.name, version, cell, "pure" if pure else "wheel", name, url=place, sha256=sha256)


def _impossible(package: Package, cell: Cell, reason: str) -> Verdict:
    return Verdict(
        package.name,
        str(package.version or ""),
        cell,
        "impossible",
        reason=reason,
    )


def _place(chosen: _Chosen) -> str:
    if isinstance(chosen, PackageVcs):
        return f"{chosen.type}+{chosen.url or chosen.path}"
    if isinstance(chosen, PackageDirectory):
        return chosen.path
    if isinstance(chosen, PackageSdist):
        return chosen.filename
    return (chosen.url or chosen.path or "").partition("#")[0] if isinstance(chosen, PackageArchive) else ""
