"""4xx: what the binaries require of the system, and where they search for it."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from crosswheel.auditing.rules.carriers import carrier_of, fills_environment
from crosswheel.auditing.rules.places import (
    folder_of,
    folders,
    from_origin,
    goes_by_name,
    settled,
    stays_in_environment,
    stays_in_site_packages,
)
from crosswheel.auditing.rules.promise import Promise, promises
from crosswheel.auditing.rules.rule import Rule, Worded
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

SANITIZERS = ("__ubsan_", "__asan_", "__tsan_", "__msan_", "__lsan_", "__hwasan_")


# Only root can write to these folders.
_IN_SITE_PACKAGES = re.compile(r"^/.*/(?:site|dist)-packages(?:/(.*))?$")
_SHOWN = 5
_OF_THE_SYSTEM = re.compile(r"(?:/usr(?:/local)?)?/lib(?:64)?(?:/\w+-linux-(?:gnu|musl)\w*)?/*")


class PathOutside(Rule):
    """A binary searches for libraries outside of the wheel."""

    code = "W401"
    why = "On another machine that folder is missing or different, and anybody who can write to it can inject code."
    fix = "link without -rpath, or with one relative to $ORIGIN; auditwheel repair sets its own"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, path in _paths_outside(wheel):
            if _OF_THE_SYSTEM.fullmatch(path):
                continue
            origin = posixpath.dirname(wheel.installed(member))
            installed = _IN_SITE_PACKAGES.search(path)
            found = f"{path} (site-packages of the build machine)" if installed else path
            expected = from_origin(settled(installed[1] or "."), origin) if installed else "$ORIGIN/..."
            yield self.finding(member=member, found=found or "(the current folder)", expected=expected)


class PathInEnvironment(Rule):
    """A binary searches for libraries in the Python environment, but outside of site-packages."""

    code = "W410"
    level = "warning"
    why = "The content of that folder depends on the environment: libraries of conda, a distribution or another wheel."
    fix = "leave the path out; if another wheel installs libraries there (as mkl does), require that wheel"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        own = {posixpath.dirname(wheel.installed(member)) for member in wheel.elves}
        filled = fills_environment(wheel)
        for member, elf in _readable(wheel):
            origin = posixpath.dirname(wheel.installed(member))
            for path in dict.fromkeys((*elf.rpath, *elf.runpath)):
                folder = folder_of(path, origin)
                if folder is None or folder in own:
                    continue
                if goes_by_name(path, origin):
                    expected = from_origin(folder, origin)
                elif stays_in_site_packages(folder) or not stays_in_environment(folder) or filled:
                    continue
                else:
                    expected = "a path into site-packages"
                yield self.finding(member=member, found=path, expected=expected)


class PathOfTheSystem(Rule):
    """A binary searches a folder of the system before all others."""

    code = "W409"
    level = "warning"
    why = "A library in that folder is loaded instead of the one that the wheel was built and tested with."
    fix = "link without -rpath, or with one relative to $ORIGIN; auditwheel repair sets its own"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, path in _paths_outside(wheel):
            if _OF_THE_SYSTEM.fullmatch(path):
                yield self.finding(member=member, found=path, expected="$ORIGIN/...")


class TooNewSymbols(Rule):
    """A binary needs newer symbol versions than the tag allows."""

    code = "W402"
    why = "On the oldest systems of the tag the import fails: version `GLIBC_...' not found."
    fix = "build in an older image or for an older glibc, or give the wheel a newer policy"

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
                                expected=f"{promise.ceiling(version)} for {promise.name}",
                            )


class MissingLibrary(Rule):
    """A binary needs a library that is neither in the wheel nor on every system that the tag names."""

    code = "W403"
    why = "The import fails on systems where that library is not installed."
    fix = "run auditwheel repair where the library is installed: it adds a copy to the wheel; or link it statically"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for promise, member, library, carrier in _missing(wheel):
            if not carrier:
                expected = f"inside the wheel, or in {promise.name}"
                yield self.finding(member=member, found=library, expected=expected)


class LibraryExcluded(Worded):
    """A binary needs a library that the option `exclude` leaves to the users."""

    # Nothing to check in a wheel alone: MissingLibrary finds it, and whoever has the option knows.
    code = "W411"
    level = "note"
    why = "The import fails where the library is not installed, and the wheel cannot say that it needs it."
    fix = "tell users in the readme what to install; take the pattern out of `exclude` if the library should be grafted"


def excluding(finding: Finding, patterns: Sequence[str]) -> Finding:
    """The finding, or a note in its place where it is of a missing library that one of the patterns names."""
    if finding.rule != MissingLibrary.code:
        return finding
    pattern = next((pattern for pattern in patterns if fnmatchcase(finding.found, pattern)), "")
    expected = f"with the users, by exclude = {pattern}"
    excluded = LibraryExcluded().finding(member=finding.member, found=finding.found, expected=expected)
    return excluded if pattern else finding


class LibraryElsewhere(Rule):
    """A binary needs a library from another project, which the wheel requires."""

    code = "W408"
    level = "warning"
    why = "The import fails unless a release of that project with a library of this name is installed."
    fix = "require exact versions of the other project; then switch this rule off"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """One finding per project, because the binaries usually need the same few libraries."""
        binaries: dict[str, list[str]] = defaultdict(list)
        libraries: dict[str, list[str]] = defaultdict(list)
        for _, member, library, carrier in _missing(wheel):
            binaries[carrier].append(member)
            libraries[carrier].append(library)
        for carrier in sorted(binaries.keys() - {""}):
            count = len(set(binaries[carrier]))
            yield self.finding(
                member=binaries[carrier][0],
                found=f"{_some(sorted(set(libraries[carrier])))} of {carrier}"
                + (f", for {count} binaries" if count > 1 else ""),
                expected="inside the wheel, or in its policy",
            )


class SanitizerLeft(Rule):
    """A binary was compiled with a sanitizer, but the sanitizer's runtime is missing."""

    code = "W404"
    why = "The import fails: undefined symbol. `zig cc` enables a sanitizer in every compilation without -O."
    fix = "compile with -fno-sanitize=all"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        there = {name for _, elf in _readable(wheel) for name in elf.defined}
        for member, elf in _readable(wheel):
            names = {symbol.name for symbol in elf.undefined if not symbol.weak} - there
            if found := sorted(name for name in names if name.startswith(SANITIZERS)):
                yield self.finding(member=member, found=", ".join(found), expected="no such symbols")


class ForbiddenSymbol(Rule):
    """A binary uses a symbol that the policy forbids, because some builds of the library lack it."""

    code = "W406"
    why = "On systems with such a build the import fails: undefined symbol."
    fix = "link the library statically, let auditwheel repair add it to the wheel, or avoid its internal functions"

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
                            expected=f"symbols of every {promise.name} system",
                        )


def _paths_outside(wheel: Wheel) -> Iterator[tuple[str, str]]:
    """The search paths out of the environment, with the binaries that have them."""
    for member, elf in _readable(wheel):
        for path in dict.fromkeys((*elf.rpath, *elf.runpath)):
            folder = folder_of(path, posixpath.dirname(wheel.installed(member)))
            if folder is None or not stays_in_environment(folder):
                yield member, path


def _missing(wheel: Wheel) -> Iterator[tuple[Promise, str, str, str]]:
    """External libraries that no policy allows: promise, binary, library, and the requirement that provides it."""
    inside = wheel.brought_along
    searched = frozenset(folder for member, elf in _readable(wheel) for folder in _searched(wheel, member, elf))
    carriers: dict[str, str] = {}
    for promise in promises(wheel):
        for member, elf in _readable(wheel):
            for library in elf.needed:
                if library not in inside and not promise.allows_library(library):
                    if library not in carriers:
                        carriers[library] = carrier_of(wheel, library, searched)
                    yield promise, member, library, carriers[library]


def _searched(wheel: Wheel, member: str, elf: Elf) -> tuple[str, ...]:
    """All folders searched: the paths of one binary serve all, as a loaded library is not searched for again."""
    folder = posixpath.dirname(wheel.installed(member))
    return (folder, *folders((*elf.runpath, *elf.rpath), folder))


def _readable(wheel: Wheel) -> Iterator[tuple[str, Elf]]:
    return ((member, elf) for member, elf in wheel.elves.items() if isinstance(elf, Elf))


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
