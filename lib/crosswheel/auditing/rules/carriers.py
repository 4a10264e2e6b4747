"""Libraries of other projects: the requirement of a wheel that provides one (data/carriers.toml)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crosswheel.errors import CrosswheelError
from crosswheel.formats.wheels import Wheel, named_wheel
from crosswheel.model.targets import load_table

_SHORTEST_NAME = 4  # letters of a library's name that is no coincidence


@dataclass(frozen=True)
class Carrier:
    """A row of data/carriers.toml."""

    projects: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    folder: str = ""
    environment: bool = False

    def is_called(self, project: str) -> bool:
        return any(fnmatchcase(project, pattern) for pattern in self.projects)

    def brings(self, library: str, searched: frozenset[str]) -> bool:
        within_reach = not self.folder or self.folder in searched
        return within_reach and any(fnmatchcase(library, pattern) for pattern in self.libraries)


def carrier_of(wheel: Wheel, library: str, searched: frozenset[str]) -> str:
    """The requirement that provides the library; empty if none is known.

    `searched` are the folders of the wheel's binaries and of their search paths.
    A wheel of the requirement beside this one decides. Otherwise the table decides, or the requirement is a part of
    this project: its name starts with the project's name, and it is pinned to one version. Or it has the name of the
    library: libtvm_ffi.so is of apache-tvm-ffi.
    """
    guesses = []
    for requirement in _requirements(wheel):
        name = canonicalize_name(requirement.name)
        beside = _libraries_beside(wheel, requirement)
        if beside is not None and library in beside:
            return name
        known = any(row.is_called(name) and row.brings(library, searched) for row in _table())
        part = name.startswith(wheel.name) and any(one.operator == "==" for one in requirement.specifier)
        if beside is None and (known or part or _bears_name(library, name)):
            guesses.append(name)
    # Of several candidates, the one with a similar name: libtinyxml2.so.11 comes from cmeel-tinyxml2.
    return min(guesses, key=lambda name: not any(part in library for part in name.split("-")[1:]), default="")


def _bears_name(library: str, project: str) -> bool:
    """Whether a library has the name of a project, or that of a part of it: libeckit_geo.so of eckitlib.

    A number behind .so is of a distribution's library: libprotobuf.so.32 is not in the wheel of protobuf.
    """
    stem = canonicalize_name(library.removeprefix("lib").removesuffix(".so"))
    own = project.removesuffix("lib").removeprefix("lib").strip("-")
    if not library.endswith(".so") or min(len(stem), len(own)) < _SHORTEST_NAME:
        return False
    return f"-{own}-" in f"-{stem}-" or f"-{stem}-" in f"-{own}-"


def brought_symbols(wheel: Wheel) -> tuple[str, ...]:
    """Patterns of symbols in a library that a requirement loads globally."""
    return tuple(
        pattern
        for requirement in _requirements(wheel)
        for row in _table()
        if row.is_called(canonicalize_name(requirement.name))
        for pattern in row.symbols
    )


def fills_environment(wheel: Wheel) -> bool:
    """Whether a requirement installs its libraries in the lib folder of the Python environment."""
    names = [canonicalize_name(requirement.name) for requirement in _requirements(wheel)]
    return any(row.environment and any(map(row.is_called, names)) for row in _table())


def _requirements(wheel: Wheel) -> Iterator[Requirement]:
    return filter(None, map(_parsed, map(str, wheel.metadata.get_all("Requires-Dist", []))))


def _parsed(line: str) -> Requirement | None:
    try:
        return Requirement(line)
    except (InvalidRequirement, RecursionError):  # reported by another rule
        return None


def _libraries_beside(wheel: Wheel, requirement: Requirement) -> frozenset[str] | None:
    """The file names in wheels beside this one that satisfy the requirement; None if there is no such wheel."""
    fitting = [other for other in map(_named, wheel.beside) if other and _fits(other, wheel, requirement)]
    return frozenset().union(*(_file_names(other.path) for other in fitting)) if fitting else None


def _fits(other: Wheel, wheel: Wheel, requirement: Requirement) -> bool:
    return (
        other.name == canonicalize_name(requirement.name)
        and requirement.specifier.contains(other.version, prereleases=True)
        and not set(other.architectures).isdisjoint(wheel.architectures)
    )


@functools.cache
def _named(path: Path) -> Wheel | None:
    try:
        return named_wheel(path)
    except CrosswheelError:
        return None


def _file_names(path: Path) -> frozenset[str]:
    try:
        found = path.stat()
        return _file_names_of(path, found.st_ino, found.st_size, found.st_mtime_ns)
    except (CrosswheelError, OSError):  # reported when this wheel is audited itself
        return frozenset()


@functools.cache
def _file_names_of(path: Path, *_state: int) -> frozenset[str]:
    """The names of a file in that state: another audit in the same process may find another file there."""
    return frozenset(member.rpartition("/")[2] for member in named_wheel(path).members)


@functools.cache
def _table() -> tuple[Carrier, ...]:
    return tuple(
        Carrier(
            projects=tuple(row["projects"]),
            libraries=tuple(row.get("libraries", ())),
            symbols=tuple(row.get("symbols", ())),
            folder=row.get("folder", ""),
            environment=row.get("environment", False),
        )
        for row in load_table("carriers.toml")["carrier"]
    )
