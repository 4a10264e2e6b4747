"""Folders that are the same in every run, and never anybody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from crosswheel.errors import CrosswheelError
from crosswheel.system.scratch import (
    abandoned_folders,
    clear_abandoned,
    remove_abandoned,
    scratch_folder,
    temporary_folder,
)
from stray import runs_still


@pytest.fixture
def tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"crosswheel-{os.getuid()}"


def leave_behind(name: str, action: str = "") -> None:
    """What a process that is killed at work leaves, with its lock gone."""
    code = f"""
import os, signal, subprocess
from pathlib import Path
from crosswheel.system.scratch import scratch_folder, temporary_folder
with scratch_folder({name!r}) as folder:
    folder.mkdir()
    (folder / "half.o").touch()
    {action}
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environ = {**os.environ, "TMPDIR": tempfile.gettempdir()}
    subprocess.run([sys.executable, "-c", code], env=environ, check=False)


def test_a_name_gives_the_same_folder_every_time_and_nothing_stays(tmp: Path) -> None:
    seen = []
    for _ in range(2):
        with scratch_folder("tiny") as folder:
            assert not folder.exists()
            folder.mkdir()
            (folder / "object.o").touch()
            seen.append(folder)
    assert seen == [tmp / "tiny" / "job"] * 2
    assert list(tmp.iterdir()) == []


def test_who_comes_second_gets_another_one(tmp: Path) -> None:
    with scratch_folder("tiny") as first, scratch_folder("tiny") as second, scratch_folder("tiny") as third:
        assert [folder.parent.name for folder in (first, second, third)] == ["tiny", "tiny-2", "tiny-3"]
    with scratch_folder("tiny") as again:
        assert again == first


def test_what_a_killed_run_left_is_cleared(tmp: Path) -> None:
    leave_behind("tiny")
    assert (tmp / "tiny" / "job" / "half.o").exists()
    with scratch_folder("tiny") as folder:
        assert (folder, folder.exists()) == (tmp / "tiny" / "job", False)
    assert list(tmp.iterdir()) == []


def test_what_a_killed_run_had_started_writes_no_more(tmp: Path) -> None:
    """Compilers, say, which know the folder by the very path that the next run works in."""
    child = "subprocess.Popen(['sleep', '600'], cwd=folder, start_new_session=True).pid"
    leave_behind("tiny", f"(folder.parent / 'pid').write_text(str({child}))")
    pid = int((tmp / "tiny" / "pid").read_text())
    with scratch_folder("other"):
        assert Path(f"/proc/{pid}/cwd").readlink() == tmp / "tiny" / "job"
    with scratch_folder("tiny"):
        assert not runs_still(pid)


def test_what_killed_runs_left_can_be_found_and_what_is_in_use_is_not_touched(tmp: Path) -> None:
    leave_behind("killed")
    with scratch_folder("busy") as busy:
        busy.mkdir()
        assert abandoned_folders() == [tmp / "killed"]
        for folder in (tmp / "killed", tmp / "busy"):
            remove_abandoned(folder)
        assert busy.is_dir()
        assert [folder.name for folder in tmp.iterdir()] == ["busy"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache, which stands in where the folder for temporary files cannot be used."""
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / f"crosswheel-{os.getuid()}"


def make_writable(tmp: Path) -> None:
    tmp.mkdir()
    tmp.chmod(0o777)


def make_link(tmp: Path) -> None:
    (tmp.parent / "elsewhere").mkdir(mode=0o700)
    tmp.symlink_to(tmp.parent / "elsewhere")


@pytest.mark.parametrize(
    "put",
    [make_writable, make_link, Path.touch, lambda tmp: tmp.symlink_to("nowhere"), os.mkfifo],
    ids=["writable", "link", "file", "dangling", "fifo"],
)
def test_what_others_have_put_under_its_name_neither_stops_nor_steers_a_run(
    tmp: Path, cache: Path, put: Callable[[Path], None]
) -> None:
    put(tmp)
    with scratch_folder("tiny") as folder, temporary_folder() as temporary:
        assert folder == cache / "tiny" / "job"
        assert temporary.is_relative_to(cache)
        assert cache.stat().st_mode & 0o077 == 0
    assert (list(cache.iterdir()), abandoned_folders()) == ([], [])
    assert not (tmp.parent / "elsewhere" / "tiny").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("name", [".cargo", ".git", "uv.toml", "pyproject.toml", "node_modules"])
def test_what_another_user_has_put_above_it_steers_no_build(tmp: Path, cache: Path, tmp_path: Path, name: str) -> None:
    tempfile.tempdir = str(tmp_path / "shared")
    Path(tempfile.tempdir).mkdir()
    planted = Path(tempfile.tempdir, name)
    planted.touch()
    os.chown(planted, 65534, -1)
    with scratch_folder("tiny") as folder:
        assert folder.is_relative_to(cache)
    os.chown(planted, os.getuid(), -1)
    with scratch_folder("tiny") as folder:
        assert not folder.is_relative_to(cache)


def test_where_no_folder_is_safe_the_error_says_which_ones_and_what_to_do(tmp: Path, cache: Path) -> None:
    make_writable(tmp)
    cache.parent.mkdir()
    cache.touch()
    with pytest.raises(CrosswheelError) as caught, scratch_folder("tiny"):
        pass
    assert caught.value.message.splitlines() == [
        f"{tmp} belongs to another user, or others may write to it",
        f"{cache} is not a folder",
    ]
    assert caught.value.hint == "remove these; or set TMPDIR to a folder that only you may write to"


@pytest.mark.parametrize(
    "put",
    [
        Path.touch,
        lambda name: name.symlink_to(".."),
        lambda name: name.symlink_to("nowhere"),
        os.mkfifo,
    ],
    ids=["file", "link", "dangling", "fifo"],
)
def test_what_a_build_has_put_in_the_place_of_a_jobs_folder_is_passed_over(
    tmp: Path, put: Callable[[Path], None]
) -> None:
    tmp.mkdir(mode=0o700)
    put(tmp / "tiny")
    with scratch_folder("tiny") as folder:
        assert folder == tmp / "tiny-2" / "job"


def test_a_killed_run_leaves_nothing_that_the_next_does_not_remove(tmp: Path) -> None:
    leave_behind("tiny", "other = temporary_folder(); Path(other.__enter__(), 'sdist').touch()")
    assert len(list(tmp.iterdir())) == 2
    with temporary_folder() as busy:
        clear_abandoned()
        assert list(tmp.iterdir()) == [busy.parent]
    assert list(tmp.iterdir()) == []


def test_many_at_once_under_one_name_never_meet(tmp: Path) -> None:
    """Owners remove the folder that others are about to lock."""
    met: list[str] = []

    def work() -> None:
        for _ in range(40):
            with scratch_folder("tiny") as folder:
                try:
                    folder.mkdir()
                    (folder / "mine").write_text(str(threading.get_ident()))
                    if (folder / "mine").read_text() != str(threading.get_ident()):
                        met.append(str(folder))
                except OSError as error:
                    met.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert met == []
    assert list(tmp.iterdir()) == []
