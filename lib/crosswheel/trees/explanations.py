"""Explains missing wheels: which versions of a package have one for the cell, and what its maker offers instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from crosswheel.errors import CrosswheelError
from crosswheel.system.package_index import Index
from crosswheel.trees.cells import Cell
from crosswheel.trees.verdicts import Verdict

if TYPE_CHECKING:
    from packaging.tags import Tag
    from pypi_simple import DistributionPackage

_TOGETHER = 8  # pages that are read at the same time


@dataclass(frozen=True)
class Explanation:
    """What an index has of a package for a cell; both versions are empty if it has none.

    `newest` is the newest final version with a wheel for the cell, `lacking` says why the index gave no answer.
    """

    newest: str = ""
    lacking: str = ""

    def is_newer(self, version: str) -> bool:
        """Whether a version after `version` has a wheel: the pin can move up."""
        try:
            return bool(self.newest) and Version(self.newest) > Version(version)
        except InvalidVersion:
            return False


def explain(missing: Sequence[Verdict], index: Index) -> Mapping[Verdict, Explanation]:
    """An explanation for each missing package; each index page is read once."""
    by_name = {name: list(group) for name, group in groupby(sorted(missing, key=_name), key=_name)}
    with ThreadPoolExecutor(max_workers=_TOGETHER) as pool:
        pages = pool.map(lambda name: _page(name, index), by_name)
        return dict(
            pair for group, page in zip(by_name.values(), pages, strict=True) for pair in _explained(group, page)
        )


def _name(verdict: Verdict) -> str:
    return verdict.name


def _page(name: str, index: Index) -> list[DistributionPackage] | str:
    try:
        return index.files_of(name)
    except CrosswheelError as error:
        return error.message.partition("\n")[0]


def _explained(
    verdicts: Iterable[Verdict], page: list[DistributionPackage] | str
) -> Iterator[tuple[Verdict, Explanation]]:
    if isinstance(page, str):
        yield from ((verdict, Explanation(lacking=page)) for verdict in verdicts)
        return
    wheels = sorted(_wheels(page), key=lambda wheel: wheel[0], reverse=True)
    newest: dict[Cell, str] = {}
    for verdict in verdicts:
        if verdict.cell not in newest:
            newest[verdict.cell] = _newest(wheels, verdict.cell)
        yield verdict, Explanation(newest[verdict.cell])


def _wheels(page: Iterable[DistributionPackage]) -> Iterator[tuple[Version, frozenset[Tag], DistributionPackage]]:
    """Final versions that are not yanked."""
    for package in page:
        if package.filename.endswith(".whl") and not package.is_yanked:
            try:
                _, version, _, tags = parse_wheel_filename(package.filename)
            except InvalidWheelFilename:
                continue
            if not version.is_prerelease:
                yield version, tags, package


def _newest(wheels: Iterable[tuple[Version, frozenset[Tag], DistributionPackage]], cell: Cell) -> str:
    accepted = frozenset(cell.tags)
    for version, tags, package in wheels:
        if not tags.isdisjoint(accepted) and _allows(package.requires_python, cell):
            return str(version)
    return ""


def _allows(requires_python: str | None, cell: Cell) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(requires_python or "").contains(cell.environment["python_full_version"])
    except InvalidSpecifier:
        return True
