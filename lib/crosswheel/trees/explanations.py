"""Explains missing wheels: which versions of a package have one for the cell, and what its maker offers instead."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import packaging
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from crosswheel.errors import CrosswheelError
from crosswheel.system.memo import Answers
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


def explain(missing: Sequence[Verdict], indexes: Sequence[Index], answers: Answers) -> Mapping[Verdict, Explanation]:
    """An explanation for each missing package; its page on each index is read once.

    `answers` has what earlier runs read; it counts as long as the index allows (Cache-Control).
    """
    by_name = {name: list(group) for name, group in groupby(sorted(missing, key=_name), key=_name)}
    with ThreadPoolExecutor(max_workers=_TOGETHER) as pool:
        asked = [
            [pool.submit(_ask, name, index, _cells(group), answers) for index in indexes]
            for name, group in by_name.items()
        ]
        told = [[future.result() for future in futures] for futures in asked]
    return {
        verdict: _explanation(verdict, said)
        for group, said in zip(by_name.values(), told, strict=True)
        for verdict in group
    }


def _name(verdict: Verdict) -> str:
    return verdict.name


def _cells(verdicts: Iterable[Verdict]) -> tuple[Cell, ...]:
    return tuple(dict.fromkeys(verdict.cell for verdict in verdicts))


def _ask(name: str, index: Index, cells: Sequence[Cell], answers: Answers) -> Mapping[str, str] | str:
    """By cell, the newest version with a wheel on one index; or why there is no answer."""
    question = ("newest-wheels", index.place, name, packaging.__version__, *(cell.name for cell in cells))
    if (known := answers.recall(*question)) and time.time() < known["until"]:
        return dict(known["newest"])
    try:
        page, fresh = index.page_of(name)
    except CrosswheelError as error:
        return error.message.partition("\n")[0]
    wheels = sorted(_wheels(page.packages), key=lambda wheel: wheel[0], reverse=True)
    newest = {cell.name: _newest(wheels, cell) for cell in cells}
    if fresh:
        answers.keep({"until": time.time() + fresh, "newest": newest}, *question)
    return newest


def _explanation(verdict: Verdict, said: Sequence[Mapping[str, str] | str]) -> Explanation:
    """What all indexes say together."""
    answered = [answer for answer in said if not isinstance(answer, str)]
    if said and not answered:
        return Explanation(lacking=str(said[0]))
    newest = [answer[verdict.cell.name] for answer in answered if answer[verdict.cell.name]]
    return Explanation(max(newest, key=Version, default=""))


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
    accepted = cell.accepted_tags
    for version, tags, package in wheels:
        if not tags.isdisjoint(accepted) and _allows(package.requires_python, cell):
            return str(version)
    return ""


def _allows(requires_python: str | None, cell: Cell) -> bool:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        return SpecifierSet(requires_python or "").contains(cell.newest_patch)
    except InvalidSpecifier:
        return True
