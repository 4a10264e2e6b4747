"""The gate that a wheel of any engine passes: is it what its name says?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from crosswheel.model import Finding
from crosswheel.rules import RULES
from crosswheel.steps.work import Work
from crosswheel.targets import Target
from crosswheel.wheels import read_wheel


def audit(work: Work) -> Work:
    """The same work, with everything that the rules have to say of its wheel."""
    return replace(work, findings=audit_wheel(work.made, work.job.target))


def audit_wheel(path: Path, target: Target | None = None) -> tuple[Finding, ...]:
    """What there is to say of a wheel, in the order of the rules; `target` is what it was built for, if that is known.

    Raises AuditFailed for a file that is no wheel at all.
    """
    wheel = read_wheel(path)
    return tuple(finding for rule in RULES for finding in rule.check(wheel, target))
