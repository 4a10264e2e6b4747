"""The gate that a wheel of any engine passes: is it what its name says?"""

from __future__ import annotations

from dataclasses import replace

from crosswheel.audits import audit_wheel, switched_off
from crosswheel.steps.work import Work

__all__ = ["audit", "audit_wheel"]


def audit(work: Work) -> Work:
    """The same work, with everything that the rules have to say of its wheel."""
    findings = audit_wheel(work.made, work.job.target)
    return replace(work, findings=switched_off(findings, work.config.ignore))
