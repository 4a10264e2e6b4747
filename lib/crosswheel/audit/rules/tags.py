"""1xx: the tags of a wheel, in its file name and in its WHEEL file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag

from crosswheel.audit.rules.platforms import is_accepted, is_linux
from crosswheel.audit.rules.promise import promise_of
from crosswheel.audit.rules.purity import nothing_compiled
from crosswheel.audit.rules.rule import Rule
from crosswheel.errors import UsageError
from crosswheel.formats.wheels import Wheel, accepted_tags
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target, parse_platform

_STABLE_ABI_SINCE = {"abi3": (3, 2), "abi3t": (3, 15)}
_FIRST_FREE_THREADED = (3, 13)
_LAST_WITH_OTHER_FLAGS = (3, 7)
_ENOUGH = 50
"""No Python has had as many minor versions, nor any of them as many micro versions."""


class TagsDiffer(Rule):
    """A tag in the file name is not among the tags in the WHEEL file."""

    code = "W101"
    why = (
        "pip installs by the file name, and `pip check` says by WHEEL that what it installed does not fit the machine."
    )
    fix = "rename wheels with `python -m wheel tags` and never by hand"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        named = frozenset(map(str, wheel.tags))
        if named - wheel.stated_tags:
            yield self.finding(
                member=f"{wheel.dist_info}/WHEEL", found=_listed(wheel.stated_tags), expected=_listed(named)
            )


class TagsBeyond(Rule):
    """The WHEEL file has tags that the file name has not."""

    code = "W118"
    level = "warning"
    why = "Tools that name a wheel by its WHEEL file, as `python -m wheel pack` does, make it promise what it did not."
    fix = "rename wheels with `python -m wheel tags` and never by hand"

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
    why = "linux_* says only where the wheel was built; a tag has to say on which systems the wheel runs."
    fix = "repair the wheel with auditwheel, which gives it the oldest policy that it keeps"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if nothing_compiled(wheel):
            return  # nothing that could be repaired; the rule for that says so
        for platform in _platforms(wheel):
            if not is_accepted(platform):
                yield self.finding(found=platform, expected="manylinux_X_Y_ARCH or musllinux_X_Y_ARCH")


class NotTheTarget(Rule):
    """No tag of the wheel fits the target it was built for."""

    code = "W104"
    why = "The users it was built for would not get it, and their pip would build from source instead."
    fix = "see in the build log which Python and which platform the build backend took"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not target or _was_not_repaired(wheel, target):
            return
        if not would_install(wheel.tags, target):
            expected = f"{target.python.interpreter}-{target.python.abi}-{target.platform}"
            yield self.finding(found=wheel.tag, expected=expected)


class UnprovablePlatform(Rule):
    """The index takes the platform tag, but it makes no promise that can be proved: auditwheel has no such policy."""

    code = "W105"
    level = "warning"
    why = "Which C library and which symbols its users have is not known, so nobody can tell whether the wheel runs."
    fix = "give the wheel a policy that auditwheel has for the architecture: `auditwheel repair`"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for platform in _platforms(wheel):
            if is_linux(platform) and is_accepted(platform) and not _is_provable(platform):
                yield self.finding(found=platform, expected="manylinux_X_Y_ARCH or musllinux_X_Y_ARCH")


class OtherSystem(Rule):
    """The wheel is for another system than Linux, and binaries of that system are not looked at."""

    code = "W106"
    level = "note"
    why = "Tags, metadata and archive are audited like any other's; its libraries are not."
    fix = "on macOS `delocate-listdeps --all`, on Windows `delvewheel show` tell more"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for platform in _platforms(wheel):
            if not is_linux(platform) and is_accepted(platform):
                yield self.finding(found=platform, expected="manylinux_X_Y_ARCH or musllinux_X_Y_ARCH")


class ImpossibleTag(Rule):
    """No Python looks for the Python tag together with the ABI tag."""

    code = "W107"
    why = "Nobody can install the wheel: installers say that it is not supported, or that there is none."
    fix = "build it anew with a recent version of the build backend, which asks the Python it runs on for the tag"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not any(_is_possible(tag.interpreter, tag.abi) for tag in wheel.tags):
            python, abi, _ = wheel.tag.split("-")
            yield self.finding(
                found=f"{python}-{abi}", expected="such as cp313-cp313, cp313-cp313t, cp311-abi3, py3-none"
            )


class IdleTag(Rule):
    """A part of the compressed tag set means nothing: it stands there twice, or goes with none of the others."""

    code = "W108"
    level = "warning"
    why = "The name promises more than installers will find in it; often one of the parts was meant to be another."
    fix = "leave out the part, or write the one that was meant: `python -m wheel tags`"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        possible = [tag for tag in wheel.tags if _is_possible(tag.interpreter, tag.abi)]
        if not possible:  # another rule says so of the whole
            return
        useful = {part for tag in possible for part in (tag.interpreter, tag.abi)}
        pythons, abis, platforms = (part.lower().split(".") for part in wheel.tag.split("-"))
        for part in sorted({part for part in (*pythons, *abis) if part not in useful}):
            yield self.finding(found=part, expected="parts that go together")
        for parts in (pythons, abis, platforms):
            for part in sorted({part for part in parts if parts.count(part) > 1}):
                yield self.finding(found=f"{part} twice", expected="every part once")
        for part in sorted(set(platforms) - {"any"}) if "any" in platforms else ():
            yield self.finding(found=f"{part} beside any", expected="either any or platforms")


class ExcludedPython(Rule):
    """Requires-Python excludes every Python in the tag."""

    code = "W109"
    why = "Nobody can install the wheel: whoever has the Python of the tag is told that it is too old or too new."
    fix = "do not build for Pythons that the project no longer supports, or correct requires-python"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        required = str(wheel.metadata.get("Requires-Python", ""))
        try:
            allowed = SpecifierSet(required)
        except InvalidSpecifier:  # the rule for METADATA says so
            return
        served = [_versions(tag) for tag in wheel.tags]
        if all(served) and not any(allowed.contains(version) for versions in served for version in versions):
            yield self.finding(
                member=f"{wheel.dist_info}/METADATA", found=required, expected=f"what {wheel.tag} serves"
            )


def would_install(tags: frozenset[Tag], target: Target) -> bool:
    """Whether the target's own pip, on a machine that is just as old as its policy, takes a wheel of these tags."""
    platforms = (tag.platform for tag in tags if _keeps(tag.platform, target))
    return not accepted_tags(target, platforms).isdisjoint(tags)


def _was_not_repaired(wheel: Wheel, target: Target) -> bool:
    """Whether it is for the target's architecture, and has no policy only because there is nothing to repair in it."""
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
    """Whether some Python asks for the two together, as `packaging.tags` says; of other implementations all passes."""
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
    """``cp313`` -> 3.13; None for ``cp3`` and ``cp313t``, which are no Python tags of CPython."""
    match = re.fullmatch(r"[a-z]+([23])_?(\d+)", interpreter)
    return (int(match[1]), int(match[2])) if match else None


def _versions(tag: Tag) -> list[str]:
    """Every Python that takes the tag, as exactly as Requires-Python may ask; none for other implementations."""
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
