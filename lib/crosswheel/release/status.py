"""How far a release has come, target by target: from the plan to the very bytes on the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import NormalizedName
from packaging.version import Version

from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.model.targets import Target
from crosswheel.release.published import PublishedFile
from crosswheel.release.supported_platforms import Place, best_of, places_of, reaches

SDIST = "sdist"


@dataclass(frozen=True)
class Made:
    """What is in the wheelhouse: its files, which of the wheels passed their audit, and what `wheels` wrote down."""

    files: tuple[Distribution, ...]
    passed: Mapping[str, bool]
    builds: tuple[Build, ...] = ()


@dataclass(frozen=True)
class Standing:
    """A target, or a file that serves none of those planned, and the file that stands for it here or on the index.

    None is what nobody can say: of the audit of what is not here, of bytes that are in one place only.
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
    """Why the index offers it to nobody who does not ask for this very version; empty where it does."""

    @property
    def complete(self) -> bool:
        """Whether users get what was built. Not every machine can test what it builds, and the table shows it."""
        return self.built and self.audited is not False and self.same_bytes is True


@dataclass(frozen=True)
class Lack:
    """Where `file` of the last release can be installed, and none of this one."""

    place: Place
    file: str


@dataclass(frozen=True)
class ReleaseStatus:
    """All of a release; `last` is the newest before it on the index, empty where it is the first."""

    name: NormalizedName
    version: Version
    repository: str
    standings: tuple[Standing, ...]
    last: str = ""
    lacking: tuple[Lack, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.lacking and all(standing.complete for standing in self.standings)


def standings(made: Made, targets: Iterable[Target], published: Mapping[str, PublishedFile]) -> tuple[Standing, ...]:
    """A row for each target, then one for each file that no row has; `published` are the files of this release."""
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
    """The newest release before a version, a final one if there is any, and what of it was not yanked."""
    before = {found for name, found in versions.items() if found < version and not published[name].yanked}
    newest = max((found for found in before if not found.is_prerelease), default=max(before, default=None))
    if newest is None:
        return "", ()
    files = (published[name] for name, found in versions.items() if found == newest)
    return str(newest), tuple(file for file in files if not file.yanked)


def lacking(last: Iterable[PublishedFile], filenames: Sequence[str], requires_python: str) -> Iterator[Lack]:
    """What users of the last release would miss; not for Pythons that the project has given up."""
    seen: set[Place] = set()
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
        yanked=(there.yanked_reason or "no reason is told") if there and there.yanked else "",
    )


def _untested(file: Distribution | None, build: Build | None, ours: Build | None) -> str:
    if file is None or file.kind == SDIST:
        return ""
    if ours:
        return ours.untested
    return "its bytes have changed since it was built" if build else "no report of `wheels` speaks of it"


def _subject(filename: str) -> str:
    """The tags of a wheel."""
    return "-".join(filename.removesuffix(".whl").split("-")[-3:]) if filename.endswith(".whl") else SDIST
