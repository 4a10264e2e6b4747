"""4xx: whether the dynamic loader finds the libraries inside a wheel (ld.so(8))."""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from crosswheel.auditing.rules.machine import judged
from crosswheel.auditing.rules.places import folders, settled
from crosswheel.auditing.rules.promise import Promise, promises
from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target


class LibraryNotFound(Rule):
    """A binary needs a library of the wheel, but none of its search paths leads to it."""

    code = "W407"
    level = "warning"
    why = "The import fails, unless the package has loaded that library before."
    fix = "run auditwheel repair, or link with -rpath '$ORIGIN/...' and name the file as in DT_NEEDED"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        loader = _Loader(wheel)
        told: set[tuple[str, str]] = set()
        for root, elf in judged(wheel):
            if root in loader.needed:
                continue  # it is loaded with another binary, whose DT_RPATH may lead to its libraries
            for member, library in loader.missed(root, elf):
                if (member, library) not in told and not loader.found_in_system(member, library):
                    told.add((member, library))
                    yield self.finding(member=member, found=library, expected=f"a path to {loader.brought[library]}")


@dataclass(frozen=True)
class _Loaded:
    """A loaded binary; `inherited` are the folders in the DT_RPATH of the binaries that loaded it."""

    member: str
    elf: Elf
    folder: str
    inherited: tuple[str, ...] = ()

    @property
    def bequeathed(self) -> tuple[str, ...]:
        own = () if self.elf.runpath else folders(self.elf.rpath, self.folder)
        return (*own, *self.inherited)

    @property
    def searched(self) -> tuple[str, ...]:
        return folders(self.elf.runpath, self.folder) if self.elf.runpath else self.bequeathed


@dataclass(frozen=True)
class _Loader:
    wheel: Wheel

    def missed(self, root: str, elf: Elf) -> Iterator[tuple[str, str]]:
        """Members that a binary loads, each with the libraries of the wheel that the loader does not find for it.

        A library that is loaded already, by its file name or its soname, is not searched for again.
        """
        names = {elf.soname, posixpath.basename(root)}
        waiting = deque([self._loaded(root, elf)])
        missed: list[tuple[str, str]] = []
        while waiting:
            binary = waiting.popleft()
            for library in binary.elf.needed:
                if library in names or library not in self.brought:
                    continue
                if found := self._find(library, binary.searched):
                    member, there = found
                    names |= {library, there.soname}
                    waiting.append(self._loaded(member, there, binary.bequeathed))
                else:
                    missed.append((binary.member, library))
        return (pair for pair in missed if pair[1] not in names)

    def found_in_system(self, member: str, library: str) -> bool:
        """Whether every system of the tag has the library, and the symbol versions that the member needs of it."""
        elf = self.wheel.elves[member]
        versions = elf.versions_needed.get(library, ()) if isinstance(elf, Elf) else ()
        return bool(self._promises) and all(
            promise.allows_library(library) and all(map(promise.allows_version, versions)) for promise in self._promises
        )

    @cached_property
    def _promises(self) -> tuple[Promise, ...]:
        return tuple(promises(self.wheel))

    @cached_property
    def needed(self) -> frozenset[str]:
        """The members that other members need."""
        names = {library for _, elf in self._binaries for library in elf.needed}
        return frozenset(self.brought[library] for library in names if library in self.brought)

    @cached_property
    def brought(self) -> Mapping[str, str]:
        """The libraries of the wheel, by soname and by file name."""
        by_soname = {elf.soname: member for member, elf in self._binaries}
        return by_soname | {posixpath.basename(member): member for member, _ in self._binaries}

    @cached_property
    def _installed(self) -> Mapping[str, tuple[str, Elf]]:
        return {self.wheel.installed(member): (member, elf) for member, elf in self._binaries}

    @property
    def _binaries(self) -> Iterator[tuple[str, Elf]]:
        return ((member, elf) for member, elf in self.wheel.elves.items() if isinstance(elf, Elf))

    def _loaded(self, member: str, elf: Elf, inherited: tuple[str, ...] = ()) -> _Loaded:
        return _Loaded(member, elf, posixpath.dirname(self.wheel.installed(member)), inherited)

    def _find(self, library: str, folders: tuple[str, ...]) -> tuple[str, Elf] | None:
        places = (settled(posixpath.join(folder, library)) for folder in folders)
        return next((self._installed[place] for place in places if place in self._installed), None)
