"""5xx: RECORD, the list of what the archive holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from crosswheel.audit.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target


class RecordIncomplete(Rule):
    """RECORD does not list what the archive holds."""

    code = "W501"
    why = (
        "A file that is not listed is left behind by an uninstall, and one that is listed but missing breaks installs."
    )
    fix = "repack the wheel with `python -m wheel pack`, which writes RECORD anew"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        listed, there = {row.path for row in wheel.record}, set(wheel.members)
        for member in sorted(there - listed - set(_unlisted(wheel))):
            yield self.finding(member=member, found="not listed", expected="a row in RECORD")
        for member in sorted(listed - there):
            yield self.finding(member=member, found="listed, but not in the archive", expected="every row a member")


class RecordWrong(Rule):
    """RECORD states another hash or size than the file in the archive has, or a weak one, or two."""

    code = "W502"
    why = "Installers refuse the wheel, or install a file that is not the one that was built."
    fix = "repack the wheel with `python -m wheel pack`; find out who changed the file after the build"

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
                    found=f"{row.digest or 'no hash'}, {row.size or 'no'} bytes",
                    expected=f"{actual.digest}, {actual.size} bytes",
                )


class Signed(Rule):
    """The wheel holds a signature of RECORD of the kind that nobody checks."""

    code = "W516"
    level = "warning"
    why = "No installer ever looked at RECORD.jws or RECORD.p7s; PEP 815 forbids tools to write them."
    fix = "leave the file out; for provenance that is checked, upload with attestations (PEP 740)"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member in _unlisted(wheel)[1:]:
            if member in wheel.archive.files:
                yield self.finding(member=member, found=member.rpartition("/")[2], expected="RECORD without signatures")


def _unlisted(wheel: Wheel) -> tuple[str, ...]:
    """RECORD cannot know its own hash, and signatures of it are made later (PEP 427)."""
    return tuple(f"{wheel.dist_info}/RECORD{kind}" for kind in ("", ".jws", ".p7s"))
