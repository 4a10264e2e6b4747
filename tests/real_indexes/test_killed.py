"""A release that is killed, wherever it was, is finished by the next; and of two at a time, one stops."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from real_indexes.proxy import Exchange, Fault, Hold, Proxy, proxy
from real_indexes.releases import Project, make_project
from real_indexes.servers import PypiServer, Served

pytestmark = pytest.mark.real_indexes

UPLOAD = r"/$"
PATIENCE = 120  # seconds
SETTINGS = 'repository = "real"\nstaging = "staging"\n'


@pytest.fixture
def staged(pypiserver: PypiServer, staging: Served, tmp_path: Path) -> Iterator[tuple[Project, Proxy, Proxy]]:
    """A release to devpi first, and then to pypiserver; each behind a proxy."""
    real = pypiserver.new_index()
    with proxy(staging.origin) as before, proxy(real.origin) as then:
        indexes = {"staging": staging.behind(before.origin), "real": real.behind(then.origin)}
        (temporary := tmp_path / "temporary").mkdir()
        project = replace(make_project(tmp_path, indexes, SETTINGS), extra={"TMPDIR": str(temporary)})
        yield project, before, then


@contextmanager
def released(project: Project) -> Iterator[subprocess.Popen[str]]:
    process = project.start("release", "--yes")
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], stage: str) -> None:
    """Until it says that the stage begins."""
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith(stage):
            return
    raise AssertionError("".join(said))


def finish(project: Project, folder: Path, *proxies: Proxy) -> None:
    """The next run, to the same end as if there had been no other."""
    for between in proxies:
        between.faults.clear()
    done = project.run("release", "--yes")
    assert done.returncode == 0, done.stdout
    project.assert_released(folder)
    copies = [path for path in (folder / "temporary").rglob("*") if path.is_file()]
    assert copies == [], "a killed run left the copies that it was sending"
    assert [between.taken for between in proxies] == [3] * len(proxies)


@pytest.mark.daily(3)
@pytest.mark.parametrize(
    "stage",
    [
        "1/8 commit", "2/8 changelog", "3/8 check", "4/8 upload", "5/8 verify", "6/8 upload", "7/8 verify",
        "8/8 manifest",
    ],
)  # fmt: skip
def test_killed_when_a_stage_begins(staged: tuple[Project, Proxy, Proxy], tmp_path: Path, stage: str) -> None:
    project, *proxies = staged
    with released(project) as process:
        read_until(process, stage)
    finish(project, tmp_path, *proxies)


@pytest.mark.daily(3)
@pytest.mark.parametrize("file", [1, 3])
@pytest.mark.parametrize("after", [False, True], ids=["before-the-server-has-it", "after-the-server-has-it"])
@pytest.mark.parametrize("where", [0, 1], ids=["staging", "real"])
def test_killed_while_a_file_is_sent(
    staged: tuple[Project, Proxy, Proxy], tmp_path: Path, where: int, after: bool, file: int
) -> None:
    project, *proxies = staged
    hold = Hold(after=after)
    proxies[where].faults += [Fault("POST", UPLOAD, Exchange.forward, times=file - 1), Fault("POST", UPLOAD, hold)]
    with released(project):
        assert hold.arrived.wait(PATIENCE)
    hold.released.set()
    assert proxies[where].taken == file - 1 + after
    finish(project, tmp_path, *proxies)


def test_killed_while_the_index_is_read_back(staged: tuple[Project, Proxy, Proxy], tmp_path: Path) -> None:
    project, *proxies = staged
    hold = Hold()
    proxies[1].faults.append(Fault("GET", r"\.whl", hold))
    with released(project):
        assert hold.arrived.wait(PATIENCE)
    hold.released.set()
    finish(project, tmp_path, *proxies)


def test_a_second_release_of_the_same_wheels_stops(staged: tuple[Project, Proxy, Proxy], tmp_path: Path) -> None:
    project, *proxies = staged
    hold = Hold(after=True)
    proxies[1].faults.append(Fault("POST", UPLOAD, hold))
    with released(project) as first:
        said: list[str] = []
        reading = threading.Thread(target=lambda: said.append(first.communicate(timeout=PATIENCE)[0]))
        reading.start()
        assert hold.arrived.wait(PATIENCE)
        second = project.run("release", "--yes")
        assert second.returncode == 25
        assert f"another release from {project.wheelhouse.resolve()} is in progress" in second.stdout
        assert "crosswheel status" in second.stdout
        hold.released.set()
        reading.join()
        assert first.returncode == 0, said
    project.assert_released(tmp_path)
    assert [between.taken for between in proxies] == [3, 3]
