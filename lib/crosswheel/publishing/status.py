"""The status of a release, target by target: planned, built, audited, tested, uploaded, and served unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName
from packaging.version import Version

from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.model.targets import Target
from crosswheel.publishing.published import PublishedFile
from crosswheel.publishing.supported_platforms import PythonPlatform, best_of, places_of, reaches
from crosswheel.publishing.upload_window import UploadWindow

SDIST = "sdist"


@dataclass(frozen=True)
class Made:
    """The wheelhouse: its files, the wheels that passed the audit, and the build records of `wheels`."""

    files: tuple[Distribution, ...]
    passed: Mapping[str, bool]
    builds: tuple[Build, ...] = ()


@dataclass(frozen=True)
class Standing:
    """One row: a target, or a file that serves no planned target, and its file here or on the index.

    None means unknown: the audit of a file that is not here, the bytes of a file that is in one place only.
    """

    subject: str
    planned: bool
    file: str
    built: bool
    audited: bool | None
    tested: bool
    untested: str
    on_index: bool
    same_bytes: bool | None
    yanked: str = ""
    """Why the file is yanked: pip chooses it only for this exact version (PEP 592); empty if it is not."""

    @property
    def complete(self) -> bool:
        """Whether users get the built file; a missing test does not count, because not every machine can test."""
        return self.built and self.audited is not False and self.same_bytes is True


@dataclass(frozen=True)
class Lack:
    """A place where `file` of the last release can be installed, and no file of this one."""

    place: PythonPlatform
    file: str


@dataclass(frozen=True)
class ReleaseStatus:
    """The status of a release; `last` is the newest earlier version on the index, empty if there is none.

    `project_status` is archived, quarantined or deprecated (PEP 792), or empty; `window` is how long the index accepts
    new files of the release, None if it has no such limit or no file of the release.
    """

    name: NormalizedName
    version: Version
    repository: str
    standings: tuple[Standing, ...]
    last: str = ""
    lacking: tuple[Lack, ...] = ()
    project_status: str = ""
    status_reason: str = ""
    window: UploadWindow | None = None

    @property
    def complete(self) -> bool:
        return not self.lacking and all(standing.complete for standing in self.standings)


def standings(made: Made, targets: Iterable[Target], published: Mapping[str, PublishedFile]) -> tuple[Standing, ...]:
    """One row per target, then one per remaining file; `published` are the index's files of this release."""
    here = {file.filename: file for file in made.files}
    wheels = [name for name, file in here.items() if file.kind == "wheel"]
    rows = []
    for target in targets:
        file = best_of(wheels, target) or best_of(published, target)
        rows.append(_standing(str(target), file, made, published, target))
    shown = {row.file for row in rows}
    rows += [
        _standing(_subject(name), name, made, published)
        for name in dict.fromkeys([*here, *sorted(published)])
        if name not in shown
    ]
    if not any(row.subject == SDIST for row in rows):
        rows.append(_standing(SDIST, "", made, published))
    return tuple(rows)


def last_release(
    published: Mapping[str, PublishedFile], versions: Mapping[str, Version], version: Version
) -> tuple[str, tuple[PublishedFile, ...]]:
    """The newest version before `version`, a final one if possible, and its files that are not yanked."""
    before = {found for name, found in versions.items() if found < version and not published[name].yanked}
    newest = max((found for found in before if not found.is_prerelease), default=max(before, default=None))
    if newest is None:
        return "", ()
    files = (published[name] for name, found in versions.items() if found == newest)
    return str(newest), tuple(file for file in files if not file.yanked)


def lacking(last: Iterable[PublishedFile], filenames: Sequence[str], requires_python: str) -> Iterator[Lack]:
    """The places that the last release supports and this one does not, without Pythons that the project dropped."""
    seen: set[PythonPlatform] = set()
    for file in sorted(last, key=lambda file: file.filename):
        for place in sorted(places_of(file.filename) - seen):
            seen.add(place)
            allowed = place.is_allowed(file.requires_python) and place.is_allowed(requires_python)
            if allowed and not any(reaches(name, place) for name in filenames):
                yield Lack(place, file.filename)


def _standing(
    subject: str, name: str, made: Made, published: Mapping[str, PublishedFile], target: Target | None = None
) -> Standing:
    file = next((file for file in made.files if file.filename == name), None)
    there = published.get(name)
    build = next((build for build in made.builds if build.file == name and target in {None, build.target}), None)
    ours = build if file and build and build.sha256 == file.sha256 else None
    return Standing(
        subject=subject,
        planned=target is not None or subject == SDIST,
        file=name,
        built=file is not None,
        audited=made.passed.get(name),
        tested=ours.tested if ours else False,
        untested=_untested(file, build, ours),
        on_index=there is not None and not there.yanked,
        same_bytes=file.sha256 == there.sha256 and not there.yanked if file and there and there.sha256 else None,
        yanked=(there.yanked_reason or "no reason given") if there and there.yanked else "",
    )


def _untested(file: Distribution | None, build: Build | None, ours: Build | None) -> str:
    if file is None or file.kind == SDIST:
        return ""
    if ours:
        return ours.untested
    return "the file has changed since it was built" if build else "no report of `wheels` contains it"


def _subject(filename: str) -> str:
    """The row's name of a file: the tags of a wheel."""
    return "-".join(filename.removesuffix(".whl").split("-")[-3:]) if filename.endswith(".whl") else SDIST
