"""Folders that are the same in every run, and never anybody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from crosswheel.scratch import abandoned_folders, remove_abandoned, scratch_folder
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
from crosswheel.scratch import scratch_folder
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


def test_a_folder_that_others_could_have_put_there_is_not_used(tmp: Path) -> None:
    tmp.mkdir()
    tmp.chmod(0o777)
    with scratch_folder("tiny") as folder:
        assert not folder.is_relative_to(tmp)
        root = folder.parents[1]
        assert root.stat().st_mode & 0o077 == 0
    assert not root.exists()
    assert (list(tmp.iterdir()), abandoned_folders()) == ([], [])


def test_a_link_in_its_place_leads_nowhere(tmp: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    tmp.symlink_to(tmp_path / "elsewhere")
    with scratch_folder("tiny") as folder:
        assert not folder.resolve().is_relative_to(tmp_path / "elsewhere")


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
