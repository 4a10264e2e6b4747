"""Lays the target's build requirements over those of this machine, where compilers and linkers see them.

The target's wheel of the same version is fetched, and nothing of it is run. Its archives, headers and descriptions
replace those in the build environment. Its shared libraries lie in a folder of their own, which the compiler driver
looks into first, because this machine's Python may load those in the environment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from crosswheel.auditing.rules.tags import would_install
from crosswheel.engines.facts import Once
from crosswheel.engines.near_wheels import near_wheels, newest_versions
from crosswheel.errors import AuditFailed, IndexUnreachable, SourceError
from crosswheel.formats.build_requirements import Requirement, linked_requirements, parts
from crosswheel.formats.packages import Package
from crosswheel.formats.zips import Unreadable, open_archive
from crosswheel.model.job import LaidOver
from crosswheel.model.targets import Target
from crosswheel.system.hashes import is_sound, sha256_of
from crosswheel.system.locks import locked, mark_used
from crosswheel.system.package_index import Index

if TYPE_CHECKING:
    from pypi_simple import DistributionPackage

RULE = "2026-11-30"
"""Changes with what is laid over: in the keys of the journal."""

_NEWEST = 99  # newer than any C library


@dataclass(frozen=True)
class TargetRequirements:
    """The files to lay over the build `environment` of one job; `folder` has the shared libraries.

    `packages` is site-packages; `done` has each requirement that was looked at.
    """

    environment: Path
    packages: Path
    folder: Path
    target: Target
    index: Index
    once: Once = field(default_factory=Once, repr=False, compare=False)
    done: dict[str, LaidOver] = field(default_factory=dict, compare=False)
    _libraries: dict[str, tuple[Path, Package]] = field(default_factory=dict, repr=False, compare=False)

    def lay_over(self, log: Path) -> None:
        """Lay over what was installed since the last time; `log` names it."""
        for requirement in linked_requirements(self.environment, self.packages):
            if requirement.name not in self.done and not self._is_for_target(requirement):
                self.done[requirement.name] = self._laid_over(requirement, log)

    def _laid_over(self, requirement: Requirement, log: Path) -> LaidOver:
        result = LaidOver(requirement.name, requirement.version)
        try:
            wheel = self._wheel(requirement)
            laid = self._lay(requirement, wheel)
        except (IndexUnreachable, SourceError, AuditFailed, Unreadable, OSError) as error:
            return replace(result, lacking=str(error), passing=isinstance(error, IndexUnreachable))
        with log.open("a", encoding="utf-8") as file:
            file.write(f"laid over for {self.target.arch}: {laid} of {wheel.name}\n")
        return replace(result, wheel=wheel.name, sha256=sha256_of(wheel))

    def library(self, name: str) -> tuple[Path, Package] | None:
        """A shared library of the target's requirements, by its file name, and the project that it is from."""
        return self._libraries.get(name)

    def near_versions(self) -> Mapping[str, Version]:
        """The versions of which a folder in find-links has a wheel for the target, by project."""
        return newest_versions(near_wheels(self.index.settings, self.target))

    # ---- the wheel ------------------------------------------------------------------------------------------------

    def _wheel(self, requirement: Requirement) -> Path:
        """The target's wheel of the same version, from a folder in find-links, the cache or else an index."""
        near = {wheel.path.name: wheel.path for wheel in near_wheels(self.index.settings, self.target)}
        for name in self._fitting(requirement, near):
            return near[name]
        kept = {path.name: path for path in self.index.kept("*.whl")}
        for name in self._fitting(requirement, kept):
            if is_sound(kept[name]):
                mark_used(kept[name].parent)
                return kept[name]
        for index in self.index.all:
            files = {package.filename: package for package in self._files(index, requirement.name)}
            for name in self._fitting(requirement, files):
                with locked(index.cache / f"{name}.lock"):
                    return index.fetch(files[name])
        raise SourceError(f"the index has no wheel for {self.target.arch} ({self.target.policy.libc})")

    def _files(self, index: Index, project: str) -> list[DistributionPackage]:
        key = ("files", index.settings.index_url, canonicalize_name(project))
        try:
            return self.once.answer(key, lambda: index.files_of(project))
        except SourceError:
            return []  # another index may have it

    def _fitting(self, requirement: Requirement, names: Iterable[str]) -> list[str]:
        """The names of wheels of the requirement for the target, the one with the oldest C library first.

        A newer one than the target's is taken, too, rather than this machine's: the audit judges what was linked.
        """
        newest = replace(self.target, policy=replace(self.target.policy, minor=_NEWEST))
        accepted = newest.accepted_platforms
        found: list[tuple[int, str]] = []
        for name in names:
            tags = _tags(name, requirement)
            ranks = [accepted.index(tag.platform) for tag in tags if tag.platform in accepted]
            if ranks and would_install(tags, newest):
                found.append((-max(ranks), name))
        return [name for _, name in sorted(found)]

    def _is_for_target(self, requirement: Requirement) -> bool:
        libc = "manylinux" if self.target.policy.libc == "glibc" else "musllinux"
        return any(
            platform.startswith(libc) and platform.endswith(f"_{self.target.arch}")
            for platform in requirement.platforms
        )

    # ---- its files ------------------------------------------------------------------------------------------------

    def _lay(self, requirement: Requirement, wheel: Path) -> str:
        """Write what differs; return in words how much that was."""
        archive = open_archive(wheel)
        below = self.packages.relative_to(self.environment).as_posix()
        package = Package("pypi", "", canonicalize_name(requirement.name), requirement.version)
        laid = list(parts(archive, requirement, below))
        for part in laid:
            root = self.folder if part.shared else self.environment
            path = self._written(root / part.place, archive.read(part.entry))
            if part.shared:
                self._libraries[path.name] = path, package
                _link(path)
        return ", ".join(part.place.name for part in laid) or "nothing"

    def _written(self, path: Path, content: bytes) -> Path:
        """The path, with that content. Hooks may have changed the folders; files there are links to uv's cache.

        Raises OSError if a link leads out of the job's folder.
        """
        if not path.parent.resolve().is_relative_to(self.environment.parent.resolve()):
            raise OSError(f"{path.parent} leads out of the build environment")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        return path


def _tags(name: str, requirement: Requirement) -> frozenset[Tag]:
    """The tags of a wheel of the requirement's version; none of any other file."""
    try:
        project, version, _, tags = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return frozenset()
    wanted = canonicalize_name(requirement.name), Version(requirement.version)
    return tags if (project, version) == wanted else frozenset()


def _link(library: Path) -> None:
    """Make the name by which a linker finds libNAME.so.VERSION as -lNAME."""
    name = library.parent / f"{library.name.partition('.so')[0]}.so"
    if not name.exists():
        name.symlink_to(library.name)
