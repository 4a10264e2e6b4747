"""6xx: pure wheels that are not, and platform wheels that are."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.model import Finding
from crosswheel.rules.rule import Rule
from crosswheel.targets import Target
from crosswheel.wheels import Wheel


class NothingCompiled(Rule):
    """A wheel for one platform holds no binary: its extension is optional and was not compiled."""

    code = "W601"
    why = (
        "The build does not fail, and users get slow Python code without a word, as with PyYAML built without libyaml."
    )
    fix = "read the build log for the library or compiler that was missed; if the package is pure, tag the wheel any"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        # Binaries of other systems are no ELF files, and other rules say that such a wheel cannot be judged.
        if any("linux" in tag.platform for tag in wheel.tags) and not wheel.elves and not wheel.unreadable:
            yield self.finding(found="no ELF file", expected=f"at least one for {wheel.tag}")


class BinaryInPureWheel(Rule):
    """A wheel for any platform holds a binary for one."""

    code = "W602"
    why = "pip installs it on machines that cannot run it."
    fix = "give the wheel a platform tag: the build backend has to know that there are extensions"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if wheel.is_pure:
            for member in wheel.elves:
                yield self.finding(member=member, found="an ELF file", expected="no binaries in an any wheel")
