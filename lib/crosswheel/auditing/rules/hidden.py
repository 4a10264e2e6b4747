"""5xx: modules that no import statement reaches."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

_MOST = 100


class HiddenModule(Rule):
    """A module is beside a package of the same name, which Python imports instead."""

    code = "W527"
    level = "warning"
    why = "The module's code is never run: it is left over from before it became a package, or the package is."
    fix = "delete one of the two; build from an unpacked sdist, so that no old file is packed"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        extensions = {extension.member: extension.suffix for extension in wheel.extensions}
        there = {wheel.installed(member) for member in wheel.members}
        found = 0
        for member in wheel.members:
            suffix = ".py" if member.endswith(".py") else extensions.get(member, "")
            package = f"{wheel.installed(member).removesuffix(suffix)}/__init__.py"
            if suffix and found < _MOST and package in there:
                found += 1
                yield self.finding(member=member, found=f"{member} beside {package}", expected="one of them")
