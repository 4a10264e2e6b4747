"""4xx: what the binaries want of the system they run on, and where they look for it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import Wheel
from crosswheel.model import Finding
from crosswheel.rules.loading import folders
from crosswheel.rules.promise import Promise, promises
from crosswheel.rules.rule import Rule
from crosswheel.targets import Target

SANITIZERS = ("__ubsan_", "__asan_", "__tsan_", "__msan_", "__lsan_", "__hwasan_")


# Only root writes there, on any machine.
_OF_THE_SYSTEM = re.compile(r"(?:/usr(?:/local)?)?/lib(?:64)?(?:/\w+-linux-(?:gnu|musl)\w*)?/*")


class PathOutside(Rule):
    """A binary looks for its libraries outside of the wheel."""

    code = "W401"
    why = "That folder is the build machine's; whoever can write to it on another machine has their code loaded."
    fix = "link without -rpath, or with one relative to $ORIGIN; auditwheel repair sets its own"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, path in _paths_outside(wheel):
            if not _OF_THE_SYSTEM.fullmatch(path):
                yield self.finding(member=member, found=path or "(the current folder)", expected="$ORIGIN/...")


class PathOfTheSystem(Rule):
    """A binary looks for its libraries in a folder of the system before all others."""

    code = "W409"
    level = "warning"
    why = "What happens to lie there is loaded in place of the library that the wheel was built and tested with."
    fix = "link without -rpath, or with one relative to $ORIGIN; auditwheel repair sets its own"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, path in _paths_outside(wheel):
            if _OF_THE_SYSTEM.fullmatch(path):
                yield self.finding(member=member, found=path, expected="$ORIGIN/...")


class TooNewSymbols(Rule):
    """A binary wants newer symbols than the oldest system in the tag has."""

    code = "W402"
    why = "On such a system the import fails: version `GLIBC_...' not found."
    fix = "build on an older image or with an older glibc as the target, or give the wheel a newer policy"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        inside = wheel.brought_along
        for promise in promises(wheel):
            for member, elf in _readable(wheel):
                for library, versions in elf.versions_needed.items():
                    if library in inside:
                        continue
                    for version in versions:
                        if not promise.allows_version(version):
                            yield self.finding(
                                member=member,
                                found=f"{version} of {library}",
                                expected=f"at most {promise.ceiling(version)} for {promise.name}",
                            )


class MissingLibrary(Rule):
    """A binary needs a library that is neither in the wheel nor on every system that the tag names."""

    code = "W403"
    why = "The import fails wherever that library does not happen to be installed."
    fix = "run auditwheel repair with the library in reach, so that a copy goes into the wheel; or link it statically"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for promise, member, elf, library in _missing(wheel):
            if not _looks_elsewhere(wheel, member, elf):
                expected = f"inside the wheel, or promised by {promise.name}"
                yield self.finding(member=member, found=library, expected=expected)


class LibraryElsewhere(Rule):
    """A binary needs a library that it expects in the folder of another project."""

    code = "W408"
    level = "warning"
    why = "The import fails unless a release of that project is installed which has the library under this name."
    fix = "require the other project by exact versions; switch this rule off if that is done"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for promise, member, elf, library in _missing(wheel):
            if folders_elsewhere := _looks_elsewhere(wheel, member, elf):
                found = f"{library} in {' or '.join(folders_elsewhere)}"
                yield self.finding(member=member, found=found, expected=f"inside, or promised by {promise.name}")


class SanitizerLeft(Rule):
    """A binary was compiled with a sanitizer whose runtime is not there."""

    code = "W404"
    why = "The import fails: undefined symbol. `zig cc` does this to every compilation without -O."
    fix = "compile with -fno-sanitize=all"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        there = {name for _, elf in _readable(wheel) for name in elf.defined}
        for member, elf in _readable(wheel):
            names = {symbol.name for symbol in elf.undefined if not symbol.weak} - there
            if found := sorted(name for name in names if name.startswith(SANITIZERS)):
                yield self.finding(member=member, found=", ".join(found), expected="no such symbols")


class ForbiddenSymbol(Rule):
    """A binary uses a symbol that some builds of a library have and others lack."""

    code = "W406"
    why = "The import fails: undefined symbol. The policy lists them, for distributions have been seen without."
    fix = "link the library statically or have auditwheel repair bring it along, or do without its internal functions"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        inside = wheel.brought_along
        for promise in promises(wheel):
            for member, elf in _readable(wheel):
                names = {symbol.name for symbol in elf.undefined if not symbol.weak}
                for library in elf.needed:
                    forbidden = promise.forbidden.get(library, frozenset()) if library not in inside else frozenset()
                    if found := sorted(names & forbidden):
                        yield self.finding(
                            member=member,
                            found=f"{', '.join(found)} of {library}",
                            expected=f"what every {promise.name} system has",
                        )


def _paths_outside(wheel: Wheel) -> Iterator[tuple[str, str]]:
    for member, elf in _readable(wheel):
        for path in (*elf.rpath, *elf.runpath):
            if not _stays_inside(path, wheel.installed(member)):
                yield member, path


def _missing(wheel: Wheel) -> Iterator[tuple[Promise, str, Elf, str]]:
    inside = wheel.brought_along
    for promise in promises(wheel):
        for member, elf in _readable(wheel):
            for library in elf.needed:
                if library not in inside and not promise.allows_library(library):
                    yield promise, member, elf, library


def _looks_elsewhere(wheel: Wheel, member: str, elf: Elf) -> list[str]:
    """Folders that the loader searches for it in site-packages, where no file of the wheel is, but of a requirement."""
    if not wheel.metadata.get_all("Requires-Dist"):
        return []
    searched = folders(elf.runpath or elf.rpath, posixpath.dirname(wheel.installed(member)))
    inside = {posixpath.normpath(folder) for folder in searched if not posixpath.normpath(folder).startswith("..")}
    own = {posixpath.dirname(wheel.installed(other)) for other in wheel.members}
    return sorted(inside - own - {"."})


def _readable(wheel: Wheel) -> Iterator[tuple[str, Elf]]:
    return ((member, elf) for member, elf in wheel.elves.items() if isinstance(elf, Elf))


def _stays_inside(path: str, installed: str) -> bool:
    """Whether a path of the loader, seen from the file it is written in, ends up in site-packages or below."""
    match = re.fullmatch(r"(?:\$ORIGIN|\$\{ORIGIN\})(/.*)?", path)
    if not match:
        return False
    folder = posixpath.normpath(posixpath.join(posixpath.dirname(installed), "." + (match[1] or "")))
    return folder.split("/")[0] != ".."
