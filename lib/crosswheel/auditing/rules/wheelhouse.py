"""7xx: the wheels of one release together: problems that no single wheel shows."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidSdistFilename, NormalizedName, canonicalize_name, parse_sdist_filename
from packaging.version import Version

from crosswheel.auditing.rules.rule import Worded
from crosswheel.auditing.rules.tags import would_install
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

_DESCRIPTION, _ENTRY_POINTS = "Description", "entry_points.txt"
# Fields that may differ by backend version or platform, and that installers do not read.
_MAY_DIFFER = {"metadata-version", "dynamic", "platform", "supported-platform"}
_SHOWN = 60


@dataclass(frozen=True)
class Entry:
    """The facts of one wheel that set rules need: small enough to pass from a worker process.

    `fields` are the lines of METADATA by field name; `contents` is one hash of all installed files;
    `files` are their paths, relative to site-packages.
    """

    file: str
    name: NormalizedName
    version: Version
    build: tuple[()] | tuple[int, str]
    tags: frozenset[Tag]
    fields: Mapping[str, frozenset[str]]
    contents: str
    files: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wheelhouse:
    """The wheels of a folder; `sdists` has file names, None if sdists were not searched for.

    `targets` are the planned targets, empty if unknown; `sources` maps file names of sdists to names of their members.
    """

    wheels: tuple[Entry, ...]
    sdists: tuple[str, ...] | None = None
    targets: tuple[Target, ...] = ()
    sources: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)

    @cached_property
    def projects(self) -> Mapping[NormalizedName, tuple[Entry, ...]]:
        """The wheels by project, sorted by file name."""
        projects: dict[NormalizedName, tuple[Entry, ...]] = {}
        for wheel in sorted(self.wheels, key=lambda wheel: wheel.file):
            projects[wheel.name] = (*projects.get(wheel.name, ()), wheel)
        return projects

    @property
    def releases(self) -> Iterator[tuple[Entry, ...]]:
        """The wheels by project and version."""
        for wheels in self.projects.values():
            for version in sorted({wheel.version for wheel in wheels}):
                yield tuple(wheel for wheel in wheels if wheel.version == version)


def entry(wheel: Wheel) -> Entry:
    """The entry of a wheel; reads only the members METADATA, RECORD and entry_points.txt.

    Raises AuditFailed as `read_wheel` does.
    """
    return Entry(
        file=wheel.path.name,
        name=wheel.name,
        version=wheel.version,
        build=wheel.build,
        tags=wheel.tags,
        fields=_fields(wheel),
        contents=_contents(wheel),
        files=frozenset(map(wheel.installed, wheel.members)),
    )


class SetRule(Worded, ABC):
    """A rule for the wheels of a folder."""

    @abstractmethod
    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        """Yield a finding for every violation; its member is a file of the wheelhouse."""


class VersionsDiffer(SetRule):
    """The wheels of one project have several versions."""

    code = "W701"
    level = "warning"
    why = "The older wheels are left over from another run, and an upload of the folder includes them."
    fix = "empty the folder before a release, or audit and upload each version separately"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for wheels in wheelhouse.projects.values():
            newest = max(wheel.version for wheel in wheels)
            for wheel in wheels:
                if wheel.version != newest:
                    yield self.finding(member=wheel.file, found=str(wheel.version), expected=str(newest))


class MetadataDiffers(SetRule):
    """The metadata differs between the wheels of one release."""

    code = "W702"
    level = "warning"
    why = "The index shows the metadata of the first uploaded file, and lock files use one wheel's metadata for all."
    fix = "use environment markers for platform-dependent requirements, so that all wheels have the same metadata"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for wheels in wheelhouse.releases:
            for field in sorted({field for wheel in wheels for field in wheel.fields}):
                yield from self._compare(field, wheels)

    def _compare(self, field: str, wheels: tuple[Entry, ...]) -> Iterator[Finding]:
        """One finding per value that only a minority of the wheels has."""
        values = Counter(wheel.fields.get(field, frozenset()) for wheel in wheels)
        (usual, _), *others = values.most_common()
        for value, count in others:
            first = next(wheel for wheel in wheels if wheel.fields.get(field, frozenset()) == value)
            more = f" (and in {count - 1} more)" if count > 1 else ""
            yield self.finding(
                member=first.file,
                found=f"{field}: {_shown(value - usual)}{more}",
                expected=f"{field}: {_shown(usual - value)}",
            )


class TargetMissing(SetRule):
    """No wheel serves a target of the plan."""

    code = "W703"
    why = "pip on that target builds from the sdist instead, or finds no file."
    fix = "build the wheel: crosswheel wheels, with --python and the architecture of the target"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for name, wheels in wheelhouse.projects.items():
            there = frozenset(tag for wheel in wheels for tag in wheel.tags)
            for target in wheelhouse.targets:
                if not would_install(there, target):
                    yield self.finding(member=name, found="no wheel", expected=str(target))


class WheelTwice(SetRule):
    """Two wheels of one release share a tag."""

    code = "W704"
    why = "Installers cannot distinguish them and choose either."
    fix = "delete one, or give one a build number: `python -m wheel tags --build 1`"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for one, other in _pairs(wheelhouse):
            if one.build == other.build and one.tags & other.tags and not _covered(one, other):
                shared = ", ".join(sorted(map(str, one.tags & other.tags)))
                yield self.finding(member=other.file, found=f"{shared}, as {one.file}", expected="one wheel for a tag")


class Replaced(SetRule):
    """Another wheel with the same tags and a higher build number replaces this wheel."""

    code = "W705"
    level = "warning"
    why = "It is never installed: among wheels with the same tags, installers choose the highest build number."
    fix = "delete the wheel with the lower build number"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for wheels in wheelhouse.releases:
            for wheel in wheels:
                rivals = [rival for rival in wheels if rival.build > wheel.build and rival.tags >= wheel.tags]
                if rivals:
                    yield self.finding(member=wheel.file, found=f"{rivals[0].file} is newer", expected="one build")


class StableAbiCovered(SetRule):
    """A wheel for the stable ABI of ordinary CPython duplicates a wheel for all CPythons with the same tags."""

    code = "W710"
    level = "warning"
    why = "Installers may choose either on an ordinary CPython, so both must behave the same, and one is enough."
    fix = "publish only the wheel tagged abi3.abi3t (PEP 803)"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for one, other in _pairs(wheelhouse):
            if one.build == other.build and (covered := _covered(one, other)):
                wider = other if covered is one else one
                yield self.finding(member=covered.file, found=f"covered by {wider.file}", expected=wider.file)


class SameContents(SetRule):
    """Two wheels with different tags install exactly the same files."""

    code = "W706"
    level = "note"
    why = "One wheel with a compressed tag set could replace both; or one of them was renamed instead of built."
    fix = "give one wheel both tags: `python -m wheel tags --platform-tag=+TAG`"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for wheels in wheelhouse.releases:
            seen: dict[str, Entry] = {}
            for wheel in wheels:
                first = seen.setdefault(wheel.contents, wheel)
                if not first.tags & wheel.tags:
                    yield self.finding(
                        member=wheel.file, found=f"the files of {first.file}", expected="different files"
                    )


class SdistAbsent(SetRule):
    """There is no sdist beside the wheels."""

    code = "W707"
    level = "note"
    why = "Platforms without a wheel cannot install the project, and Linux distributions cannot package it."
    fix = "make one from the same commit: `python -m build --sdist`"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        if wheelhouse.sdists is None or _strangers(wheelhouse):  # an sdist with another name may be the missing one
            return
        there = {parsed[0] for sdist in wheelhouse.sdists if (parsed := _parsed(sdist))}
        for name, wheels in wheelhouse.projects.items():
            if name not in there:
                expected = _sdist_name(name, max(wheel.version for wheel in wheels))
                yield self.finding(member=name, found="no sdist", expected=expected)


class SdistDiffers(SetRule):
    """The project or version of an sdist differs from the wheels beside it."""

    code = "W708"
    level = "warning"
    why = "The wheels were not built from it, and an upload of the folder publishes both."
    fix = "delete it, or build the wheels from it"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        releases = {(wheel.name, wheel.version) for wheel in wheelhouse.wheels}
        for sdist in wheelhouse.sdists or ():
            parsed = _parsed(sdist)
            if releases and parsed and parsed not in releases:
                expected = ", ".join(f"{name} {version}" for name, version in sorted(releases))
                yield self.finding(member=sdist, found=f"{parsed[0]} {parsed[1]}", expected=expected)


class SdistMisnamed(SetRule):
    """The file name of an sdist is not normalised."""

    code = "W709"
    why = "The index accepts only NAME-VERSION.tar.gz, in lower case and with underscores (PEP 625)."
    fix = "build it with a recent version of the build backend: `python -m build --sdist`"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for sdist in wheelhouse.sdists or ():
            parsed = _parsed(sdist)
            expected = _sdist_name(*parsed) if parsed else "NAME-VERSION.tar.gz"
            if sdist != expected:
                yield self.finding(member=sdist, found=sdist, expected=expected)


def _pairs(wheelhouse: Wheelhouse) -> Iterator[tuple[Entry, Entry]]:
    return (pair for wheels in wheelhouse.releases for pair in itertools.combinations(wheels, 2))


def _covered(one: Entry, other: Entry) -> Entry | None:
    """The wheel of the two with the tag abi3 and the one with abi3.abi3t, if their other tags agree.

    cp315-abi3 beside cp315-abi3.abi3t: what a build with an ordinary and one with a free-threaded CPython make.
    """
    for narrow, wide in ((one, other), (other, one)):
        abis = {tag.abi for tag in narrow.tags}, {tag.abi for tag in wide.tags}
        if abis == ({"abi3"}, {"abi3", "abi3t"}) and narrow.tags < wide.tags:
            return narrow
    return None


def _strangers(wheelhouse: Wheelhouse) -> bool:
    parsed = [_parsed(sdist) for sdist in wheelhouse.sdists or ()]
    return any(one is None or one[0] not in wheelhouse.projects for one in parsed)


def _parsed(sdist: str) -> tuple[NormalizedName, Version] | None:
    try:
        return parse_sdist_filename(sdist)
    except InvalidSdistFilename:
        return None


def _sdist_name(name: NormalizedName, version: Version) -> str:
    return f"{name.replace('-', '_')}-{version}.tar.gz"


def _fields(wheel: Wheel) -> dict[str, frozenset[str]]:
    """METADATA and the entry points, normalised: order, line ends and spaces do not matter."""
    fields: dict[str, set[str]] = defaultdict(set)
    for field, value in wheel.metadata.items():
        if field.lower() not in _MAY_DIFFER:
            fields[field.title()].add(_plain(field.title(), " ".join(str(value).split())))
    fields[_DESCRIPTION] |= {" ".join(str(wheel.metadata.get_payload()).split())}
    fields[_ENTRY_POINTS] |= {" ".join(line.split()) for line in wheel.entry_points.splitlines() if line.strip()}
    return {field: frozenset(values - {""}) for field, values in fields.items()}


def _plain(field: str, value: str) -> str:
    """A requirement as `packaging` writes it, because build backends differ in quoting, spaces and names."""
    try:
        if field == "Requires-Dist":
            requirement = Requirement(value)
            requirement.name = canonicalize_name(requirement.name)
            return str(requirement)
        return str(SpecifierSet(value)) if field == "Requires-Python" else value
    except (InvalidRequirement, InvalidSpecifier, RecursionError):
        return value


def _contents(wheel: Wheel) -> str:
    """A hash of all files outside of the dist-info folder, which alone depends on the tags."""
    rows = sorted(f"{row.path},{row.digest}" for row in wheel.record if not row.path.startswith(f"{wheel.dist_info}/"))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _shown(values: frozenset[str]) -> str:
    """The values in one line each; long ones are cut."""
    return "; ".join(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}..." for value in sorted(values)) or "nothing"
