"""Releases to real indexes, from a commit to the last look: what a maintainer types, and what is there afterwards."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from unittest.mock import Mock

import pytest

from crosswheel.commands import release as command
from crosswheel.errors import UploadFailed
from crosswheel.publishing import repositories
from crosswheel.system.pip_settings import PipSettings
from real_indexes.clients import sha256, twine
from real_indexes.proxy import (
    Act,
    Answer,
    Exchange,
    Fault,
    Proxy,
    answered,
    cut_after,
    cut_before_answer,
    late,
    proxy,
    replaced,
    stale,
)
from real_indexes.releases import Project, make_project, wheel
from real_indexes.servers import DevpiServer, PypiServer, Served
from terminals import terminal

pytestmark = pytest.mark.real_indexes

UPLOAD, PAGE = r"/$", r"/tiny/$"


@pytest.fixture
def project(behind: Served, tmp_path: Path) -> Project:
    return make_project(tmp_path, {"real": behind}, 'repository = "real"\n')


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits before the next attempt has waited long enough."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)


def test_a_release_is_complete(project: Project, tmp_path: Path) -> None:
    before = project.run("status", "--json", str(tmp_path / "before.json"))
    assert before.returncode == 26, before.stdout
    released = project.run("release", "--yes")
    assert released.returncode == 0, released.stdout
    project.assert_released(tmp_path)
    after = project.run("status", "--json", str(tmp_path / "after.json"))
    assert after.returncode == 0, after.stdout
    assert json.loads((tmp_path / "after.json").read_text())["complete"]


# ---- the limits of PyPI ---------------------------------------------------------------------------------------


def dated(days: float) -> Act:
    """A page in JSON, on which every file was uploaded so many days ago."""

    def act(exchange: Exchange) -> Answer:
        answer = exchange.forward()
        page = json.loads(answer.body)
        moment = datetime.now(timezone.utc) - timedelta(days=days)
        for file in page["files"]:
            file["upload-time"] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return replace(answer, body=json.dumps(page).encode())

    return act


def test_a_release_that_has_closed_stops_before_the_first_file(
    devpi: DevpiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first file was sent 15 days ago; with one of 13 days ago, the rest is sent."""
    monkeypatch.setattr(repositories, "_is_pypi", lambda _url: True)
    index = devpi.new_index()
    with proxy(index.origin) as between:
        behind = index.behind(between.origin)
        project = make_project(tmp_path, {"real": behind}, 'repository = "real"\n')
        first = min(project.wheelhouse.glob("*.whl"))
        assert twine(index, first).returncode == 0
        between.faults.append(Fault("GET", PAGE, dated(15), times=99))
        code, said = project.release()
        assert code == UploadFailed.exit_code, said
        assert "W821" in said
        assert "15 days ago" in said
        assert between.taken == 0
        between.faults[:] = [Fault("GET", PAGE, dated(13), times=99)]
        code, said = project.release()
        assert code == 0, said
        assert between.taken == len(project.files) - 1


# ---- faults ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("POST", UPLOAD, answered(500), times=2)],
        [Fault("POST", UPLOAD, answered(429, Retry_After="2"))],
        [Fault("POST", UPLOAD, cut_after(0), times=2)],
        [Fault("POST", UPLOAD, cut_after(1500))],
        [Fault("POST", UPLOAD, cut_before_answer, times=3)],
        [Fault("POST", UPLOAD, late(1)), Fault("GET", PAGE, late(1))],
        [Fault("GET", PAGE, answered(503), times=2)],
        [Fault("GET", PAGE, cut_after(0), times=2)],
        [Fault("GET", PAGE, stale, times=4)],
    ],
    ids=["500", "429", "cut-at-once", "cut-half-way", "cut-before-answer", "slow", "page-503", "page-cut", "stale"],
)
def test_what_passes_is_waited_for(project: Project, between: Proxy, tmp_path: Path, faults: list[Fault]) -> None:
    between.faults += [Fault(fault.method, fault.path, fault.act, fault.times) for fault in faults]
    code, text = project.release()
    assert code == 0, text
    project.assert_released(tmp_path)
    assert between.taken == 3
    assert not any(fault.times for fault in between.faults)


@pytest.mark.parametrize(
    ("act", "code", "said"),
    [
        (answered(500, b"out of order"), 21, "500"),
        (answered(429, Retry_After="3600"), 21, "a wait of 3600 s"),
        (answered(400, b"this project is full"), 21, "400"),
        (cut_after(1500), 5, "failed"),
        (cut_before_answer, 0, "sent"),
    ],
    ids=["500", "429", "400", "cut-half-way", "cut-before-answer"],
)
def test_what_stays_stops_the_release_and_the_next_one_sends_the_rest(
    project: Project, between: Proxy, tmp_path: Path, act: Act, code: int, said: str
) -> None:
    """The first file gets through."""
    between.faults += [Fault("POST", UPLOAD, Exchange.forward), Fault("POST", UPLOAD, act, times=999)]
    ended, text = project.release()
    assert (ended, said in text) == (code, True), text
    between.faults.clear()
    ended, text = project.release()
    assert ended == 0, text
    project.assert_released(tmp_path)
    assert between.taken == 3


def test_a_page_that_stays_stale_fails_the_release_until_it_knows(
    project: Project, between: Proxy, tmp_path: Path
) -> None:
    project.served("real", tmp_path)
    between.faults.append(Fault("GET", PAGE, stale, times=999_999))
    code, text = project.release(patience=1)
    assert code == 24, text
    assert "real accepted the files, but does not list them unchanged" in text
    between.faults.clear()
    code, text = project.release()
    assert code == 0, text
    project.assert_released(tmp_path)
    assert between.taken == 3


def test_a_wrong_hash_on_the_page_is_found(project: Project, between: Proxy, tmp_path: Path) -> None:
    digest = next(iter(project.files.values()))
    between.faults.append(Fault("GET", PAGE, replaced(digest, "0" * 64), times=999_999))
    code, text = project.release(patience=1)
    assert code == 24, text
    assert "0" * 64 in text
    assert not (project.wheelhouse / "release.json").exists()
    # What the index says now cannot be told from other bytes.
    code, text = project.release(patience=1)
    assert code == 22, text
    between.faults.clear()
    code, text = project.release()
    assert code == 0, text
    project.assert_released(tmp_path)
    assert between.taken == 3


def test_other_bytes_under_a_name_stop_it_before_anything_is_sent(
    project: Project, served: Served, between: Proxy, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    theirs = wheel(other, 13, b"something else")
    assert twine(served, theirs).returncode == 0
    code, text = project.release()
    assert code == 22, text
    assert sha256(theirs) in text
    assert sha256(project.wheelhouse / theirs.name) in text
    assert between.uploads() == 0
    assert project.run("status").returncode == 26


# ---- what a release asks for ----------------------------------------------------------------------------------


@pytest.fixture
def plain(pypiserver: PypiServer, tmp_path: Path) -> Project:
    """One kind of index is enough for what never gets there."""
    return make_project(tmp_path, {"real": pypiserver.new_index()}, 'repository = "real"\n')


def dirty(project: Project) -> None:
    (project.folder / "new.py").write_text("")


def other_tag(project: Project) -> None:
    project.git("tag", "--delete", "v1.0")
    project.git("tag", "v1.1")


def no_entry(project: Project) -> None:
    (project.folder / "CHANGELOG.md").write_text("# Changes\n\n## 0.9\n\nOld.\n")
    project.git("commit", "--quiet", "--all", "--message", "No entry")
    project.git("tag", "--force", "v1.0")


def no_target(project: Project) -> None:
    next(project.wheelhouse.glob("*cp313*.whl")).unlink()


def bad_wheel(project: Project) -> None:
    path = next(project.wheelhouse.glob("*cp313*.whl"))
    path.rename(path.with_name(path.name.replace("cp313-cp313", "cp311-cp311")))


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (dirty, 25, "new.py"),
        (other_tag, 25, "v1.1"),
        (no_entry, 25, "CHANGELOG.md has no entry for 1.0"),
        (no_target, 20, "cp313"),
        (bad_wheel, 20, "error W"),
    ],
)
def test_what_is_not_ready_is_not_sent(plain: Project, tmp_path: Path, spoil: object, code: int, said: str) -> None:
    assert callable(spoil)
    spoil(plain)
    ended, text = plain.release()
    assert (ended, said in text) == (code, True), text
    assert plain.served("real", tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("reel", 2, "did you mean real?"),
        ("http://index.example/", 2, "plain http"),
        ("http://127.0.0.1:9/", 5, "failed"),
    ],
)
def test_indexes_that_will_not_do(plain: Project, name: str, code: int, said: str) -> None:
    ended, text = plain.release(repository=name)
    assert (ended, said in text) == (code, True), text


def test_a_dry_run_tells_all_and_leaves_nothing(project: Project, between: Proxy) -> None:
    before = sorted(project.wheelhouse.iterdir())
    code, text = project.release(**{"dry-run": True, "yes": None})
    assert code == 0, text
    assert "3 files to send to real" in text
    assert [line.split(":")[0] for line in text.splitlines() if line[1:3] == "/6"] == [
        "1/6 commit", "2/6 changelog", "3/6 check", "4/6 upload", "5/6 verify", "6/6 manifest",
    ]  # fmt: skip
    assert between.uploads() == 0
    assert sorted(project.wheelhouse.iterdir()) == before


def test_without_a_terminal_somebody_has_to_say_yes_beforehand(plain: Project) -> None:
    released = plain.run("release")
    assert released.returncode == 2
    assert "--yes was not given" in released.stdout
    assert "try: crosswheel release --yes" in released.stdout


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("", 1), ("y", 0)])
def test_on_a_terminal_it_asks(plain: Project, tmp_path: Path, answer: str, code: int) -> None:
    command = [sys.executable, "-m", "crosswheel", "release"]
    with terminal(command, {**plain.environ, "TERM": "xterm"}, plain.folder) as screen:
        screen.expect(r"Send 3 files of tiny 1\.0 to real\?")
        assert plain.served("real", tmp_path) == {}
        screen.type(f"{answer}\n")
        assert screen.code() == code
    assert plain.served("real", tmp_path) == (plain.files if answer == "y" else {})


def test_staging_comes_first(plain: Project, staging: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Mock(return_value=PipSettings())
    monkeypatch.setattr(command, "read_pip_settings", ask)
    with proxy(staging.origin) as before:
        both = make_project(
            tmp_path / "both",
            {"staging": staging.behind(before.origin), **plain.indexes},
            'repository = "real"\nstaging = "staging"\n',
        )
        before.faults.append(Fault("POST", UPLOAD, answered(400, b"this project is full"), times=99))
        code, text = both.release()
        assert code == 21, text
        assert both.served("real", tmp_path) == {}
        before.faults.clear()
        ask.reset_mock()
        code, text = both.release()
        assert code == 0, text
        ask.assert_called_once()  # which takes pip a while
        both.assert_released(tmp_path)


def test_other_bytes_on_the_real_index_stop_it_before_staging_gets_any(
    served: Served, staging: Served, tmp_path: Path
) -> None:
    project = make_project(tmp_path, {"staging": staging, "real": served}, 'repository = "real"\nstaging = "staging"\n')
    other = tmp_path / "other"
    other.mkdir()
    assert twine(served, wheel(other, 13, b"something else")).returncode == 0
    code, text = project.release()
    assert (code, "real has files of the same name with different bytes" in text) == (22, True), text
    assert project.served("staging", tmp_path) == {}
