"""The Pythons and platforms that the wheels of a release support, derived from their file names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crosswheel.errors import UsageError
from crosswheel.model.targets import Policy, PythonTag, Target, parse_platform, python_tags

_ANY = "any"
_UNIVERSAL = "macosx_universal2"
_PYTHON = re.compile(r"[a-z]+(\d)(\d*)t?")


@dataclass(frozen=True, order=True)
class PythonPlatform:
    """A Python on a platform: ``cp313`` on ``manylinux2014_aarch64``; other systems are named without version."""

    python: str
    platform: str

    def __str__(self) -> str:
        return f"{self.python}-{self.platform}"

    def is_allowed(self, requires_python: str) -> bool:
        """Whether requires-python allows this Python, in its newest patch release."""
        version = _PYTHON.fullmatch(self.python)
        try:
            return version is None or f"{version[1]}.{version[2] or 99}.99" in SpecifierSet(requires_python)
        except InvalidSpecifier:
            return True


def best_of(filenames: Iterable[str], target: Target) -> str:
    """The wheel among `names` that pip would choose for a target; empty if none."""
    platforms = target.accepted_platforms
    version = (3, target.python.minor)
    tags = [
        *cpython_tags(version, [target.python.abi], platforms),
        *compatible_tags(version, target.python.interpreter, platforms),
    ]
    ranks = {tag: len(tags) - place for place, tag in enumerate(tags)}
    fitting = [
        (max(ranks[tag] for tag in found), build, name)
        for name in filenames
        for build, accepted in _parsed(name)
        if (found := accepted & ranks.keys())
    ]
    return max(fitting)[-1] if fitting else ""


def places_of(filename: str) -> frozenset[PythonPlatform]:
    """The places where a wheel can be installed, each platform with the oldest policy in the tag; none for an sdist."""
    return frozenset(
        PythonPlatform(python, platform)
        for _, tags in _parsed(filename)
        for platform in _widest({tag.platform for tag in tags})
        for tag in tags
        for python in _pythons(tag)
    )


def reaches(filename: str, place: PythonPlatform) -> bool:
    """Whether a wheel can be installed at the place."""
    return any(
        place.python in _pythons(tag) and _covers(tag.platform, place.platform)
        for _, tags in _parsed(filename)
        for tag in tags
    )


def _parsed(filename: str) -> Iterator[tuple[tuple[int, str], frozenset[Tag]]]:
    """Build number and tags of a wheel; empty for other files."""
    try:
        _, _, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return
    yield build or (-1, ""), tags


def _pythons(tag: Tag) -> Iterator[str]:
    """Every CPython that accepts the tag; an unknown CPython or a PyPy is kept as it is."""
    alone = Tag(tag.interpreter, tag.abi, _ANY)
    known = [str(python) for python in python_tags() if alone in _accepted(python)]
    yield from known or [tag.interpreter]


def _accepted(python: PythonTag) -> frozenset[Tag]:
    """The tags that a Python accepts, for any platform."""
    version = (3, python.minor)
    return frozenset(
        [*cpython_tags(version, [python.abi], [_ANY]), *compatible_tags(version, python.interpreter, [_ANY])]
    )


def _widest(platforms: Iterable[str]) -> Iterator[str]:
    """The platforms without duplicates: aliases count once, and an older policy includes the newer ones."""
    linux: dict[tuple[str, str], Policy] = {}
    for text in platforms:
        try:
            policy, arch = parse_platform(text)
        except UsageError:
            yield _without_version(text)
            continue
        key = policy.libc, arch.name
        linux[key] = min(policy, linux.get(key, policy))
    for (_, arch_name), policy in linux.items():
        yield f"{policy}_{arch_name}"


def _covers(ours: str, theirs: str) -> bool:
    if ours == _ANY:
        return True
    try:
        (policy, arch), (wanted, there) = parse_platform(ours), parse_platform(theirs)
    except UsageError:
        own = _without_version(ours)
        return own == theirs or (own == _UNIVERSAL and theirs.startswith("macosx_"))
    return arch == there and policy.libc == wanted.libc and policy <= wanted


def _without_version(platform: str) -> str:
    """``macosx_11_0_arm64`` -> ``macosx_arm64``."""
    return re.sub(r"^(macosx|manylinux|musllinux)_\d+_\d+_", r"\1_", platform)
