"""What `nox -s bench` makes of its numbers: the table, the targets, the picture, and what it leaves out."""

from __future__ import annotations

import tarfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from chart import svg
from choice import Choice, keeps_nothing
from fleet import Build, Costs, limits, lower_bound, simulate
from measure import Measured
from results import Cell, Result, Results, read
from tables import BEGIN, END, markdown, put_into
from targets import targets

from projects import packed, touched

ABOUT = {"when": "2026-01-02", "machine": "2 processors", "versions": "some", "images": "stand-ins"}


def results(**seconds: float) -> Results:
    """Of kiwisolver for one tag, cold, by row; `cross_warm` is another column."""
    made = Results(ABOUT)
    for name, value in seconds.items():
        row, _, column = name.partition("_")
        cell = Cell("kiwisolver", row, 1, column or "cold")
        made.cells[cell] = Result(Measured(value, 2 * value, 100 * 2**20))
    return made


def reached(made: Results, what: str) -> tuple[str, bool | None]:
    (target,) = (each for each in targets(made) if each.what == what)
    return target.measured, target.reached


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    made = results(native=10.0)
    made.cells[Cell("numpy", "emulated", 1, "cold")] = Result(failed="ended with 1", tail=("a", "b"))
    made.limits["many"] = [{"jobs": 1000, "seconds": 1.0, "peak": 1.0}]
    made.write(tmp_path / "deep" / "results.json")
    assert read(tmp_path / "deep" / "results.json") == made


@pytest.mark.parametrize(("cross", "said"), [(10.0, ("20.00 x", True)), (20.0, ("10.00 x", False))])
def test_a_target_is_reached_by_what_was_measured(cross: float, said: tuple[str, bool]) -> None:
    assert reached(results(cibuildwheel=200.0, cross=cross), "cross, cold, against cibuildwheel emulated") == said


def test_accelerate_is_measured_with_two_tags_against_a_cold_cibuildwheel() -> None:
    made = results()
    for row, column, seconds in (
        ("cibuildwheel", "cold", 600.0),
        ("cibuildwheel-accelerated", "cold", 100.0),
        ("cibuildwheel-accelerated", "warm", 80.0),
    ):
        made.cells[Cell("kiwisolver", row, 2, column)] = Result(Measured(seconds, seconds, 1))
    what = "cibuildwheel with accelerate, 2 tags, {}, against cibuildwheel emulated"
    assert reached(made, what.format("cold")) == ("6.00 x", True)
    assert reached(made, what.format("nothing changed")) == ("7.50 x", False)


def test_what_was_not_measured_is_not_reached_and_not_missed() -> None:
    what = "cross, cold, against cibuildwheel emulated"
    assert reached(results(cross=10.0), what) == ("not measured", None)


def test_nothing_changed_counts_per_target() -> None:
    made = results(cross_warm=1.0)
    made.cells[Cell("kiwisolver", "cross", 4, "warm")] = Result(Measured(12.0, 1.0, 1))
    assert reached(made, "cross, nothing changed, per target") == ("3.00 s", False)
    made.cells[Cell("markupsafe", "cross", 4, "warm")] = Result(Measured(1.0, 1.0, 1))
    assert reached(made, "cross, nothing changed, per target") == ("3.00 s", False)


def test_a_part_that_failed_counts_as_not_measured() -> None:
    made = Results(ABOUT, limits={"ten": {"failed": "RunFailed: ended with 1"}, "many": {"failed": "TimeoutExpired"}})
    assert {each.reached for each in targets(made)} == {None}
    assert "ten failed: RunFailed: ended with 1" in markdown(made)


def test_why_there_is_no_number_stands_below_the_table_once() -> None:
    made = results(native=10.0)
    for column in ("cold", "warm"):
        made.cells[Cell("kiwisolver", "emulated", 1, column)] = Result(not_run="not run by default")
    text = markdown(made)
    assert text.count("not run by default") == 1
    assert text.count("-<sup>1</sup>") == 2


def test_rows_have_as_many_columns_as_their_head() -> None:
    made = results(native=10.0, cross=5.0, cross_changed=1.0)
    made.cells[Cell("kiwisolver", "emulated", 1, "cold")] = Result(failed="ended with 1")
    table = [line for line in markdown(made).splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1


def test_prose_around_the_markers_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put_into(page, "new\n")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_ten_times_as_long_is_a_longer_bar_by_one_decade() -> None:
    root = ET.fromstring(svg(results(native=10.0, cross=1.0)))  # noqa: S314 - our own
    bars = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("class") == "cold"][1:]
    native, cross = (float(each.attrib["width"]) for each in bars)
    assert native == pytest.approx(2 * cross)  # the axis begins at a tenth of a second


def test_a_row_without_a_number_says_so_in_the_picture() -> None:
    made = results(native=10.0)
    made.cells[Cell("kiwisolver", "emulated", 1, "cold")] = Result(not_run="would take more than 600 s")
    assert "not run" in svg(made)


def test_what_would_take_too_long_is_told_from_what_was_measured() -> None:
    made = results(native=10.0, emulated=100.0)
    made.cells[Cell("numpy", "native", 1, "cold")] = Result(Measured(300.0, 600.0, 1))
    cell = Cell("numpy", "emulated", 1, "cold")
    assert "more than 600 s" in Choice(rows=["emulated"]).left_out(cell, made)
    assert "3000 s" in Choice(rows=["emulated"]).left_out(cell, made)
    assert not Choice(full=True).left_out(cell, made)


def test_what_keeps_nothing_is_not_run_again_where_that_takes_long() -> None:
    made = results(cibuildwheel=300.0, native=20.0, cross=300.0)
    long, short, keeps = (Cell("kiwisolver", row, 1, "warm") for row in ("cibuildwheel", "native", "cross"))
    assert keeps_nothing(long, made, Choice())
    assert not keeps_nothing(short, made, Choice())
    assert not keeps_nothing(keeps, made, Choice())


def test_one_file_of_a_touched_sdist_is_another(tmp_path: Path) -> None:
    sdist = packed(tmp_path, "tiny", {"a.c": "int a;\n", "b.c": "int b;\n"})
    other = touched(sdist, "a.c", tmp_path / "touched")
    with tarfile.open(sdist) as old, tarfile.open(other) as new:
        assert old.getnames() == new.getnames()
        differ = [name for name in new.getnames() if content(old, name) != content(new, name)]
    assert differ == ["tiny-1.0/a.c"]
    with pytest.raises(KeyError):
        touched(sdist, "c.c", tmp_path / "touched")


def content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file
    return file.read()


def test_a_simulated_fleet_is_no_faster_than_its_bound() -> None:
    jobs = [Build(10.0, 30.0), Build(20.0, 20.0), Build(30.0, 10.0)] * 100
    free = Costs(task=0.0, wheel=0.0, takers=1)
    for workers in (2, 10, 100):
        run = simulate(jobs, workers, free)
        assert run.bound <= run.makespan
        assert 0 < run.busy <= 1
    assert lower_bound([Build(10.0, 10.0)] * 4, 1, 1) <= 20.0


def test_a_simulated_client_ends_the_gain_of_more_workers() -> None:
    jobs = [Build(10.0, 10.0, 1000)] * 100
    run = simulate(jobs, 100, Costs(task=0.0, wheel=1.0, takers=1))
    assert run.makespan == pytest.approx(110.0)
    assert run.size == 100_000
    assert "the client ends at 10 workers" in list(limits(jobs, Costs(0.001, 1.0, 1)))
