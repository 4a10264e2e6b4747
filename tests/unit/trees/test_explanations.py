"""Which versions have wheels, by the pages of indexes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from crosswheel.model.targets import parse_target
from crosswheel.system.index_pages import fresh_seconds
from crosswheel.system.memo import answers_in
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from crosswheel.testing import serving_index, tiny_wheel
from crosswheel.trees.cells import cell_of
from crosswheel.trees.explanations import Explanation, explain
from crosswheel.trees.verdicts import Verdict

ARM = cell_of(parse_target("cp312-manylinux_2_34_aarch64"))
MUSL = cell_of(parse_target("cp312-musllinux_1_2_aarch64"))
MISSING = [Verdict("engine", "2.0", ARM, "to build"), Verdict("engine", "2.0", MUSL, "to build")]


def test_the_newest_of_all_indexes_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)  # before an index that is not there is asked again
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, version in zip(folders, ("1.9", "1.10"), strict=True):
        folder.mkdir()
        tiny_wheel(folder, name="engine", version=version, tag="cp312-cp312-manylinux_2_28_aarch64")
    with serving_index(folders[0]) as one, serving_index(folders[1]) as two:
        indexes = [Index(PipSettings(index_url=url), tmp_path) for url in (one, two, "http://127.0.0.1:9/simple/")]
        told = explain(MISSING, indexes, answers_in(tmp_path))
        assert told == {MISSING[0]: Explanation("1.10"), MISSING[1]: Explanation("")}
        (silent,) = {one.lacking for one in explain(MISSING, indexes[2:], answers_in(tmp_path)).values()}
    assert silent.startswith("reading the index page of engine failed")


def test_a_page_is_read_again_when_the_index_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of the tests has no Cache-Control; with one, its answer holds although it has a newer wheel."""
    for fresh, expected in ((0.0, "1.1"), (600.0, "1.0")):
        folder = tmp_path / str(fresh)
        folder.mkdir()
        monkeypatch.setattr("crosswheel.system.index_pages.fresh_seconds", lambda _headers, fresh=fresh: fresh)
        tiny_wheel(folder, name="engine", version="1.0", tag="cp312-cp312-manylinux_2_28_aarch64")
        with serving_index(folder) as url:
            indexes = [Index(PipSettings(index_url=url), tmp_path)]
            explain(MISSING, indexes, answers_in(tmp_path))
            tiny_wheel(folder, name="engine", version="1.1", tag="cp312-cp312-manylinux_2_28_aarch64")
            assert explain(MISSING, indexes, answers_in(tmp_path))[MISSING[0]].newest == expected


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Cache-Control": "max-age=600, public"}, 600),
        ({"Cache-Control": "max-age=600", "Age": "599"}, 1),
        ({"Cache-Control": "max-age=60", "Age": "61"}, 0),
        ({"Cache-Control": "max-age=31536000"}, 600),
        ({"Cache-Control": "no-cache, max-age=600"}, 0),
        ({"Cache-Control": "max-age=soon"}, 0),
        ({}, 0),
    ],
)
def test_an_index_says_how_long_its_pages_hold(headers: Mapping[str, str], seconds: float) -> None:
    assert fresh_seconds(headers) == seconds
