from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

import crosswheel as cw
import page_samples as samples
from crosswheel.commands import run_verb
from crosswheel.errors import NothingToDo, UsageError


def written(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def test_the_page_goes_beside_the_first_file(tmp_path: Path) -> None:
    files = [
        written(tmp_path / "out" / "report.json", samples.full_report()),
        written(tmp_path / "readiness.json", samples.readiness()),
    ]
    made = cw.report(files)
    assert made.ok
    assert made.path == tmp_path / "out" / "report.html"
    assert [verdict.mood for verdict in made.verdicts] == ["bad", "bad"]
    assert str(made).splitlines()[-1] == str(made.path)
    assert made.document() == {
        "schema": 1,
        "kind": "page",
        "page": str(made.path),
        "trace": None,
        "verdicts": [{"mood": verdict.mood, "text": verdict.text} for verdict in made.verdicts],
    }


def test_without_files_it_takes_those_of_the_output_folder(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match=r"there is no report\.json in .*wheelhouse"):
        cw.report(project=tmp_path)
    written(tmp_path / "wheelhouse" / "report.json", samples.full_report())
    written(tmp_path / "wheelhouse" / "release.json", samples.release())
    printed = io.StringIO()
    assert run_verb("report", tmp_path, {}, printed) == 0
    first, second, path, *_ = printed.getvalue().splitlines()
    assert first.startswith("4 of 5 targets have a wheel; 1 failed")
    assert second == "demo 1.0 is released: testpypi serves exactly the 1 file that was built."
    assert path.endswith("report.html")


def test_the_trace_is_of_the_newest_run(tmp_path: Path) -> None:
    old = written(tmp_path / "old.json", samples.emulated_before())
    new = written(tmp_path / "new.json", samples.full_report())
    made = cw.report([old, new], page=tmp_path / "page.html", trace=tmp_path / "trace.json")
    assert (made.path, made.trace) == (tmp_path / "page.html", tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    assert trace["otherData"]["started"] == samples.full_report()["started"]
    tree = written(tmp_path / "tree.json", samples.readiness())
    with pytest.raises(NothingToDo, match="none of these files is the report of a run"):
        cw.report([tree], trace=tmp_path / "trace.json")


def test_a_plan_is_no_report(tmp_path: Path) -> None:
    path = written(tmp_path / "plan.json", {"schema": 2, "kind": "plan", "jobs": []})
    with pytest.raises(UsageError, match="has no report, readiness or release"):
        cw.report([path])
