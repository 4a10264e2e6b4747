"""5xx: the zip archive, before its members are read."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.formats.zips import RATIO, ZipEntry
from crosswheel.model.index_limits import pypi_limits
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

_LEAST_BOMB = 64 << 20
_LONGEST_NAME = 255

_UNSAFE = {
    # Unicode characters that change the direction of writing are among them.
    re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"): "a control character",
    re.compile(r"\\x[0-9a-f]{2}"): "bytes that are not UTF-8",
    re.compile(r"\\"): "a backslash",
    re.compile(r"/"): "an absolute path",
    re.compile(r"[A-Za-z]:"): "a drive letter",
    re.compile(r"(.*/)?\.\.(/|$)"): "a path out of the archive",
    re.compile(r"(.*/)?\.?/|(.*/)?\.$|$"): "an empty part",
}
# Microsoft's "Naming Files, Paths, and Namespaces": characters, ends and names that are reserved.
_NOT_FOR_WINDOWS = re.compile(
    r'[<>:"|?*]|[. ](?=/|$)|(?:^|(?<=/))(?:con|prn|aux|nul|(?:com|lpt)[1-9])(?=[./]|$)', re.IGNORECASE
)
_ANYWHERE = 3
"""The first kinds are searched for in the whole name, the others at its start."""


class DuplicateName(Rule):
    """Two members have the same name, or a file has the name of a folder."""

    code = "W503"
    why = "The installer decides which of them is installed, and the package index refuses the wheel."
    fix = (
        "build from an unpacked sdist, and do not add files to a finished wheel: `python -m wheel pack` makes a new one"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        counts = Counter(entry.name for entry in wheel.archive.entries)
        names = sorted(counts)
        for name in names:
            if counts[name] > 1:
                yield self.finding(member=name, found=f"{counts[name]} members with this name", expected="one")
            at = bisect_left(names, f"{name}/")
            if at < len(names) and names[at].startswith(f"{name}/"):
                yield self.finding(member=name, found="a file and a folder", expected="one of them")


class UnsafeName(Rule):
    """The name of a member leads out of the environment, or is not valid on every system."""

    code = "W504"
    why = "An installer that does not check the name overwrites files outside; one that checks it refuses the wheel."
    fix = "name files in the build backend's configuration relative to the package, with / between folders"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for name in sorted({entry.name for entry in wheel.archive.entries}):
            if found := _unsafe(name.removesuffix("/")):
                yield self.finding(member=name, found=found, expected="a relative path in UTF-8")


class NotAFile(Rule):
    """A member is a symbolic link or a device."""

    code = "W505"
    why = "Wheels cannot contain links: installers write the link's target into a file, or refuse the wheel."
    fix = "pack a copy of the file that the link points to"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for entry in wheel.archive.entries:
            kind = stat.S_IFMT(entry.mode)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                found = "a symbolic link" if kind == stat.S_IFLNK else f"a file of kind {kind:o}"
                yield self.finding(member=entry.name, found=found, expected="a file or a folder")


class Ambiguous(Rule):
    """The archive's directory and the headers of its members disagree, or the archive hides bytes."""

    code = "W506"
    why = "Some installers read the directory, others the headers, so a check may miss what they install."
    fix = "repack the wheel with `python -m wheel pack`; find the tool that wrote or changed the archive"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for doubt in wheel.archive.doubts:
            yield self.finding(member=doubt.member, found=doubt.found, expected=doubt.expected)


class TooLarge(Rule):
    """The wheel is larger than the package index's default limit for a file."""

    code = "W508"
    level = "warning"
    why = "The index refuses the upload, perhaps after it has accepted other wheels of the release."
    fix = "strip the binaries, leave out files that are not needed at run time, or ask the index for a higher limit"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        limit = pypi_limits().file_size
        if wheel.size > limit:
            yield self.finding(found=f"{wheel.size} bytes", expected=f"at most {limit} bytes")


class DishonestTime(Rule):
    """The time of a member is impossible: in the future, after SOURCE_DATE_EPOCH, or not a valid date."""

    code = "W510"
    level = "warning"
    why = "The build is not reproducible, and tools that compare times treat the file as just changed."
    fix = "set SOURCE_DATE_EPOCH for the build and for every tool that repacks the wheel"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        times = {entry: entry.time for entry in wheel.archive.entries}
        undated = [entry for entry, time in times.items() if time is None]
        if undated:
            yield self.finding(member=undated[0].name, found=_counted("no date", undated), expected="a date")
        last, why = _last_moment()
        late = [entry for entry, time in times.items() if time and time > last]
        if late:
            latest = max(late, key=lambda entry: entry.moment)
            yield self.finding(member=latest.name, found=_counted(str(latest.time), late), expected=f"{last}, {why}")


class CannotUnpack(Rule):
    """A member cannot be unpacked, or not by every installer."""

    code = "W511"
    why = "The installation fails half way."
    fix = "pack the wheel without encryption, stored or deflated; if it was damaged on the way, copy it again"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        # If headers and directory differ, the rule above states the cause.
        doubtful = {doubt.member for doubt in wheel.archive.doubts}
        for member, error in wheel.unreadable.items():
            if member not in doubtful:
                yield self.finding(member=member, found=str(error), expected="stored or deflated, and undamaged")


class ZipBomb(Rule):
    """The unpacked wheel is more than fifty times as large as the archive."""

    code = "W512"
    why = "The package index treats it as a zip bomb and refuses it."
    fix = "store such data compressed inside its file, or generate it at first use"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        unpacked = wheel.archive.unpacked
        if unpacked > max(_LEAST_BOMB, RATIO * wheel.size):
            largest = max(wheel.archive.entries, key=lambda entry: entry.size)
            expected = f"at most {max(_LEAST_BOMB, RATIO * wheel.size)}"
            yield self.finding(member=largest.name, found=f"{unpacked} bytes in total", expected=expected)


class NotForWindows(Rule):
    """The name of a file in a wheel for every system is not possible on Windows."""

    code = "W522"
    level = "warning"
    why = "The installation on Windows fails half way, or the file gets another name."
    fix = "rename the file, or leave it out of the wheel in the build backend's configuration"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not any(tag.platform == "any" for tag in wheel.tags):
            return
        for name in sorted({entry.name for entry in wheel.archive.entries}):
            refused = _NOT_FOR_WINDOWS.search(name)
            if refused and not _unsafe(name.removesuffix("/")):
                part = name[: refused.start()].rpartition("/")[2] + name[refused.start() :].partition("/")[0]
                yield self.finding(member=name, found=part, expected="a name that Windows allows")


class CollidingNames(Rule):
    """The names of two members differ only in upper and lower case, or in the encoding of accented letters."""

    code = "W514"
    level = "note"
    why = "The file systems of macOS and Windows do not distinguish them: one file overwrites the other."
    fix = "rename one of them"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        alike: dict[str, list[str]] = defaultdict(list)
        for name in sorted({entry.name for entry in wheel.archive.entries}):
            alike[unicodedata.normalize("NFC", name).casefold()].append(name)
        for first, *others in alike.values():
            if others:
                yield self.finding(member=first, found=", ".join(others), expected="distinct names")


def _unsafe(name: str) -> str:
    for number, (pattern, what) in enumerate(_UNSAFE.items()):
        if (pattern.search if number < _ANYWHERE else pattern.match)(name):
            return what
    return "a part that is too long" if any(len(part.encode()) > _LONGEST_NAME for part in name.split("/")) else ""


def _last_moment() -> tuple[datetime, str]:
    """The latest plausible time; archives store no time zone, so a file written further east may be dated tomorrow."""
    try:
        return _moment(float(os.environ["SOURCE_DATE_EPOCH"])), "which is SOURCE_DATE_EPOCH, or before"
    except (KeyError, ValueError, OverflowError, OSError):
        now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
        return now + timedelta(days=1), "tomorrow, or before"


def _moment(seconds: float) -> datetime:
    # Archives cannot store times before 1980, and writers use 1980 for older ones.
    return max(datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None), datetime(1980, 1, 1))  # noqa: DTZ001


def _counted(what: str, entries: list[ZipEntry]) -> str:
    return what if len(entries) == 1 else f"{what}, and {len(entries) - 1} more"
