"""What failed builds printed, and how that is explained: the table of signs against real words."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crosswheel.engines import ENGINES
from crosswheel.formats.build_logs import HERE, end_of, explain
from crosswheel.model.targets import load_table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("failures.toml").read_text("utf-8"))["case"]
ROWS: list[dict[str, Any]] = load_table("failures.toml")["failure"]


@pytest.mark.parametrize("case", CASES, ids=[case["of"] for case in CASES])
def test_a_failure_is_explained(case: dict[str, Any]) -> None:
    found = explain(case["text"], case["on"], "aarch64")
    assert found
    assert found.kind == case["kind"]
    assert case["says"] in found.means
    assert case["hint"] in found.hint
    assert found.evidence in case["text"]


def test_each_kind_has_a_case_and_each_place_its_advice() -> None:
    rare = {"another Python", "no Python headers", "undefined symbol"}
    assert {row["kind"] for row in ROWS} - rare == {case["kind"] for case in CASES}
    for row in ROWS:
        assert set(row["next"]) <= {*ENGINES, "image", "all", HERE}, row["kind"]
        if row["next"]:  # else the log is the advice
            assert {"all", "image", "accelerated"} & set(row["next"]), row["kind"]
            assert {"all", "cross"} & set(row["next"]), row["kind"]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['kind']}-{number}" for number, row in enumerate(ROWS)])
def test_texts_of_a_row_can_be_filled_in(row: dict[str, Any]) -> None:
    for text in (row["means"], *row["next"].values()):
        filled = text.format_map({"name": "N", "arch": "A"})
        assert "{name}" not in filled
        assert "{{" not in filled
    if "{name}" in row["means"]:
        assert all("(?P<name>" in pattern for pattern in row["patterns"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "compiling a.c\nerror: command 'cc' failed with exit code 1",
        "cc -fopenmp -lgomp -I/usr/include/openssl -c omp.c -o omp.o",
        "-- Performing Test HAVE_FAST\n-- Performing Test HAVE_FAST - Failed\n*** CMake configuration failed",
        "checking for git... no\nchecking for gfortran... no\nchecking whether we are cross compiling... yes",
    ],
)
def test_what_is_no_sign_is_not_explained(text: str) -> None:
    assert explain(text, "cross", "aarch64") is None


def test_colours_and_long_lines_hide_nothing_and_are_not_shown() -> None:
    line = f"\x1b[1ma.c:1:10: \x1b[31mfatal error: \x1b[0m'a.h' file not found{'!' * 5000}"
    found = explain(line, "cross", "aarch64")
    assert found
    assert found.evidence.startswith("a.c:1:10: fatal error: 'a.h' file not found!!!")
    assert len(found.evidence) <= 300


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "unit", ["not found: ", "libx.a", "a.a-_", "'-config ", "error: ERROR: ", "No package '", "-I/a "]
)
def test_a_log_made_to_take_long_does_not(unit: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"{unit * 100}\n" * 1000)
    began = time.process_time()
    explain(end_of(log), "cross", "aarch64")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("output", "place", "package"),
    [
        ("x.c:1:10: fatal error: 'ffi.h' file not found", "cross", "libffi-devel, on musllinux libffi-dev"),
        ("x.c:1:10: fatal error: libpq-fe.h: No such file or directory", "pypa", "postgresql-devel"),
        ("x.c:1:10: fatal error: lber.h: No such file or directory", HERE, "libldap-dev"),
        ('Run-time dependency\nERROR: Dependency "cairo" not found', "pypa", "yum install -y cairo-devel"),
    ],
)
def test_the_package_that_has_it_is_named(output: str, place: str, package: str) -> None:
    found = explain(output, place, "aarch64")
    assert found
    assert package in found.hint
    assert "PACKAGE" not in found.hint or place == "cross"
