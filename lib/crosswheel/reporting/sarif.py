"""Audit results as SARIF 2.1.0, the format of code-scanning pages.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from crosswheel import __version__
from crosswheel.auditing.rules import ALL_RULES
from crosswheel.auditing.rules.rule import Worded
from crosswheel.auditing.run import AuditReport
from crosswheel.model.job import Finding
from crosswheel.reporting.document import Document
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import evidence_text

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_document(report: AuditReport, folders: Sequence[Path] = ()) -> Document:
    """One SARIF run with a result per finding; findings about all wheels are located at the first of `folders`."""
    rules = (*ALL_RULES, *report.own_rules)
    numbers = {rule.code: number for number, rule in enumerate(rules)}
    driver = {"name": "crosswheel", "version": __version__, "rules": [_rule(rule) for rule in rules]}
    results = [_result(finding, path, numbers[finding.rule]) for path, finding in _placed(report, folders)]
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True}],
        "results": list(_told_apart(results)),
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: Worded) -> Document:
    return {
        "id": rule.code,
        "name": type(rule).__name__,
        "shortDescription": {"text": rule.finding().message},
        "fullDescription": {"text": f"{rule.finding().message} {rule.why}"},
        "help": {"text": f"{rule.why}\nTo fix it: {rule.fix}"},
        "defaultConfiguration": {"level": rule.level},
    }


def _placed(report: AuditReport, folders: Sequence[Path]) -> Iterator[tuple[Path, Finding]]:
    """Every finding with its file or folder."""
    for audit in report.audits:
        yield from ((audit.path, finding) for finding in audit.findings)
    files = {path.name: path for path in (*(audit.path for audit in report.audits), *report.sdists)}
    elsewhere = folders[0] if folders else report.audits[0].path.parent
    yield from ((files.get(finding.member, elsewhere), finding) for finding in report.together)


def _result(finding: Finding, path: Path, number: int) -> Document:
    evidence = evidence_text(finding)
    text = f"{one_line(finding.message)} ({evidence})" if evidence else one_line(finding.message)
    text = text.replace("](", "] (")  # [words](address) is a link (3.11.6)
    place: Document = {
        # Line 1 has no meaning here, but GitHub does not show results without a line.
        "physicalLocation": {"artifactLocation": {"uri": _uri(path)}, "region": {"startLine": 1}}
    }
    if finding.member:
        place["logicalLocations"] = [{"fullyQualifiedName": one_line(finding.member), "kind": "member"}]
    off = {"kind": "external", "justification": one_line(finding.ignored)}
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "level": finding.level,
        "message": {"text": text},
        "locations": [place],
        # An empty list means "not suppressed"; a missing list means "unknown".
        "suppressions": [off] if finding.ignored else [],
        "partialFingerprints": {"primaryLocationLineHash": _fingerprint(finding, path)},
    }


def _uri(path: Path) -> str:
    """The URI of a path: relative if the path is below the current folder, which is the checkout in CI."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - a link keeps its own name
    if whole.is_relative_to(Path.cwd()):
        return quote(os.fsencode(whole.relative_to(Path.cwd())))
    return f"file://{quote(os.fsencode(whole))}"


def _fingerprint(finding: Finding, path: Path) -> str:
    """A fingerprint without the version, so that the finding in the next version's wheel counts as the same."""
    name, _, rest = path.name.partition("-")
    tag = rest.partition("-")[2]
    text = f"{finding.rule}\0{name}\0{tag}\0{finding.member}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _told_apart(results: Sequence[Document]) -> Iterator[Document]:
    """The fingerprint with a number, because one place may have several findings of one rule."""
    seen: Counter[str] = Counter()
    for result in results:
        same = result["partialFingerprints"]["primaryLocationLineHash"]
        seen[same] += 1
        yield {**result, "partialFingerprints": {"primaryLocationLineHash": f"{same}:{seen[same]}"}}
