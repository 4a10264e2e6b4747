from __future__ import annotations

import dataclasses
import errno
import json
import os
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from crosswheel import __version__
from crosswheel.errors import CrosswheelError, DiskFull, UsageError
from crosswheel.model.job import Plan, Refusal, Report
from crosswheel.reporting.document import Document, json_text, plan_document, report_document, write_json
from schemas import schema_of


def strict_schema() -> Any:
    """The published schema lets later versions add keys; here every key that is written must be described."""

    def close(node: Any) -> Any:
        if isinstance(node, list):
            return [close(item) for item in node]
        if not isinstance(node, dict):
            return node
        closed = {key: close(value) for key, value in node.items()}
        if "required" in node and "additionalProperties" not in node and node is not heading and node is not job:
            closed["unevaluatedProperties"] = False
        return closed

    schema = schema_of("report")
    heading, job = schema["$defs"]["heading"], schema["$defs"]["job"]
    return close(schema)


def check(document: Document) -> None:
    schema = strict_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(document)), schema, jsonschema.Draft202012Validator)


def test_plan_keeps_the_schema(sample_plan: Plan) -> None:
    check(plan_document(sample_plan))


def test_report_keeps_the_schema(sample_report: Report) -> None:
    check(report_document(sample_report))


def test_empty_plan_and_report_keep_the_schema() -> None:
    check(plan_document(Plan("demo")))
    check(report_document(Report(Plan("demo"), (), None, 0.0, 0.0)))


def test_unfinished_jobs_keep_the_schema(sample_report: Report) -> None:
    document = report_document(dataclasses.replace(sample_report, outcomes=sample_report.outcomes[:1]))
    check(document)
    assert [job["status"] for job in document["jobs"]] == ["built", "unfinished", "unfinished", "unfinished"]
    assert document["totals"]["unfinished"] == 3


def test_documents_of_schema_1_are_still_valid(sample_report: Report) -> None:
    document = report_document(sample_report)
    for job in document["jobs"]:
        for timed in (job, *job["steps"]):
            for name in ("started", "ended", "cpu_seconds", "waits_for", "worker"):
                timed.pop(name, None)
    with pytest.raises(jsonschema.ValidationError):
        check(document)
    check({**document, "schema": 1})


def test_schema_refuses_a_failure_without_its_reason(sample_report: Report) -> None:
    document = report_document(sample_report)
    document["jobs"][2]["failure"] = None
    with pytest.raises(jsonschema.ValidationError):
        check(document)


def test_plan_document(sample_plan: Plan) -> None:
    document = plan_document(dataclasses.replace(sample_plan, jobs=sample_plan.jobs[:1]))
    assert document == {
        "schema": 2,
        "kind": "plan",
        "crosswheel": __version__,
        "source": "demo-1.0.tar.gz",
        "jobs": [
            {
                "target": "cp312-manylinux2014_aarch64",
                "python": "cp312",
                "arch": "aarch64",
                "policy": "manylinux2014",
                "engine": "cross",
                "image": None,
                "reason": "zig is a compiler for it",
                "refused": [{"engine": "native", "reason": "this machine is x86_64"}],
                "interpreter": {"tag": "cp312", "version": "3.12.9", "path": "/opt/python/bin/python3"},
                "untested": "",
                "expected_seconds": None,
            }
        ],
        "expected_seconds": None,
        "matrix": {"include": [{"arch": "aarch64", "engine": "cross", "python": ["cp312"]}]},
        "left_out": [
            {
                "what": "cp310-manylinux2014_aarch64",
                "reason": "no CPython 3.10 on this machine",
                "hint": "uv python install 3.10",
                "asked_for": False,
            },
            {
                "what": "cp310-musllinux_1_2_aarch64",
                "reason": "no CPython 3.10 on this machine",
                "hint": "uv python install 3.10",
                "asked_for": False,
            },
            {
                "what": "cp39-manylinux2014_aarch64",
                "reason": "requires-python is >=3.10",
                "hint": "",
                "asked_for": True,
            },
        ],
        "totals": {"jobs": 1, "left_out": 3},
    }


def test_report_document(sample_report: Report) -> None:
    document = report_document(sample_report)
    assert document["started"] == "2023-11-14T22:13:20+00:00"
    assert document["sdist"] == {
        "name": "demo",
        "version": "1.0",
        "file": "demo-1.0.tar.gz",
        "path": "dist/demo-1.0.tar.gz",
        "sha256": "fedcba9876543210" * 4,
        "requires_python": ">=3.10",
        "epoch": 315_532_800,
        "content": "",
    }
    assert document["totals"] == {
        "jobs": 4,
        "built": 1,
        "kept": 0,
        "reused": 1,
        "pure": 1,
        "failed": 1,
        "cancelled": 0,
        "unfinished": 0,
        "untested": 3,
        "wheels": 2,
        "bytes": 1_260_339,
        "hits": 0,
        "misses": 0,
        "commands": 0,
        "by_gcc": 0,
        "left_out": 3,
    }
    built, reused, failed, _ = document["jobs"]
    assert built["wheel"] == {
        "file": "demo-1.0-cp312-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
        "path": "wheelhouse/demo-1.0-cp312-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64.whl",
        "size": 1_258_291,
        "sha256": "0123456789abcdef" * 4,
        "tag": "cp312-abi3-manylinux_2_17_aarch64.manylinux2014_aarch64",
    }
    assert built["steps"] == [
        {"step": "build", "started": 1.5, "seconds": 10.04, "cpu_seconds": 17.25},
        {"step": "repair", "started": 11.54, "seconds": 2.0, "cpu_seconds": None},
        {"step": "audit", "started": None, "seconds": 0.26, "cpu_seconds": None},
    ]
    assert built["seconds"] == 12.3
    assert (built["started"], built["ended"], built["cpu_seconds"]) == (1.0, 14.0, 18.5)
    assert (built["waits_for"], built["worker"]) == ([], None)
    assert (reused["started"], reused["cpu_seconds"]) == (None, None)
    assert (reused["waits_for"], reused["worker"]) == (["cp312-manylinux2014_aarch64"], "arm1")
    assert failed["failure"] == {
        "kind": "BuildFailed",
        "exit_code": 7,
        "step": "build",
        "message": "the build backend failed\n  exit status 1",
        "hint": "nox -s wheels -- --target cp313t-manylinux_2_28_aarch64",
        "log_tail": ["src/demo.c:1:10: fatal error", "[bold]compilation[/bold] terminated."],
        "cause": "",
    }


def test_images_and_why_wheels_are_not_tested_are_there_whole(sample_report: Report) -> None:
    image = f"quay.io/pypa/manylinux2014_aarch64@sha256:{'0123456789abcdef' * 4}"
    job = dataclasses.replace(
        sample_report.outcomes[0].job, image=image, refused=(Refusal("native", f"no {image}"),), untested="foreseen"
    )
    plan = Plan("demo", (job,))
    (planned,) = plan_document(plan)["jobs"]
    assert (planned["image"], planned["untested"]) == (image, "foreseen")
    assert planned["refused"] == [{"engine": "native", "reason": f"no {image}"}]
    outcome = dataclasses.replace(sample_report.outcomes[0], job=job, untested=f"no {image}")
    report = report_document(dataclasses.replace(sample_report, plan=plan, outcomes=(outcome,)))
    check(report)
    assert [(each["image"], each["tested"], each["untested"]) for each in report["jobs"]] == [
        (image, False, f"no {image}")
    ]


def test_json_is_laid_out_as_pythons_own() -> None:
    row = {"name": "a,\n: b", "size": 1, "ratio": 0.5, "none": None, "yes": True, "empty": "", "half": []}
    document = {"rows": [row, {}, {"deep": {**row, "in": {"x": "y"}}}], "flat": {"a": 1, "b": "c"}, "list": [1, "2"]}
    assert json_text(document) == json.dumps(document, indent=2) + "\n"


def test_written_whole_with_names_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    write_json(path, {"file": "d\udce9mo-é.whl"})
    assert path.read_bytes() == '{\n  "file": "d\\udce9mo-é.whl"\n}\n'.encode()
    assert json.loads(path.read_text("utf-8")) == {"file": "d\udce9mo-é.whl"}
    assert os.listdir(tmp_path) == ["report.json"]  # noqa: PTH208 - the names are enough


def test_missing_folder_is_a_usage_error(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "report.json"
    with pytest.raises(UsageError) as caught:
        write_json(path, {})
    assert str(caught.value) == f"cannot write {path}: No such file or directory\n  try: mkdir -p {path.parent}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.EACCES, UsageError), (errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull)]
)
@pytest.mark.parametrize("operation", ["write_bytes", "replace"])
def test_failed_write_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[CrosswheelError], operation: str
) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def fail(draft: Path, _argument: Any) -> None:
        draft.touch()
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, operation, fail)
    with pytest.raises(kind):
        write_json(path, {})
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_interrupted_write_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(draft: Path, _target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_json(tmp_path / "report.json", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_is_no_place_for_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    with pytest.raises(UsageError, match="cannot write"):
        write_json(Path(path), {})
    assert not [*tmp_path.iterdir()][1:]
