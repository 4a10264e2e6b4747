"""From `accelerated` to `emulated`: a build that refuses clang itself, which no single command of gcc can help."""

from __future__ import annotations

from pathlib import Path

import pytest

import crosswheel as cw
from auditwheel_show import assert_auditwheel_agrees
from crosswheel.containers.emulation import Running
from crosswheel.model.job import Note, Refusal
from stand_in_roots import StandInRoot
from tiny_projects import tiny_project

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("running"), pytest.mark.daily(1, of="fallbacks")]

REFUSES_CLANG = """
said = subprocess.run(["cc", "--version"], check=True, capture_output=True, text=True).stdout
if "clang" in said:
    sys.exit("error: this project is only built by gcc")
"""


def test_what_accelerated_cannot_build_is_built_by_emulated_and_the_report_says_so(
    running: Running, cache: Path, manylinux_root: StandInRoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not running.natively
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(cache))
    project = tiny_project("compiles", tmp_path)
    with (project / "compiling_backend.py").open("a") as backend:
        backend.write(REFUSES_CLANG)
    notes: list[str] = []
    report = cw.wheels(
        project=str(project),
        arch="aarch64",
        python=["cp313"],
        policy="manylinux_2_41",
        container_host="namespace",
        image=manylinux_root.reference,
        output=str(tmp_path / "wheelhouse"),
        listener=lambda event: notes.append(event.text) if isinstance(event, Note) else None,
    )
    (outcome,) = report.outcomes
    assert outcome.failure is None
    assert outcome.job.engine == "emulated"
    assert outcome.untested == ""
    assert_auditwheel_agrees(wheel.path for wheel in report.wheels)
    why = next(refusal for refusal in outcome.job.refused if refusal.engine == "accelerated")
    assert why == Refusal("accelerated", outcome.job.reason)
    assert outcome.job.reason.startswith("accelerated failed in build: ")
    assert any(note.endswith("; now with the engine emulated") for note in notes)
    assert outcome.log
    first = outcome.log.with_suffix(".accelerated.log")
    assert "this project is only built by gcc" in first.read_text()
