"""Several Docker hosts in one run, none of which answers: this machine still does the jobs without a container."""

from __future__ import annotations

from pathlib import Path

import pytest

import crosswheel as cw

pytestmark = pytest.mark.slow

NOBODY = "tcp://127.0.0.1:1,tcp://127.0.0.1:2"


def test_hosts_that_do_not_answer_are_left_out(project: Path) -> None:
    notes: list[str] = []
    report = cw.wheels(
        project,
        project=project,
        arch=["aarch64", "riscv64"],
        python="cp313",
        engine="cross",
        docker_host=NOBODY,
        output=project / "wheelhouse",
        offline=True,
        test="never",
        listener=lambda event: notes.append(getattr(event, "text", "")),
    )
    assert [outcome.status for outcome in report.outcomes] == ["pure", "pure"]
    assert {outcome.worker for outcome in report.outcomes} == {"this machine"}
    assert [note.partition(" is left out")[0] for note in notes if "is left out" in note] == NOBODY.split(",")
