"""1xx: the tags of a wheel, in its file name and in its WHEEL file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from crosswheel.errors import UsageError
from crosswheel.model import Finding
from crosswheel.rules.promise import promise_of
from crosswheel.rules.rule import Rule
from crosswheel.targets import Target, parse_platform
from crosswheel.wheels import Wheel, accepted_tags


class TagsDiffer(Rule):
    """The tags in the file name are not the tags in the WHEEL file."""

    code = "W101"
    why = "pip goes by the file name and other tools by WHEEL, so they disagree on where the wheel may be installed."
    fix = "rename wheels with `python -m wheel tags` and never by hand"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        named = frozenset(map(str, wheel.tags))
        if named != wheel.stated_tags:
            yield self.finding(
                member=f"{wheel.dist_info}/WHEEL", found=_listed(wheel.stated_tags), expected=_listed(named)
            )


class NameDiffers(Rule):
    """The name or version in the file name is not the one in METADATA."""

    code = "W102"
    why = "An index refuses the upload, and an installer that trusted the file name stops half way."
    fix = "build the wheel again: its file name or its metadata was changed after the build"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        found = (str(wheel.metadata.get("Name", "")), str(wheel.metadata.get("Version", "")))
        if (canonicalize_name(found[0]), _version(found[1])) != (wheel.name, wheel.version):
            yield self.finding(
                member=f"{wheel.dist_info}/METADATA",
                found=" ".join(found),
                expected=f"{wheel.name} {wheel.version}",
            )


class UnprovablePlatform(Rule):
    """The platform tag makes no promise that can be proved: it is not a manylinux or musllinux policy known here."""

    code = "W103"
    why = (
        "linux_* says only where the wheel was built, and indexes refuse it; of other systems nothing can be said here."
    )
    fix = "repair the wheel with auditwheel, which gives it the oldest policy that it keeps"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for platform in sorted({tag.platform for tag in wheel.tags} - {"any"}):
            if not _is_provable(platform):
                yield self.finding(found=platform, expected="manylinux_X_Y_ARCH or musllinux_X_Y_ARCH")


class NotTheTarget(Rule):
    """No tag of the wheel fits the target it was built for."""

    code = "W104"
    why = "The users it was built for would not get it, and their pip would build from source instead."
    fix = "see in the build log which Python and which platform the build backend took"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if target and not would_install(wheel.tags, target):
            expected = f"{target.python.interpreter}-{target.python.abi}-{target.platform}"
            yield self.finding(found=wheel.tag, expected=expected)


def _listed(tags: Iterable[str]) -> str:
    return ", ".join(sorted(tags)) or "no tag at all"


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _is_provable(platform: str) -> bool:
    try:
        return promise_of(*parse_platform(platform)) is not None
    except UsageError:
        return False


def would_install(tags: frozenset[Tag], target: Target) -> bool:
    """Whether the target's own pip, on a machine that is just as old as its policy, takes a wheel of these tags."""
    platforms = (tag.platform for tag in tags if _keeps(tag.platform, target))
    return not accepted_tags(target, platforms).isdisjoint(tags)


def _keeps(platform: str, target: Target) -> bool:
    try:
        policy, arch = parse_platform(platform)
    except UsageError:
        return False
    return arch == target.arch and policy.libc == target.policy.libc and policy <= target.policy
