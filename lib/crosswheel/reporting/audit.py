"""Audit results as text and as JSON; `docs/audit.schema.json` describes the documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.auditing.policies import Analysis
from crosswheel.auditing.rules import ALL_RULES
from crosswheel.auditing.rules.rule import Worded
from crosswheel.auditing.run import Audit, AuditReport
from crosswheel.model.job import Finding, Level
from crosswheel.reporting.console import plain_console, styled
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.run import shown
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import (
    FINDING_STYLES,
    Line,
    count_text,
    evidence_text,
    finding_style,
    finding_text,
    seconds_text,
    size_text,
)

if TYPE_CHECKING:
    from rich.console import Console

_PLACES = 5  # members shown for one rule
_LEVELS: tuple[Level, ...] = ("error", "warning", "note")
_MARKS: dict[Level, str] = {"error": "✘", "warning": "!", "note": "✔"}


def audit_text(report: AuditReport, console: Console | None = None) -> str:
    """One line per file with its findings below it, then the findings about all files together, then the totals."""
    lines: list[Line] = []
    for audit in report.audits:
        lines += [_headline(audit), *_finding_lines(audit.findings)]
    if report.together:
        lines += [("bold", "all together"), *_finding_lines(report.together)]
    return shown(console or plain_console(), styled([*lines, _closing(report)]))


def rules_text(own: Sequence[Worded] = (), console: Console | None = None) -> str:
    """Every rule of the audit, then a project's own ones."""
    return shown(console or plain_console(), styled(line for rule in (*ALL_RULES, *own) for line in _rule_lines(rule)))


def audit_document(report: AuditReport, kind: str = "audit") -> Document:
    return {
        **_heading(kind),
        "seconds": round(report.seconds, 3),
        "wheels": [_wheel(audit) for audit in report.audits],
        "sdists": [str(path) for path in report.sdists],
        "findings": [asdict(finding) for finding in report.together],
        "totals": {"files": len(report.audits), **_totals(report.findings)},
        "rules": [_rule(rule) for rule in (*ALL_RULES, *report.own_rules)],
    }


def rules_document(own: Sequence[Worded] = ()) -> Document:
    return {**_heading("rules"), "rules": [_rule(rule) for rule in (*ALL_RULES, *own)]}


def _headline(audit: Audit) -> Line:
    worst = _worst(audit.findings)
    style, mark = (FINDING_STYLES[worst], _MARKS[worst]) if worst else ("green", "✔")
    size = f" ({size_text(audit.wheel.size)})" if audit.wheel else ""
    return style if worst != "note" else "green", f"{mark} {one_line(audit.path.name)}{size}: {_count(audit.findings)}"


def _worst(findings: Iterable[Finding]) -> Level | None:
    there = {finding.level for finding in findings if not finding.ignored}
    return next((level for level in _LEVELS if level in there), None)


def _count(findings: Iterable[Finding]) -> str:
    """``1 error, 2 notes, 1 switched off``."""
    totals = _totals(findings)
    parts = [count_text(totals[f"{level}s"], level) for level in _LEVELS if totals[f"{level}s"]]
    return ", ".join([*parts, *([f"{totals['ignored']} switched off"] if totals["ignored"] else [])]) or "nothing found"


def _totals(findings: Iterable[Finding]) -> dict[str, int]:
    count = Counter("ignored" if finding.ignored else finding.level for finding in findings)
    return {**{f"{level}s": count[level] for level in _LEVELS}, "ignored": count["ignored"]}


def _finding_lines(findings: Iterable[Finding]) -> Iterator[Line]:
    """Errors first; each rule once, with the members that break it."""
    groups: dict[tuple[bool, int, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((bool(finding.ignored), _LEVELS.index(finding.level), finding.rule), []).append(finding)
    for key in sorted(groups, key=lambda key: key[:2]):
        yield from _group_lines(groups[key])


def _group_lines(group: list[Finding]) -> Iterator[Line]:
    first = group[0]
    yield finding_style(first), f"    {finding_text(first)}"
    places = [text for finding in group if (text := evidence_text(finding))]
    yield from (("", f"        {text}") for text in places[:_PLACES])
    if len(places) > _PLACES:
        yield "", f"        and {len(places) - _PLACES} more"
    if first.fix and not first.ignored:
        yield "", f"        fix: {one_line(first.fix)}"


def _closing(report: AuditReport) -> Line:
    worst = _worst(report.findings)
    parts = (count_text(len(report.audits), "file"), _count(report.findings), seconds_text(report.seconds))
    style = FINDING_STYLES[worst] if worst in {"error", "warning"} else "green"
    return f"bold {style}", " · ".join(parts)


def _rule_lines(rule: Worded) -> Iterator[Line]:
    yield FINDING_STYLES[rule.level], f"{rule.code} {rule.level}: {rule.finding().message}"
    yield "", f"    why: {rule.why}"
    yield "", f"    fix: {rule.fix}"


def _heading(kind: str) -> Document:
    return {"schema": SCHEMA, "kind": kind, "crosswheel": __version__}


def _wheel(audit: Audit) -> Document:
    wheel = audit.wheel
    return {
        "file": audit.path.name,
        "path": str(audit.path),
        "size": wheel.size if wheel else None,
        "sha256": wheel.sha256 if wheel else None,
        "tag": (wheel.tag if wheel else "") or None,
        "passed": not any(finding.is_error for finding in audit.findings),
        "seconds": round(audit.seconds, 3),
        "findings": [asdict(finding) for finding in audit.findings],
        "analyses": [_analysis(analysis) for analysis in audit.analyses],
    }


def _analysis(analysis: Analysis) -> Document:
    """The document of ``auditwheel show --json``; like there, empty fields of an upgrade are left out."""
    upgrades = {
        name: {key: value for key, value in asdict(upgrade).items() if value}
        for name, upgrade in analysis.policy_upgrades.items()
    }
    return {**asdict(analysis), "policy_upgrades": upgrades}


def _rule(rule: Worded) -> Document:
    texts = {"message": rule.finding().message, "why": rule.why, "fix": rule.fix}
    return {"code": rule.code, "level": rule.level, **texts}
