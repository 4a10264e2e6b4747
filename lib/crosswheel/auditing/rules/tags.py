"""1xx: the tags of a wheel, in its file name and in its WHEEL file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag

from crosswheel.auditing.rules.platforms import is_accepted, is_linux
from crosswheel.auditing.rules.promise import promise_of
from crosswheel.auditing.rules.purity import nothing_compiled
from crosswheel.auditing.rules.rule import Rule
from crosswheel.errors import UsageError
from crosswheel.formats.wheel_names import split_name
from crosswheel.formats.wheels import Wheel, accepted_tags
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target, parse_platform

_STABLE_ABI_SINCE = {"abi3": (3, 2), "abi3t": (3, 15)}
_FIRST_FREE_THREADED = (3, 13)
_LAST_WITH_OTHER_FLAGS = (3, 7)
_ENOUGH = 50
"""More than the minor versions of any Python, and the micro versions of any minor version."""


class TagsDiffer(Rule):
    """A tag in the file name is not among the tags in the WHEEL file."""

    code = "W101"
    why = "pip installs by the file name, but `pip check` reads WHEEL and reports that the wheel does not fit."
    fix = "rename wheels with `python -m wheel tags`, never by hand"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        named = frozenset(map(str, wheel.tags))
        if named - wheel.stated_tags:
            yield self.finding(
                member=f"{wheel.dist_info}/WHEEL", found=_listed(wheel.stated_tags), expected=_listed(named)
            )


class TagsBeyond(Rule):
    """The WHEEL file has tags that the file name lacks."""

    code = "W118"
    level = "warning"
    why = "Tools that derive the file name from WHEEL, such as `python -m wheel pack`, add these tags to it."
    fix = "rename wheels with `python -m wheel tags`, never by hand"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        named = frozenset(map(str, wheel.tags))
        if named < wheel.stated_tags:
            yield self.finding(
                member=f"{wheel.dist_info}/WHEEL",
                found=_listed(wheel.stated_tags - named),
                expected=f"no more than {_listed(named)}",
            )


class RefusedPlatform(Rule):
    """The package index refuses the platform tag."""

    code = "W103"
    why = "linux_* only states where the wheel was built; the index requires a tag that states where it runs."
    fix = "repair the wheel with auditwheel, which tags it with the oldest policy that it complies with"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if nothing_compiled(wheel):
            return  # nothing to repair; the rule for missing binaries reports it
        for platform in _platforms(wheel):
            if not is_accepted(platform):
                yield self.finding(found=platform, expected="manylinux_X_Y_ARCH or musllinux_X_Y_ARCH")


class NotTheTarget(Rule):
    """No tag of the wheel matches the target it was built for."""

    code = "W104"
    why = "pip on the target does not choose the wheel and builds from source instead."
    fix = "find in the build log the Python and platform that the build backend used"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not target or _was_not_repaired(wheel, target):
            return
        if not would_install(wheel.tags, target):
            expected = f"{target.python.interpreter}-{target.python.abi}-{target.platform}"
            yield self.finding(found=wheel.tag, expected=expected)


class UnprovablePlatform(Rule):
    """The index accepts the platform tag, but auditwheel has no such policy, so compliance cannot be checked."""

    code = "W105"
    level = "warning"
    why = "The C library and symbols of such systems are unknown, and so is whether the wheel runs there."
    fix = "give the wheel a policy that auditwheel knows for the architecture: `auditwheel repair`"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for platform in _platforms(wheel):
            if is_linux(platform) and is_accepted(platform) and not _is_provable(platform):
                yield self.finding(found=platform, expected="manylinux_X_Y_ARCH or musllinux_X_Y_ARCH")


class OtherSystem(Rule):
    """The wheel is not for Linux, and binaries of other systems are not checked."""

    code = "W106"
    level = "note"
    why = "Tags, metadata and archive were checked; libraries and symbols were not."
    fix = "check them with `delocate-listdeps --all` on macOS, `delvewheel show` on Windows"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for platform in _platforms(wheel):
            if not is_linux(platform) and is_accepted(platform):
                yield self.finding(found=platform, expected="manylinux_X_Y_ARCH or musllinux_X_Y_ARCH")


class ImpossibleTag(Rule):
    """No Python supports this combination of Python tag and ABI tag."""

    code = "W107"
    why = "The wheel cannot be installed: installers report that it is not supported, or find no wheel."
    fix = "build it again with a recent version of the build backend, which takes the tag from the Python it runs on"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not any(_is_possible(tag.interpreter, tag.abi) for tag in wheel.tags):
            spelled = split_name(wheel.path.name)
            yield self.finding(
                found=f"{spelled.python}-{spelled.abi}",
                expected="such as cp313-cp313, cp313-cp313t, cp311-abi3, py3-none",
            )


class IdleTag(Rule):
    """A part of the compressed tag set has no effect: it is repeated, or matches no other part."""

    code = "W108"
    level = "warning"
    why = "The name promises more than installers use; often a part is a typing error."
    fix = "remove or correct the part: `python -m wheel tags`"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        possible = [tag for tag in wheel.tags if _is_possible(tag.interpreter, tag.abi)]
        if not possible:  # another rule reports the whole tag
            return
        useful = {part for tag in possible for part in (tag.interpreter, tag.abi)}
        name = split_name(wheel.path.name.lower())
        pythons, abis, platforms = (part.split(".") for part in (name.python, name.abi, name.platform))
        for part in sorted({part for part in (*pythons, *abis) if part not in useful}):
            yield self.finding(found=part, expected="matching parts")
        for parts in (pythons, abis, platforms):
            for part in sorted({part for part in parts if parts.count(part) > 1}):
                yield self.finding(found=f"{part} twice", expected="each part once")
        for part in sorted(set(platforms) - {"any"}) if "any" in platforms else ():
            yield self.finding(found=f"{part} beside any", expected="either any or platforms")


class ExcludedPython(Rule):
    """Requires-Python excludes every Python in the tag."""

    code = "W109"
    why = "The wheel cannot be installed: pip reports that the Python in the tag is too old or too new."
    fix = "build only for Pythons that the project supports, or correct requires-python"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        required = str(wheel.metadata.get("Requires-Python", ""))
        try:
            allowed = SpecifierSet(required)
        except InvalidSpecifier:  # reported by the rule for METADATA
            return
        served = [_versions(tag) for tag in wheel.tags]
        if all(served) and not any(allowed.contains(version) for versions in served for version in versions):
            yield self.finding(
                member=f"{wheel.dist_info}/METADATA", found=required, expected=f"the Pythons of {wheel.tag}"
            )


def would_install(tags: frozenset[Tag], target: Target) -> bool:
    """Whether pip on the target, on a machine exactly as old as its policy, accepts a wheel with these tags."""
    platforms = (tag.platform for tag in tags if _keeps(tag.platform, target))
    return not accepted_tags(target, platforms).isdisjoint(tags)


def _was_not_repaired(wheel: Wheel, target: Target) -> bool:
    """Whether the wheel is for the target's architecture, but has no policy because it contains nothing to repair."""
    return nothing_compiled(wheel) and _platforms(wheel) == [f"linux_{target.arch}"]


def _listed(tags: Iterable[str]) -> str:
    return ", ".join(sorted(tags)) or "no tag at all"


def _platforms(wheel: Wheel) -> list[str]:
    return sorted({tag.platform for tag in wheel.tags} - {"any"})


def _is_provable(platform: str) -> bool:
    try:
        return promise_of(*parse_platform(platform)) is not None
    except UsageError:
        return False


def _keeps(platform: str, target: Target) -> bool:
    try:
        policy, arch = parse_platform(platform)
    except UsageError:
        return False
    return arch == target.arch and policy.libc == target.policy.libc and policy <= target.policy


def _is_possible(interpreter: str, abi: str) -> bool:
    """Whether a CPython supports the combination, by `packaging.tags`; True for other implementations."""
    if interpreter.startswith("py"):
        return abi == "none"
    if not interpreter.startswith("cp"):
        return True
    version = _version(interpreter)
    if version is None or abi == "none":
        return version is not None
    if abi in _STABLE_ABI_SINCE:
        return version >= _STABLE_ABI_SINCE[abi]
    flags = re.fullmatch(rf"{interpreter}(d?m?u?|td?)", abi)
    if flags and "t" in flags[1]:
        return version >= _FIRST_FREE_THREADED
    return flags is not None and (flags[1] in {"", "d"} or version <= _LAST_WITH_OTHER_FLAGS)


def _version(interpreter: str) -> tuple[int, int] | None:
    """``cp313`` -> 3.13; None for other texts, such as ``cp3`` and ``cp313t``."""
    match = re.fullmatch(r"[a-z]+([23])_?(\d+)", interpreter)
    return (int(match[1]), int(match[2])) if match else None


def _versions(tag: Tag) -> list[str]:
    """Every Python version that supports the tag, down to micro versions; none for other implementations."""
    interpreter = tag.interpreter
    version = _version(interpreter) if interpreter.startswith(("py", "cp")) else None
    if version:
        later = interpreter.startswith("py") or tag.abi in _STABLE_ABI_SINCE
        major, minors = version[0], range(version[1], _ENOUGH if later else version[1] + 1)
    elif interpreter in {"py2", "py3"}:
        major, minors = int(interpreter[2:]), range(_ENOUGH)
    else:
        return []
    return [f"{major}.{minor}.{micro}" for minor in minors for micro in range(_ENOUGH if len(minors) == 1 else 1)]
