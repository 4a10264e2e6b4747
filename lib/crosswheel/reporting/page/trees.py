"""The packages of a dependency tree by platform: those that lack a wheel first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crosswheel.reporting.verdict import Verdict, is_missing, tree_verdict

_MANY = 3


@dataclass(frozen=True)
class Standing:
    """A package on a platform; `pythons` are those that lack a wheel, empty if all do or none."""

    state: str
    symbol: str
    pythons: str = ""


@dataclass(frozen=True)
class Package:
    """A package with its standing on each platform."""

    name: str
    version: str
    standings: tuple[Standing, ...]
    required_by: tuple[str, ...]
    remedy: str
    is_missing: bool


@dataclass(frozen=True)
class TreePage:
    """What the page shows of a tree."""

    named: str
    verdict: Verdict
    platforms: tuple[str, ...]
    missing: tuple[Package, ...]
    ready: tuple[Package, ...]
    unsolved: tuple[tuple[str, str], ...]
    advice: tuple[tuple[str, str], ...]


def tree_page(tree: Mapping[str, Any]) -> TreePage:
    """Of a tree in the document of `readiness`."""
    grouped: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for each in tree["packages"]:
        grouped[each["name"], each["version"] or ""].append(each)
    lacking = Counter(_platform(each["cell"]) for each in tree["packages"] if is_missing(each))
    # Where most is missing comes first: a phone shows a platform or two.
    platforms = tuple(sorted(dict.fromkeys(map(_platform, tree["cells"])), key=lambda one: -lacking[one]))
    packages = [_package(*named, cells, platforms) for named, cells in sorted(grouped.items())]
    return TreePage(
        named=tree["named"],
        verdict=tree_verdict(tree),
        platforms=platforms,
        missing=tuple(package for package in packages if package.is_missing),
        ready=tuple(package for package in packages if not package.is_missing),
        unsolved=tuple((each["python"], each["reason"]) for each in tree["unsolved"]),
        advice=tuple(_advice(tree)),
    )


def _advice(tree: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What to change, with the cells that it is for."""
    cells: dict[str, list[str]] = defaultdict(list)
    for advice in tree["advice"]:
        pins = " ".join(f"{name}=={version}" for name, version in sorted(advice["pins"].items()))
        cells[f"no set of wheels alone: {advice['reason']}" if advice["reason"] else pins].append(advice["cell"])
    return [(text, ", ".join(those)) for text, those in cells.items()]


def _platform(cell: str) -> str:
    return cell.partition("-")[2]


def _package(name: str, version: str, cells: list[Mapping[str, Any]], platforms: tuple[str, ...]) -> Package:
    lacking = [each for each in cells if is_missing(each)]
    return Package(
        name=name,
        version=version,
        standings=tuple(_standing([each for each in cells if _platform(each["cell"]) == one]) for one in platforms),
        required_by=tuple(dict.fromkeys(by for each in cells for by in each["required_by"])),
        remedy="; ".join(dict.fromkeys(_remedy(each) for each in lacking)),
        is_missing=bool(lacking),
    )


def _standing(cells: list[Mapping[str, Any]]) -> Standing:
    lacking = [each for each in cells if is_missing(each)]
    if not cells:
        return Standing("not needed", "·")
    if not lacking:
        pure = all(each["state"] == "pure" for each in cells)
        return Standing("pure", "○") if pure else Standing("wheel", "✔")
    never = any(each["state"] == "impossible" for each in lacking)
    pythons = [each["cell"].partition("-")[0] for each in lacking]
    some = "" if len(lacking) == len(cells) else _short(pythons)
    return Standing("impossible", "⊘", some) if never else Standing("build it", "✘", some)


def _short(pythons: list[str]) -> str:
    return ", ".join(pythons) if len(pythons) <= _MANY else f"{pythons[0]} to {pythons[-1]}"


def _remedy(package: Mapping[str, Any]) -> str:
    newest = package["newest_with_wheel"]
    first = package["reason"] or "impossible" if package["state"] == "impossible" else "build it"
    return f"{first}; {newest} has a wheel" if newest and newest != package["version"] else first
