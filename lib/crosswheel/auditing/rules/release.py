"""8xx: the files of one release, compared with their sources and with the rules of an index."""

from __future__ import annotations

import posixpath
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from crosswheel.auditing.rules.rule import Worded
from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.model.index_limits import pypi_limits
from crosswheel.model.job import Finding
from crosswheel.system.git import Checkout

_SHOWN = 3  # lines of a renderer's messages


@dataclass(frozen=True)
class Described:
    """twine's verdict on a file: why it refuses the file, missing fields, and mistakes in the description.

    `name`, `version`, `metadata_version` and `licences` (License-File, PEP 639) are from the file's metadata;
    `members` has the names of all members of an sdist, `sparse` those of the sparse ones.
    """

    refused: str = ""
    missing: tuple[str, ...] = ()
    unrendered: tuple[str, ...] = ()
    name: str = ""
    version: str = ""
    metadata_version: str = ""
    licences: tuple[str, ...] = ()
    members: frozenset[str] = frozenset()
    sparse: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """The files to be published: one version of one project.

    `described` is by file name; `checkout` is the commit it is made from, or the reason why that is unknown.
    """

    distributions: tuple[Distribution, ...]
    described: Mapping[str, Described] = field(default_factory=dict)
    checkout: Checkout | str = "not checked"
    tag_format: str = "v{version}"
    builds: tuple[Build, ...] = ()

    @property
    def name(self) -> NormalizedName:
        return self.distributions[0].name

    @property
    def version(self) -> Version:
        return self.distributions[0].version

    @property
    def wheels(self) -> Iterator[Distribution]:
        return (file for file in self.distributions if file.kind == "wheel")

    @property
    def sdists(self) -> Iterator[Distribution]:
        return (file for file in self.distributions if file.kind == "sdist")


class ReleaseRule(Worded, ABC):
    """A rule for a release; the member of its findings is a file of the release, or the project."""

    @abstractmethod
    def check(self, release: Release) -> Iterator[Finding]:
        """Yield a finding for every violation."""


class Unsendable(ReleaseRule):
    """twine cannot read the metadata of the file, or finds it invalid."""

    code = "W801"
    why = "The index applies the same rules and refuses the file."
    fix = "correct pyproject.toml and build again with a recent version of the build backend"

    def check(self, release: Release) -> Iterator[Finding]:
        for file, described in release.described.items():
            if described.refused:
                yield self.finding(member=file, found=described.refused, expected="valid metadata")


class DescriptionUnrendered(ReleaseRule):
    """The markup of the long description has mistakes."""

    code = "W802"
    why = "The index refuses the upload, or shows the text without markup."
    fix = "correct the readme; `twine check` shows the lines of the mistakes"

    def check(self, release: Release) -> Iterator[Finding]:
        for file, described in release.described.items():
            if described.unrendered:
                more = f" and {rest} more" if (rest := len(described.unrendered) - _SHOWN) > 0 else ""
                found = "; ".join(described.unrendered[:_SHOWN]) + more
                yield self.finding(member=file, found=found, expected="markup that renders")


class DescriptionMissing(ReleaseRule):
    """The long description is missing, or its content type is."""

    code = "W803"
    level = "warning"
    why = "The project's page is empty or shows raw markup, and `twine check --strict` fails."
    fix = "set `readme` under [project] to a file name; its suffix states the content type"

    def check(self, release: Release) -> Iterator[Finding]:
        for file, described in release.described.items():
            for missing in described.missing:
                yield self.finding(member=file, found=missing, expected="a description and its content type")


class SdistTooLarge(ReleaseRule):
    """The sdist is larger than the package index's default limit for a file."""

    code = "W804"
    why = "The index refuses the upload, perhaps after it has accepted the wheels."
    fix = "leave out files that no build needs, or ask the index for a higher limit"

    def check(self, release: Release) -> Iterator[Finding]:
        limit = pypi_limits().file_size
        for sdist in release.sdists:
            if sdist.size > limit:
                yield self.finding(
                    member=sdist.filename, found=f"{sdist.size} bytes", expected=f"at most {limit} bytes"
                )


class SdistDisagrees(ReleaseRule):
    """The project or version in the sdist's metadata differs from its file name, or is spelled differently."""

    code = "W805"
    why = "The index refuses the file, and installers that get it elsewhere fail after building it."
    fix = "build the sdist again instead of renaming it: `python -m build --sdist`"

    def check(self, release: Release) -> Iterator[Finding]:
        for sdist in release.sdists:
            told = release.described.get(sdist.filename, Described())
            if told.name and (canonicalize_name(told.name), _spelled(told.version)) != (sdist.name, str(sdist.version)):
                found = f"{told.name} {told.version}"
                yield self.finding(member=sdist.filename, found=found, expected=f"{sdist.name} {sdist.version}")


class WheelAbsent(ReleaseRule):
    """There is no wheel beside the sdist."""

    code = "W806"
    why = "Users have to compile the project, and need its compilers and libraries."
    fix = "build wheels into the same folder: crosswheel wheels"

    def check(self, release: Release) -> Iterator[Finding]:
        if not any(release.wheels):
            yield self.finding(member=release.name, found="no wheel", expected="a wheel for every target")


class TagDiffers(ReleaseRule):
    """The version of the commit's tag differs from the version of the files."""

    code = "W807"
    why = "The tagged sources of the version are not the released sources."
    fix = "check out the tag of this version, or build the files again from the current commit"

    def check(self, release: Release) -> Iterator[Finding]:
        if isinstance(release.checkout, str) or release.checkout.tag_of(release.version, release.tag_format):
            return
        if others := release.checkout.versions(release.tag_format):
            expected = release.tag_format.format(version=release.version)
            yield self.finding(member=release.name, found=", ".join(others), expected=expected)


class TagAbsent(ReleaseRule):
    """No tag on the commit names the version."""

    code = "W808"
    level = "note"
    why = "`release` publishes tagged commits only, so that the sources of every version can be found."
    fix = "commit everything and tag it with `git tag` right before the release"

    def check(self, release: Release) -> Iterator[Finding]:
        expected = release.tag_format.format(version=release.version)
        if isinstance(release.checkout, str):
            yield self.finding(member=release.name, found=release.checkout, expected=expected)
        elif not release.checkout.versions(release.tag_format):
            yield self.finding(
                member=release.name, found=f"no tag on {release.checkout.commit[:12]}", expected=expected
            )


class NotAsBuilt(ReleaseRule):
    """The wheel has changed since it was built and tested."""

    code = "W809"
    level = "warning"
    why = "The test results in the report are for a different file."
    fix = "build it again: crosswheel wheels"

    def check(self, release: Release) -> Iterator[Finding]:
        made = {build.file: build.sha256 for build in release.builds if build.file}
        for wheel in release.wheels:
            if (expected := made.get(wheel.filename, wheel.sha256)) != wheel.sha256:
                yield self.finding(member=wheel.filename, found=f"sha256 {wheel.sha256}", expected=f"sha256 {expected}")


class MetadataTooNew(ReleaseRule):
    """The package index does not accept this version of the core metadata yet."""

    code = "W810"
    level = "warning"
    why = "PyPI and TestPyPI refuse the upload, although the metadata follows a standard."
    fix = "make the build backend write an older version: by an option (hatchling: core-metadata-version), or pin it"

    def check(self, release: Release) -> Iterator[Finding]:
        taken = pypi_limits().metadata_versions
        for file, described in release.described.items():
            if described.metadata_version and described.metadata_version not in taken:
                yield self.finding(
                    member=file, found=f"Metadata-Version {described.metadata_version}", expected=f"at most {taken[-1]}"
                )


class SparseMember(ReleaseRule):
    """The sdist has sparse members: files stored without their holes."""

    code = "W811"
    why = "The sdist standard does not allow them, programs unpack them differently, and the index refuses the file."
    fix = "make the sdist with its build backend instead of `tar --sparse`, or with a newer version of the backend"

    def check(self, release: Release) -> Iterator[Finding]:
        for sdist in release.sdists:
            for member in release.described.get(sdist.filename, Described()).sparse[:_SHOWN]:
                yield self.finding(member=sdist.filename, found=f"{member} is sparse", expected="regular files")


class LicenceNotInside(ReleaseRule):
    """A licence file that the sdist's metadata names is missing."""

    code = "W812"
    why = "The index refuses the file (PEP 639), and redistributors lack the licence text."
    fix = "make the build backend add every file of license-files to the sdist"

    def check(self, release: Release) -> Iterator[Finding]:
        for sdist in release.sdists:
            told = release.described.get(sdist.filename, Described())
            top = posixpath.commonpath(told.members) if told.members else ""
            for licence in told.licences:
                if f"{top}/{licence}" not in told.members:
                    yield self.finding(
                        member=sdist.filename, found=f"no {top}/{licence}", expected="every License-File of PKG-INFO"
                    )


def _spelled(version: str) -> str:
    """The name as it appears in a file name (PEP 625)."""
    try:
        return str(Version(version))
    except InvalidVersion:
        return version
