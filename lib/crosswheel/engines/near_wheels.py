"""Wheels in folders of this machine that installers search (pip's find-links), such as a wheelhouse that grows.

Containers do not see these folders: they get copies of the wheels that an installation may need.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from crosswheel.auditing.rules.tags import would_install
from crosswheel.containers.environment import FOLDER
from crosswheel.containers.host import Container
from crosswheel.errors import CrosswheelError
from crosswheel.formats.wheels import read_wheel
from crosswheel.model.targets import Target
from crosswheel.system.pip_settings import PipSettings

_PLACE = FOLDER / "near-wheels"
_NEWEST = 99  # newer than any C library


@dataclass(frozen=True)
class NearWheel:
    """A wheel of a folder in find-links; `pure` is for all platforms."""

    path: Path
    name: str
    version: Version
    pure: bool


def near_wheels(settings: PipSettings, target: Target) -> tuple[NearWheel, ...]:
    """The wheels for a target, also for newer C libraries: a build environment may have a newer one."""
    newest = replace(target, policy=replace(target.policy, minor=_NEWEST))
    return tuple(_near(settings.folders, newest))


def _near(folders: Iterable[Path], target: Target) -> Iterator[NearWheel]:
    for folder in folders:
        for path in sorted(folder.glob("*.whl")):
            try:
                name, version, _, tags = parse_wheel_filename(path.name)
            except InvalidWheelFilename:
                continue
            if would_install(tags, target):
                yield NearWheel(path, name, version, all(tag.platform == "any" for tag in tags))


def newest_versions(wheels: Iterable[NearWheel]) -> Mapping[str, Version]:
    """The newest version of each project with wheels for one platform."""
    found: dict[str, Version] = {}
    for wheel in wheels:
        if not wheel.pure:
            found[wheel.name] = max(wheel.version, found.get(wheel.name, wheel.version))
    return found


def needed(requirements: Iterable[str], wheels: Iterable[NearWheel]) -> tuple[NearWheel, ...]:
    """The wheels of the projects that are required, and of those that these wheels require, whatever the markers."""
    by_name: dict[str, list[NearWheel]] = {}
    for wheel in wheels:
        by_name.setdefault(wheel.name, []).append(wheel)
    found: dict[str, list[NearWheel]] = {}
    waiting = [_name(text) for text in requirements]
    while waiting:
        name = waiting.pop()
        if name in by_name and name not in found:
            found[name] = by_name[name]
            waiting += [_name(text) for wheel in found[name] for text in _requires(wheel.path)]
    return tuple(wheel for group in found.values() for wheel in group)


def carried(
    container: Container, settings: PipSettings, requirements: Iterable[str], target: Target
) -> Mapping[str, str]:
    """Copy the needed wheels into a container; the variables by which uv finds them there, none without a wheel."""
    if not settings.folders:
        return {}
    wheels = needed(requirements, near_wheels(settings, replace(target, arch=container.image.arch)))
    if not wheels:
        return {}
    container.put(*(wheel.path for wheel in wheels), to=_PLACE)
    return {"UV_FIND_LINKS": ",".join([*settings.remote.find_links, str(_PLACE)])}


def _name(requirement: str) -> str:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""


def _requires(wheel: Path) -> Iterable[str]:
    try:
        return read_wheel(wheel).metadata.get_all("Requires-Dist", [])
    except CrosswheelError:
        return ()
