"""What an audit found, as text, as JSON and as SARIF."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from crosswheel.auditing.rules import ALL_RULES
from crosswheel.auditing.run import Audit, AuditReport, switched_off, unreadable
from crosswheel.model.job import Artifact, Finding, counted
from crosswheel.reporting.audit import audit_document, audit_text, rules_document
from crosswheel.reporting.narrator import Narrator
from crosswheel.reporting.sarif import sarif_document
from schemas import schema_of

WHEEL = Path("wheelhouse", "tiny-1.0-cp313-cp313-manylinux_2_17_aarch64.whl")
EVIL = "a\x1b[31m\u202e\nb"


def broken(code: str, **evidence: str) -> Finding:
    """A finding of the rule of that code."""
    return next(rule for rule in ALL_RULES if rule.code == code).finding(**evidence)


def audited(*findings: Finding, path: Path = WHEEL) -> Audit:
    artifact = Artifact(path, 2048, "0123456789abcdef" * 4, "cp313-cp313-manylinux_2_17_aarch64")
    return Audit(path, findings, 0.25, artifact)


@pytest.fixture
def report() -> AuditReport:
    """With one of everything."""
    off = switched_off([broken("W401", member="tiny/b.so", found="/opt")], {"W401": "a launcher of our own"})
    many = [broken("W202", member=f"tiny/{number}.so", found="EM_386") for number in range(7)]
    note = broken("W302", member="tiny/a.so")
    return AuditReport(
        audits=(
            audited(*off, note, *many),
            audited(path=WHEEL.with_name("tiny-1.0-py3-none-any.whl")),
            Audit(WHEEL.with_name("x.whl"), (unreadable("x.whl is no wheel"),), 0.0),
        ),
        sdists=(WHEEL.with_name("tiny-1.0.tar.gz"),),
        together=(broken("W701", member=WHEEL.name, found="1.0"), broken("W707", member="tiny")),
        seconds=1.5,
    )


def test_text_has_the_worst_first_each_rule_once_and_long_lists_folded(report: AuditReport) -> None:
    lines = audit_text(report).splitlines()
    assert lines[:9] == [
        f"✘ {WHEEL.name} (2.0 KiB): 7 errors, 1 note, 1 switched off",
        "    error W202: A binary is for another architecture than the tag.",
        *(f"        tiny/{number}.so, found EM_386" for number in range(5)),
        "        and 2 more",
        f"        fix: {broken('W202').fix}",
    ]
    assert lines[9].startswith("    note W302: ")
    assert lines[12:15] == [
        "    switched off (a launcher of our own), error W401: A binary searches for libraries outside of the wheel.",
        "        tiny/b.so, found /opt",
        "✔ tiny-1.0-py3-none-any.whl (2.0 KiB): nothing found",
    ]
    assert lines[15:18] == [
        "✘ x.whl: 1 error",
        "    error W001: The file cannot be read completely as a wheel or sdist.",
        "        found x.whl is no wheel",
    ]
    assert lines[19:21] == ["all together", "    warning W701: The wheels of one project have several versions."]
    assert lines[-1] == "3 files · 8 errors, 1 warning, 2 notes, 1 switched off · 1.5 s"


@pytest.mark.parametrize(("code", "mark"), [("W202", "✘"), ("W701", "!"), ("W302", "✔")])
def test_the_mark_is_that_of_the_worst_finding(code: str, mark: str) -> None:
    assert audit_text(AuditReport((audited(broken("W302"), broken(code)),))).startswith(mark)


def test_names_of_members_can_do_nothing_to_a_terminal_or_a_page() -> None:
    evil = Finding("W202", "error", EVIL, EVIL, EVIL, EVIL, EVIL, EVIL)
    report = AuditReport((audited(evil, path=Path(f"{EVIL}.whl")),), (), (evil,))
    text = audit_text(report)
    assert not re.search(r"[\x1b\u202e]", text)
    assert all(line.strip() != "b" for line in text.splitlines())
    shown = re.sub(r"%[0-9A-F]{2}", "", json.dumps(sarif_document(report), ensure_ascii=False))
    assert not re.search(r"\x1b|\\u001b|\u202e", shown)


def test_where_nobody_looks_nothing_moves() -> None:
    stream = io.StringIO()
    with Narrator(stream, {}) as narrator:
        assert list(counted([audited(), audited()], "auditing", 2, narrator)) == [audited(), audited()]
    assert stream.getvalue() == ""


def strict_schema() -> Any:
    """The published schema lets later versions add keys; here every key that is written must be described."""

    def close(node: Any) -> Any:
        if isinstance(node, list):
            return [close(item) for item in node]
        if not isinstance(node, dict):
            return node
        closed = {key: close(value) for key, value in node.items()}
        if "properties" in node and "additionalProperties" not in node and node is not schema["$defs"]["heading"]:
            closed["unevaluatedProperties"] = False
        return closed

    schema = schema_of("audit")
    return close(schema)


def check(document: dict[str, Any]) -> None:
    schema = strict_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(document)), schema, jsonschema.Draft202012Validator)


def test_documents_keep_the_schema(report: AuditReport) -> None:
    check(audit_document(report))
    check(audit_document(AuditReport((audited(),))))
    check(rules_document())


@pytest.mark.parametrize("key", ["schema", "rules", "totals", "wheels"])
def test_the_schema_refuses_what_lacks_a_part(report: AuditReport, key: str) -> None:
    document = audit_document(report)
    del document[key]
    with pytest.raises(jsonschema.ValidationError):
        check(document)


def test_the_document_says_all_that_was_found(report: AuditReport) -> None:
    document = audit_document(report)
    first, good, unread = document["wheels"]
    assert (first["passed"], good["passed"], unread["passed"]) == (False, True, False)
    assert (first["path"], first["size"], first["tag"]) == (str(WHEEL), 2048, "cp313-cp313-manylinux_2_17_aarch64")
    assert (unread["file"], unread["size"], unread["sha256"], unread["tag"]) == ("x.whl", None, None, None)
    assert first["findings"][0] == {
        "rule": "W401",
        "level": "error",
        "message": "A binary searches for libraries outside of the wheel.",
        "member": "tiny/b.so",
        "found": "/opt",
        "expected": "",
        "fix": broken("W401").fix,
        "ignored": "a launcher of our own",
    }
    assert document["totals"] == {"files": 3, "errors": 8, "warnings": 1, "notes": 2, "ignored": 1}
    assert document["sdists"] == ["wheelhouse/tiny-1.0.tar.gz"]
    assert [finding["rule"] for finding in document["findings"]] == ["W701", "W707"]


# What SARIF 2.1.0 asks of the parts that are written, from its JSON schema: keys, types, and no others.
_TEXT = {"type": "object", "properties": {"text": {"type": "string", "minLength": 1}}, "required": ["text"]}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}


def _shape(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    properties = {**required, **optional}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def _list(items: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_RULE = _shape(
    {"id": {"type": "string"}},
    name={"type": "string"},
    shortDescription=_TEXT,
    fullDescription=_TEXT,
    help=_TEXT,
    defaultConfiguration=_shape({}, level=_LEVEL),
)
_PLACE = _shape(
    {},
    physicalLocation=_shape(
        {"artifactLocation": _shape({"uri": {"type": "string", "format": "uri-reference"}})},
        region=_shape({}, startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations=_list(_shape({}, fullyQualifiedName={"type": "string"}, kind={"type": "string"})),
)
_RESULT = _shape(
    {"message": _TEXT},
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": -1},
    level=_LEVEL,
    locations=_list(_PLACE),
    suppressions=_list(
        _shape(
            {"kind": {"enum": ["inSource", "external"]}},
            justification={"type": "string"},
        ),
        uniqueItems=True,
    ),
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
)
_DRIVER = _shape({"name": {"type": "string"}}, version={"type": "string"}, rules=_list(_RULE, uniqueItems=True))
_RUN = _shape(
    {"tool": _shape({"driver": _DRIVER})},
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    invocations=_list(_shape({"executionSuccessful": {"type": "boolean"}})),
    results=_list(_RESULT),
)
SARIF = _shape({"version": {"const": "2.1.0"}, "runs": _list(_RUN)}, **{"$schema": {"type": "string"}})


def sarif(report: AuditReport, *folders: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rules and the results, once they keep the format."""
    document = json.loads(json.dumps(sarif_document(report, folders)))
    jsonschema.validate(document, SARIF, jsonschema.Draft202012Validator)
    (run,) = document["runs"]
    return run["tool"]["driver"]["rules"], run["results"]


def test_sarif_has_every_rule_and_a_result_for_each_finding(report: AuditReport) -> None:
    rules, results = sarif(report)
    assert [rule["id"] for rule in rules] == [rule.code for rule in ALL_RULES]
    assert [(result["ruleId"], result["level"]) for result in results] == [
        (finding.rule, finding.level) for finding in report.findings
    ]
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in results)


def test_sarif_says_what_where_and_how_to_fix_it(report: AuditReport) -> None:
    rules, results = sarif(report)
    result = next(result for result in results if result["ruleId"] == "W202")
    assert result["message"]["text"] == "A binary is for another architecture than the tag. (tiny/0.so, found EM_386)"
    (place,) = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == WHEEL.as_posix()
    assert place["logicalLocations"] == [{"fullyQualifiedName": "tiny/0.so", "kind": "member"}]
    assert broken("W202").fix in rules[result["ruleIndex"]]["help"]["text"]


def test_what_is_switched_off_is_suppressed_with_the_reason_and_all_else_is_known_not_to_be(
    report: AuditReport,
) -> None:
    _, results = sarif(report)
    assert results[0]["suppressions"] == [{"kind": "external", "justification": "a launcher of our own"}]
    assert all(result["suppressions"] == [] for result in results[1:])


def test_what_concerns_all_stands_at_the_wheel_it_names_or_at_the_folder(report: AuditReport) -> None:
    _, results = sarif(report, Path("wheelhouse"))
    assert [_uri(result) for result in results[-2:]] == [WHEEL.as_posix(), "wheelhouse"]


def _uri(result: dict[str, Any]) -> str:
    return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/ä#.whl", "a%20b/%C3%A4%23.whl"),
        ("a/../b.whl", "b.whl"),
        ("\udce9.whl", "%E9.whl"),
        ("/nowhere/x.whl", "file:///nowhere/x.whl"),
    ],
)
def test_places_are_relative_to_the_current_folder_where_they_are_in_it(path: str, uri: str) -> None:
    (result,) = sarif(AuditReport((audited(broken("W202"), path=Path(path)),)))[1]
    assert _uri(result) == uri


def fingerprints(*findings: Finding, path: Path = WHEEL) -> list[str]:
    _, results = sarif(AuditReport((audited(*findings, path=path),)))
    return [result["partialFingerprints"]["primaryLocationLineHash"] for result in results]


def test_fingerprints_tell_findings_apart_and_know_them_again() -> None:
    one, other = broken("W202", member="a.so", found="x"), broken("W202", member="b.so", found="x")
    both = fingerprints(one, other)
    assert len(set(both)) == 2
    assert fingerprints(other, one) == both[::-1]
    assert fingerprints(one, path=WHEEL.with_name(WHEEL.name.replace("1.0", "2.0"))) == both[:1]
    assert fingerprints(one, path=WHEEL.with_name(WHEEL.name.replace("313", "314"))) != both[:1]
    assert fingerprints(broken("W202", member="a.so", found="another hash")) == both[:1]
    assert len(set(fingerprints(one, one))) == 2
