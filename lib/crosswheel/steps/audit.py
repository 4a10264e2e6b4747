"""The gate that a wheel of any engine passes: is it what its name says?"""

from __future__ import annotations

from pathlib import Path

from crosswheel.model import Finding
from crosswheel.rules import RULES
from crosswheel.targets import Target
from crosswheel.wheels import read_wheel


def audit(path: Path, target: Target | None = None) -> tuple[Finding, ...]:
    """Everything that there is to say of a wheel, in the order of the rules; `target` is what it was built for."""
    wheel = read_wheel(path)
    return tuple(finding for rule in RULES for finding in rule.check(wheel, target))
