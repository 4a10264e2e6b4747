"""8xx: the files of one release, held against what they were made from and what an index takes."""

from __future__ import annotations

import posixpath
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from crosswheel.audit.rules.rule import Worded
from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.model.index_limits import pypi_limits
from crosswheel.model.job import Finding
from crosswheel.system.git import Checkout

_SHOWN = 3  # lines of what a renderer complains of


@dataclass(frozen=True)
class Described:
    """What twine says of a file: why it would not send it, what is missing, and why the description cannot be shown.

    `name`, `version`, `metadata_version` and `licences` (License-File, PEP 639) are those of its metadata; `members`
    and `sparse` are names of members of an sdist, all of them and the sparse ones.
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
    """What is about to be published: one project, one version.

    `described` by file name; `checkout` is the commit that it is made from, or why that is not known.
    """

    distributions: tuple[Distribution, ...]
    described: Mapping[str, Described] = field(default_factory=dict)
    checkout: Checkout | str = "nobody looked"
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
    """One thing that can be wrong with a release; the member of its findings is a file of it, or the project."""

    @abstractmethod
    def check(self, release: Release) -> Iterator[Finding]:
        """Every place where the release breaks the rule."""


class Unsendable(ReleaseRule):
    """twine cannot read the metadata of the file, or finds it invalid."""

    code = "W801"
    why = "The index judges by the same rules, and refuses the file."
    fix = "correct pyproject.toml and build anew with a recent version of the build backend"

    def check(self, release: Release) -> Iterator[Finding]:
        for file, described in release.described.items():
            if described.refused:
                yield self.finding(member=file, found=described.refused, expected="valid metadata")


class DescriptionUnrendered(ReleaseRule):
    """The long description has mistakes in its markup."""

    code = "W802"
    why = "The index refuses the upload, or shows the text as it stands."
    fix = "correct the readme; `twine check` tells the lines of one without building it anew"

    def check(self, release: Release) -> Iterator[Finding]:
        for file, described in release.described.items():
            if described.unrendered:
                more = f" and {rest} more" if (rest := len(described.unrendered) - _SHOWN) > 0 else ""
                found = "; ".join(described.unrendered[:_SHOWN]) + more
                yield self.finding(member=file, found=found, expected="markup that renders")


class DescriptionMissing(ReleaseRule):
    """There is no long description, or nothing says what kind of text it is."""

    code = "W803"
    why = "The project's page stays empty, or shows markup as text; `twine check --strict` fails for it."
    fix = "set `readme` under [project]: a file name with a suffix says what kind of text it is"

    def check(self, release: Release) -> Iterator[Finding]:
        for file, described in release.described.items():
            for missing in described.missing:
                yield self.finding(member=file, found=missing, expected="a description and its content type")


class SdistTooLarge(ReleaseRule):
    """The sdist is larger than what the package index takes from a project that has not asked for more."""

    code = "W804"
    why = "The upload is refused, perhaps after those of the wheels."
    fix = "leave out what no build needs, or ask the index for a higher limit"

    def check(self, release: Release) -> Iterator[Finding]:
        limit = pypi_limits().file_size
        for sdist in release.sdists:
            if sdist.size > limit:
                yield self.finding(
                    member=sdist.filename, found=f"{sdist.size} bytes", expected=f"at most {limit} bytes"
                )


class SdistDisagrees(ReleaseRule):
    """The metadata of the sdist is of another project or version than its file name, or spells it differently."""

    code = "W805"
    why = "The index refuses the file, and installers that take it from elsewhere stop when they have built it."
    fix = "do not rename an sdist; build it: `python -m build --sdist`"

    def check(self, release: Release) -> Iterator[Finding]:
        for sdist in release.sdists:
            told = release.described.get(sdist.filename, Described())
            if told.name and (canonicalize_name(told.name), _spelled(told.version)) != (sdist.name, str(sdist.version)):
                found = f"{told.name} {told.version}"
                yield self.finding(member=sdist.filename, found=found, expected=f"{sdist.name} {sdist.version}")


class WheelAbsent(ReleaseRule):
    """There is no wheel beside the sdist."""

    code = "W806"
    why = "Whoever installs the project has to compile it, and needs all that it takes."
    fix = "build them into the same folder: nox -s wheels"

    def check(self, release: Release) -> Iterator[Finding]:
        if not any(release.wheels):
            yield self.finding(member=release.name, found="no wheel", expected="a wheel for every target")


class TagDiffers(ReleaseRule):
    """The tag on the commit is of another version than the files."""

    code = "W807"
    why = "Whoever looks up the version in the repository finds other sources than those that were released."
    fix = "check out the tag of this version, or build the files anew from the commit that is checked out"

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
    why = "`release` publishes tagged commits only, so that everybody can find the sources of a version."
    fix = "commit everything and tag it with `git tag`, right before the release"

    def check(self, release: Release) -> Iterator[Finding]:
        expected = release.tag_format.format(version=release.version)
        if isinstance(release.checkout, str):
            yield self.finding(member=release.name, found=release.checkout, expected=expected)
        elif not release.checkout.versions(release.tag_format):
            yield self.finding(
                member=release.name, found=f"no tag on {release.checkout.commit[:12]}", expected=expected
            )


class NotAsBuilt(ReleaseRule):
    """The wheel is not the one that was built and tested: its bytes have changed since."""

    code = "W809"
    level = "warning"
    why = "What the report says of its tests holds for another file."
    fix = "build it anew: nox -s wheels"

    def check(self, release: Release) -> Iterator[Finding]:
        made = {build.file: build.sha256 for build in release.builds if build.file}
        for wheel in release.wheels:
            if (expected := made.get(wheel.filename, wheel.sha256)) != wheel.sha256:
                yield self.finding(member=wheel.filename, found=f"sha256 {wheel.sha256}", expected=f"sha256 {expected}")


class MetadataTooNew(ReleaseRule):
    """The core metadata have a version that the package index does not take yet."""

    code = "W810"
    level = "warning"
    why = "The upload to PyPI or TestPyPI is refused, although the metadata follow a standard."
    fix = "have the build backend write an older version: by an option (hatchling: core-metadata-version), or pin it"

    def check(self, release: Release) -> Iterator[Finding]:
        taken = pypi_limits().metadata_versions
        for file, described in release.described.items():
            if described.metadata_version and described.metadata_version not in taken:
                yield self.finding(
                    member=file, found=f"Metadata-Version {described.metadata_version}", expected=f"at most {taken[-1]}"
                )


class SparseMember(ReleaseRule):
    """The sdist has sparse members: files that are stored without their holes."""

    code = "W811"
    why = "No standard of sdists knows them, programs unpack them in different ways, and the index refuses the file."
    fix = "make the sdist with its build backend and not with `tar --sparse`, or with a newer version of the backend"

    def check(self, release: Release) -> Iterator[Finding]:
        for sdist in release.sdists:
            for member in release.described.get(sdist.filename, Described()).sparse[:_SHOWN]:
                yield self.finding(member=sdist.filename, found=f"{member} is sparse", expected="regular files")


class LicenceNotInside(ReleaseRule):
    """The sdist lacks a licence file that its metadata name."""

    code = "W812"
    why = "The index refuses the file, and whoever passes the sources on has no licence to pass on with them (PEP 639)."
    fix = "see that the build backend puts every file of license-files into the sdist"

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
    """As a file name has it (PEP 625)."""
    try:
        return str(Version(version))
    except InvalidVersion:
        return version
