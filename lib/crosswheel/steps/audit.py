"""The step `audit`: checks the wheel of any engine by the rules."""

from __future__ import annotations

from dataclasses import replace

from crosswheel.auditing.rules.purity import NotCompiled, NothingCompiled, RequirementNotForTarget, not_compiled
from crosswheel.auditing.run import findings_of, switched_off
from crosswheel.model.job import Finding, LaidOver
from crosswheel.steps.work import Work


def audit(work: Work) -> Work:
    """The work with the findings of its wheel, and the sha256 of the wheel if it passed."""
    wheel = work.read()
    lacking = tuple(map(not_compiled, work.uncompiled))
    unlike = (not_for_target(one) for one in work.requirements if one.lacking)
    told = findings_of(wheel, work.job.target, work.composition.rules)
    found = (_with_advice(finding, lacking) for finding in told)
    noted = (*lacking, *unlike, *work.noted, *found)
    findings = switched_off(noted, work.config.audit.ignore, work.config.audit.exclude)
    passed = "" if any(finding.is_error for finding in findings) else wheel.sha256
    return replace(work, parsed=wheel, findings=findings, passed=passed)


def not_for_target(requirement: LaidOver) -> Finding:
    name = f"{requirement.name} {requirement.version}"
    return RequirementNotForTarget().finding(member=name, found=requirement.lacking)


def _with_advice(finding: Finding, lacking: tuple[Finding, ...]) -> Finding:
    """A finding for a wheel without compiled code, with the advice for the first extension that failed."""
    failed = [each for each in lacking if each.rule == NotCompiled.code]
    return replace(finding, fix=failed[0].fix) if failed and finding.rule == NothingCompiled.code else finding
