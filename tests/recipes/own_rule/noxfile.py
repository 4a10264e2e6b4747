from collections.abc import Iterator
from pathlib import Path

from crosswheel import sessions
from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target


class NoLicense(Rule):
    """The wheel has no license file."""

    code = "X001"
    level = "warning"  # "error": the wheel is not saved
    why = "We promise our customers a license in every file."
    fix = 'set license-files = ["LICENSE"] in pyproject.toml'

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not any(Path(member).name.startswith("LICENSE") for member in wheel.members):
            yield self.finding(expected=f"{wheel.dist_info}/licenses/LICENSE")


sessions.add(only=["wheels-aarch64"], rules=[NoLicense()])
