"""The gate that a wheel of any engine passes: is it what its name says?"""

from __future__ import annotations

from dataclasses import replace

from crosswheel.audits import audit_wheel, switched_off
from crosswheel.index import sha256_of
from crosswheel.steps.work import Work

__all__ = ["audit", "audit_wheel"]


def audit(work: Work) -> Work:
    """The same work, with everything that the rules have to say of its wheel, and which bytes have passed."""
    sha256 = sha256_of(work.made)
    findings = switched_off(audit_wheel(work.made, work.job.target), work.config.ignore)
    passed = "" if any(finding.is_error for finding in findings) else sha256
    return replace(work, findings=findings, passed=passed)
