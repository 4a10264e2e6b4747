from __future__ import annotations

import json
from pathlib import Path

import pytest

import page_samples as samples
from crosswheel.reporting.document import Document
from crosswheel.reporting.earlier import earlier_runs
from crosswheel.reporting.page.beside import write_page

TARGET = "cp310-manylinux2014_aarch64"


def kept(document: Document) -> Document:
    """The same run again: the journal had every wheel, and remembers the tests."""
    again: Document = json.loads(json.dumps(document))
    for job in again["jobs"]:
        job.update(status="kept", steps=[], started=None, ended=None, tested_before=True)
    return {**again, "started": "2026-06-01T00:00:00+00:00"}


@pytest.fixture
def built() -> Document:
    return samples.report(samples.outcome(TARGET, 0.0), samples.outcome("cp311-manylinux2014_aarch64", 1.0))


def test_a_run_that_did_nothing_leaves_the_page_of_the_one_that_built(tmp_path: Path, built: Document) -> None:
    write_page(tmp_path, built)
    page = (tmp_path / "report.html").read_bytes()
    assert b"Timeline" in page
    write_page(tmp_path, kept(built))
    assert (tmp_path / "report.html").read_bytes() == page


@pytest.mark.parametrize("change", ["wheel", "finding", "untested", "crosswheel", "left out"])
def test_it_is_written_anew_where_something_differs(tmp_path: Path, built: Document, change: str) -> None:
    write_page(tmp_path, built)
    page = (tmp_path / "report.html").read_bytes()
    again = kept(built)
    job = again["jobs"][0]
    if change == "wheel":
        job["wheel"]["sha256"] = "0" * 64
    elif change == "finding":
        names = ("rule", "message", "member", "found", "expected", "fix", "ignored")
        job["findings"] = [{**dict.fromkeys(names, ""), "level": "error"}]
    elif change == "untested":
        job.update(tested=False, untested="no emulator")
    elif change == "crosswheel":
        again["crosswheel"] = "9"
    else:
        again["left_out"] = []
    write_page(tmp_path, again)
    assert (tmp_path / "report.html").read_bytes() != page


def test_a_release_beside_it_is_shown(tmp_path: Path, built: Document) -> None:
    write_page(tmp_path, built)
    (tmp_path / "release.json").write_text(json.dumps(samples.release()))
    write_page(tmp_path, kept(built))
    assert "demo 1.0 is released" in (tmp_path / "report.html").read_text("utf-8")
    (tmp_path / "release.json").write_text(json.dumps({**samples.release(), "name": "other"}))
    write_page(tmp_path, built)
    assert "is released" not in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"kind": "report"}', '{"kind": "report", "sdist": null}'])
def test_what_no_crosswheel_wrote_tells_nothing(tmp_path: Path, built: Document, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    (tmp_path / "release.json").write_text(text)
    assert earlier_runs(tmp_path / "report.json", "demo") == ()
    write_page(tmp_path, built)
    assert (tmp_path / "report.html").is_file()


def test_each_report_knows_the_runs_before_it(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(samples.full_report()))
    runs = earlier_runs(path, "demo")
    assert [(run.started, run.version, run.failed) for run in runs] == [
        ("2026-05-28T20:26:40+00:00", "1.0", 1),
        ("2026-05-20T08:00:00+00:00", "0.9", 0),
        ("2026-05-19T08:00:00+00:00", "0.9", 0),
    ]
    assert earlier_runs(path, "other") == ()
    for _ in range(25):
        path.write_text(json.dumps(samples.report(samples.outcome(TARGET, 0.0), earlier=earlier_runs(path, "demo"))))
    assert len(earlier_runs(path, "demo")) == 20
