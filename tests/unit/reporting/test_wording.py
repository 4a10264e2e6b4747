from __future__ import annotations

from dataclasses import replace

import pytest

from crosswheel.model.job import Failure, Finding, Outcome, Plan, Usage
from crosswheel.reporting.wording import failure_lines, finding_lines, headline, refusal_lines, size_text
from report_samples import make_job


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**2 * 1.25, "1.2 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (1024**3 * 5000, "5000.0 GiB"),
    ],
)
def test_size(size: float, text: str) -> None:
    assert size_text(size) == text


def test_headline_of_a_cancelled_job() -> None:
    job = make_job("cp313-manylinux2014_aarch64")
    assert headline(Outcome(job, "cancelled")) == "- cp313-manylinux2014_aarch64    cancelled"
    assert headline(Outcome(job, "cancelled", note="Ctrl-C")) == "- cp313-manylinux2014_aarch64    cancelled: Ctrl-C"


def test_what_is_empty_has_no_line() -> None:
    job = make_job("cp313-manylinux2014_aarch64")
    assert list(failure_lines(Outcome(job, "built"))) == []
    assert list(failure_lines(Outcome(job, "failed", failure=Failure("X", 1, "build", "it broke")))) == [
        ("red", "    it broke")
    ]
    assert list(finding_lines(Outcome(job, "built", findings=(Finding("tags", "error", "wrong tag"),)))) == [
        ("red", "! cp313-manylinux2014_aarch64: error tags: wrong tag")
    ]
    assert list(refusal_lines(Plan("demo", (job,)))) == []


def test_what_is_switched_off_is_shown_with_the_reason_and_without_a_fix() -> None:
    job = make_job("cp313-manylinux2014_aarch64")
    off = Finding("W401", "error", "wrong path", member="a.so", fix="do it right", ignored="on \x1b[1mpurpose")
    assert list(finding_lines(Outcome(job, "built", findings=(off,)))) == [
        ("dim", f"! {job.target}: switched off (on purpose), error W401: wrong path (a.so)")
    ]


def test_only_the_end_of_a_long_log_is_shown() -> None:
    tail = tuple(f"line {number}" for number in range(40))
    outcome = Outcome(
        make_job("cp313-manylinux2014_aarch64"), "failed", failure=Failure("X", 1, "build", "broke", log_tail=tail)
    )
    shown = [line for _, line in failure_lines(outcome)]
    assert shown == ["    broke", *(f"    | line {number}" for number in range(25, 40))]


def test_commands_of_the_image_s_gcc_are_told_where_there_are_any() -> None:
    usage = Usage(commands=10, by_gcc=3, gcc_seconds=9.42)
    built = Outcome(job=make_job("cp313-manylinux_2_28_aarch64"), status="built", usage=usage)
    assert headline(built).endswith(", 3 of 10 compiler commands by the image's gcc, 9.4 s")
    assert "gcc" not in headline(replace(built, usage=Usage(commands=10)))
