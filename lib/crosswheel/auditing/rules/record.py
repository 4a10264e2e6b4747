"""5xx: RECORD, the list of the archive's files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target


class RecordIncomplete(Rule):
    """RECORD and the archive list different files."""

    code = "W501"
    why = "Uninstalling leaves unlisted files behind, and listed files that are missing break the installation."
    fix = "repack the wheel with `python -m wheel pack`, which writes RECORD anew"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        listed, there = {row.path for row in wheel.record}, set(wheel.members)
        folders = {entry.name for entry in wheel.archive.entries if entry.name.endswith("/")}
        for member in sorted(there - listed - set(_unlisted(wheel))):
            yield self.finding(member=member, found="not listed", expected="a row in RECORD")
        for member in sorted(listed - there):
            found = "a folder" if member in folders else "listed, but not in the archive"
            yield self.finding(member=member, found=found, expected="every row a file of the archive")


class RecordWrong(Rule):
    """A file's hash or size in RECORD is wrong, weak, or stated twice."""

    code = "W502"
    why = "Installers refuse the wheel, or install a file that was changed after the build."
    fix = "repack the wheel with `python -m wheel pack`; find the tool that changed the file after the build"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        counts = Counter(row.path for row in wheel.record)
        for row in dict.fromkeys(wheel.record):
            if counts[row.path] > 1:
                yield self.finding(member=row.path, found=f"{counts[row.path]} rows", expected="one row")
                counts[row.path] = 1
            actual = wheel.contents.get(row.path)
            if actual and row != actual and row.path not in _unlisted(wheel):
                yield self.finding(
                    member=row.path,
                    found=f"{_told(row.digest)}, {row.size or 'no'} bytes",
                    expected=f"{actual.digest}, {actual.size} bytes",
                )


class Signed(Rule):
    """The wheel contains a signature of RECORD in an obsolete format."""

    code = "W516"
    level = "warning"
    why = "No installer checks RECORD.jws or RECORD.p7s, and PEP 815 forbids tools to write them."
    fix = "remove the file; for provenance that can be verified, upload with attestations (PEP 740)"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member in _unlisted(wheel)[1:]:
            if member in wheel.archive.files:
                yield self.finding(member=member, found=member.rpartition("/")[2], expected="RECORD without signatures")


def _told(digest: str) -> str:
    algorithm, _, value = digest.partition("=")
    if re.fullmatch(r"(?:[0-9a-f]{2}){32,}", value):
        return f"{algorithm} in hexadecimal instead of base64: {value}"
    return digest or "no hash"


def _unlisted(wheel: Wheel) -> tuple[str, ...]:
    """The files that RECORD does not list: RECORD itself, and signatures that are made from it later (PEP 427)."""
    return tuple(f"{wheel.dist_info}/RECORD{kind}" for kind in ("", ".jws", ".p7s"))
