"""How far a release has come: every row from what is here and what is there."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from crosswheel.commands import run_verb
from crosswheel.errors import Incomplete
from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.model.targets import parse_target
from crosswheel.publishing.published import PublishedFile
from crosswheel.publishing.status import Made, ReleaseStatus, Standing, lacking, last_release, standings
from crosswheel.publishing.upload_window import UploadWindow
from crosswheel.reporting.status import status_document, status_text
from crosswheel.testing import tiny_wheel
from index_server import index_server

TARGET = parse_target("cp313-manylinux2014_aarch64")
WHEEL = "tiny-1.0-cp313-cp313-manylinux_2_17_aarch64.whl"
SDIST = "tiny-1.0.tar.gz"
OURS, OTHER = "a" * 64, "b" * 64


def here(*names: str) -> tuple[Distribution, ...]:
    project, version = canonicalize_name("tiny"), Version("1.0")
    return tuple(
        Distribution(Path(name), project, version, "wheel" if name.endswith("whl") else "sdist", 1, OURS)
        for name in names
    )


def there(*names: str, sha256: str = OURS, requires_python: str = "") -> dict[str, PublishedFile]:
    return {name: PublishedFile(name, sha256, 1, requires_python, yanked=False, url="") for name in names}


def made(*names: str, tested: bool = True) -> Made:
    builds = (Build(TARGET, "built", "cross", file=WHEEL, sha256=OURS, tested=tested),)
    return Made(here(*names), {name: True for name in names if name.endswith("whl")}, builds)


def status(rows: tuple[Standing, ...]) -> ReleaseStatus:
    return ReleaseStatus(canonicalize_name("tiny"), Version("1.0"), "real", rows)


def test_all_that_is_planned_is_there() -> None:
    rows = standings(made(WHEEL, SDIST), [TARGET], there(WHEEL, SDIST))
    assert [(row.subject, row.file, row.tested, row.complete) for row in rows] == [
        ("cp313-manylinux2014_aarch64", WHEEL, True, True),
        ("sdist", SDIST, False, True),
    ]
    assert status(rows).complete


@pytest.mark.parametrize(
    ("ours", "published"),
    [
        (made(WHEEL, SDIST), there(WHEEL)),
        (made(WHEEL, SDIST), there(SDIST)),
        (made(WHEEL, SDIST), {**there(SDIST), **there(WHEEL, sha256=OTHER)}),
        (made(WHEEL, SDIST), {**there(SDIST), **there(WHEEL, sha256="")}),
        (made(WHEEL), there(WHEEL)),
        (made(SDIST), there(WHEEL, SDIST)),
        (replace(made(WHEEL, SDIST), passed={WHEEL: False}), there(WHEEL, SDIST)),
        (made(WHEEL, SDIST), there(WHEEL, SDIST, "tiny-1.0-cp312-cp312-manylinux_2_17_aarch64.whl")),
        (made(WHEEL, SDIST), {name: replace(file, yanked=True) for name, file in there(WHEEL, SDIST).items()}),
    ],
    ids=[
        "no-sdist-there",
        "no-wheel-there",
        "other-bytes",
        "no-hash",
        "no-sdist",
        "not-built",
        "bad",
        "more",
        "yanked",
    ],
)
def test_what_is_missing_anywhere_makes_it_incomplete(ours: Made, published: dict[str, PublishedFile]) -> None:
    assert not status(standings(ours, [TARGET], published)).complete


def test_a_target_without_a_wheel_has_a_row() -> None:
    rows = standings(made(SDIST), [TARGET], {})
    assert (rows[0].subject, rows[0].file, rows[0].built, rows[0].on_index) == (str(TARGET), "", False, False)


def test_a_wheel_nobody_planned_has_a_row_of_its_own() -> None:
    mac = "tiny-1.0-cp313-cp313-macosx_11_0_arm64.whl"
    rows = standings(made(WHEEL, mac, SDIST), [TARGET], there(WHEEL, mac, SDIST))
    assert [(row.subject, row.planned) for row in rows] == [
        (str(TARGET), True),
        ("cp313-cp313-macosx_11_0_arm64", False),
        ("sdist", True),
    ]


def test_untested_is_no_reason_to_be_incomplete_and_is_told() -> None:
    rows = standings(replace(made(WHEEL, SDIST), builds=()), [TARGET], there(WHEEL, SDIST))
    assert status(rows).complete
    assert "1 wheel not tested: no report of `wheels` contains it" in status_text(status(rows))


def test_a_test_of_other_bytes_is_none() -> None:
    ours = made(WHEEL, SDIST)
    ours = replace(ours, builds=tuple(replace(build, sha256=OTHER) for build in ours.builds))
    (row, _) = standings(ours, [TARGET], there(WHEEL, SDIST))
    assert (row.tested, row.untested) == (False, "the file has changed since it was built")


def test_the_last_release_is_the_newest_final_one_before() -> None:
    published = there("0.8", "0.9", "1.0rc1", "1.0", "2.0")
    published["0.9"] = replace(published["0.9"], yanked=True)
    versions = {name: Version(name) for name in published}
    assert last_release(published, versions, Version("1.0"))[0] == "0.8"
    assert last_release(published, versions, Version("0.8")) == ("", ())
    only_candidates = {"1.0rc1": Version("1.0rc1")}
    assert last_release(published, only_candidates, Version("1.0"))[0] == "1.0rc1"


def test_what_users_of_the_last_release_would_miss() -> None:
    old = there(
        "tiny-0.9-cp39-cp39-manylinux_2_17_x86_64.whl",
        "tiny-0.9-cp313-cp313-manylinux_2_17_x86_64.whl",
        "tiny-0.9-cp313-cp313-manylinux_2_17_aarch64.whl",
        "tiny-0.9.tar.gz",
    )
    (lack,) = lacking(old.values(), [WHEEL, SDIST], ">=3.10")
    assert (str(lack.place), lack.file) == (
        "cp313-manylinux2014_x86_64",
        "tiny-0.9-cp313-cp313-manylinux_2_17_x86_64.whl",
    )
    assert not list(lacking(old.values(), ["tiny-1.0-py3-none-any.whl"], ">=3.10"))
    rows = standings(made(WHEEL, SDIST), [TARGET], there(WHEEL, SDIST))
    done = replace(status(rows), last="0.9", lacking=(lack,))
    assert not done.complete
    text = status_text(done)
    assert "0.9 supports these, 1.0 does not" in text
    assert "tiny 1.0 on real: not complete · 2 of 2 · 1 lost since 0.9" in text
    assert status_document(done)["lacking"] == [{"place": str(lack.place), "file": lack.file}]


def test_a_yanked_file_is_told_as_yanked() -> None:
    published = there(WHEEL, SDIST)
    published[WHEEL] = replace(published[WHEEL], yanked=True, yanked_reason="loses\ndata")
    published[SDIST] = replace(published[SDIST], yanked=True)
    done = status(standings(made(WHEEL, SDIST), [TARGET], published))
    text = status_text(done)
    assert f"{WHEEL} is yanked on real: loses data\n" in text
    assert f"{SDIST} is yanked on real: no reason given\n" in text
    assert [row["yanked"] for row in status_document(done)["standings"]] == ["loses\ndata", "no reason given"]


NOW = datetime.now(timezone.utc)


@pytest.mark.parametrize(
    ("closes", "said", "left"),
    [
        (NOW + timedelta(days=2.5), "real accepts new files of tiny 1.0 until ", 2),
        (NOW + timedelta(days=1.5), " UTC: 1 day left\n", 1),
        (NOW - timedelta(days=2.5), "real accepts no new files of tiny 1.0 since ", -3),
        (None, "the days left for tiny 1.0 are unknown: the index states no upload times\n", None),
    ],
)
def test_the_days_left_for_new_files_are_told(closes: datetime | None, said: str, left: int | None) -> None:
    rows = standings(made(WHEEL, SDIST), [TARGET], there(WHEEL))
    done = replace(status(rows), window=UploadWindow(timedelta(days=14), closes))
    assert said in status_text(done)
    document = status_document(done)
    assert document["days_left"] == left
    assert document["closes"] == (closes and closes.isoformat(timespec="seconds"))


def test_a_release_without_an_end_has_no_line_of_it() -> None:
    done = status(standings(made(WHEEL, SDIST), [TARGET], there(WHEEL)))
    assert "new file" not in status_text(done)
    assert (status_document(done)["closes"], status_document(done)["days_left"]) == (None, None)


def test_the_status_of_the_project_is_told() -> None:
    rows = standings(made(WHEEL, SDIST), [TARGET], there(WHEEL, SDIST))
    done = replace(status(rows), project_status="archived", status_reason="use\nhuge")
    assert "tiny is archived on real: use huge\n" in status_text(done)
    assert status_document(done)["project_status"] == "archived"
    assert done.complete


def test_the_verb_says_whom_it_waits_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that never answers is waited for, for a minute and more."""
    monkeypatch.setattr("crosswheel.model.job.SOON", 0.1)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    (tmp_path / "wheelhouse").mkdir()
    tiny_wheel(tmp_path / "wheelhouse")
    with index_server() as server:
        server.delay = 1.0
        (tmp_path / "pyproject.toml").write_text(f'[tool.crosswheel.index]\n"{server.url}" = "{server.url}"\n')
        stream = io.StringIO()
        run_verb("status", tmp_path, {"repository": server.url}, stream)
    first, second, *_ = stream.getvalue().splitlines()
    assert first == f"asking {server.url} for tiny ..."
    assert re.fullmatch(f"asking {server.url} for tiny: [1-9][.0-9]* s", second)


def test_the_verb_asks_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that plays PyPI, where a release closes."""
    (tmp_path / "wheelhouse").mkdir()
    wheel = tiny_wheel(tmp_path / "wheelhouse")
    with index_server() as server:
        address = server.url.removesuffix("simple/")
        monkeypatch.setattr("twine.utils.DEFAULT_REPOSITORY", address)
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        monkeypatch.setenv("HOME", str(tmp_path))
        server.files["tiny"] = {wheel.name: wheel.read_bytes()}
        server.uploaded = {wheel.name: (NOW - timedelta(days=3.5)).isoformat()}
        server.status = {"status": "archived"}
        (tmp_path / "pyproject.toml").write_text(f'[tool.crosswheel.index]\n"{address}" = "{server.url}"\n')
        stream, path = io.StringIO(), tmp_path / "status.json"
        options = {"repository": address, "json": str(path), "jobs": 1}
        assert run_verb("status", tmp_path, options, stream) == Incomplete.exit_code
    assert "asking" not in stream.getvalue()
    assert f"tiny is archived on {address}\n" in stream.getvalue()
    assert " UTC: 10 days left\n" in stream.getvalue()
    assert json.loads(path.read_text())["days_left"] == 10
