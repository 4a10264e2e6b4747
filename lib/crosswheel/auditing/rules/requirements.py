"""1xx: requirements in METADATA that are valid and mean something else than was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from packaging.utils import canonicalize_name

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

_MOST, _LONGEST = 10_000, 1000
_EXTRA = re.compile(r"""\bextra *== *["']([\w.-]+)["']|["']([\w.-]+)["'] *== *extra\b""")
_LOCAL = re.compile(r"={2,3} *[\w.!]+\+[\w.]+")
_FIRST_ONLY = re.compile(r"(==|<=|!=) *3\.(\d+)")


class RequirementUnmet(Rule):
    """A requirement belongs to an extra that METADATA does not provide, or demands a version that no index has."""

    code = "W123"
    level = "warning"
    why = "Nobody can ask for that extra, so it is never installed; and public indexes refuse local versions (1.0+cpu)."
    fix = (
        "name the extra under [project.optional-dependencies]; require the public version (==1.0, which 1.0+cpu meets)"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        member = f"{wheel.dist_info}/METADATA"
        provided = {canonicalize_name(name) for name in _lines(wheel, "Provides-Extra")}
        for line in _lines(wheel, "Requires-Dist"):
            requirement, _, marker = line.partition(";")
            extras = {canonicalize_name(one or other) for one, other in _EXTRA.findall(marker)}
            if extras - provided:
                expected = f"Provides-Extra: {min(extras - provided)}"
                yield self.finding(member=member, found=line, expected=expected)
            if "@" not in requirement and (local := _LOCAL.search(requirement)):
                yield self.finding(member=member, found=line, expected=local[0].partition("+")[0])


class FirstReleaseOnly(Rule):
    """Requires-Python names the first release of a Python, and no later one of the same minor version."""

    code = "W124"
    level = "warning"
    why = "3.13 means 3.13.0: ==3.13 and <=3.13 exclude 3.13.1 and all later ones, and !=3.13 excludes 3.13.0 alone."
    fix = "write requires-python with a star or the next version: ==3.13.*, <3.14, !=3.13.*"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        required = str(wheel.metadata.get("Requires-Python", ""))[:_LONGEST]
        for clause in required.split(","):
            if first := _FIRST_ONLY.fullmatch(clause.strip()):
                meant = f"<3.{int(first[2]) + 1}" if first[1] == "<=" else f"{first[1]}3.{first[2]}.*"
                yield self.finding(member=f"{wheel.dist_info}/METADATA", found=required, expected=meant)


def _lines(wheel: Wheel, field: str) -> Iterator[str]:
    """The values, at most as many and as long as an honest project has."""
    return (str(line)[:_LONGEST] for line in islice(wheel.metadata.get_all(field, []), _MOST))
