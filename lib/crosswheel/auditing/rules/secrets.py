"""5xx: what must never be published."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target


class Credentials(Rule):
    """The wheel contains a password, a token or a private key."""

    code = "W524"
    why = "Everybody who downloads the wheel can use it; programs search each new file of the index for them."
    fix = "revoke it now if a file with it was ever published; then leave the file out, and build again"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, found in wheel.credentials.items():
            yield self.finding(member=member, found=found, expected="no credentials")
