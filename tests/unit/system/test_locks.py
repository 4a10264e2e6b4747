"""Who makes what is kept, and who waits for that, and how long."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import filelock
import pytest

from crosswheel.errors import UsageError
from crosswheel.system.locks import locked, own_cache
from crosswheel.system.process import Processes, Stopped


@pytest.fixture
def another(tmp_path: Path) -> Iterator[filelock.BaseFileLock]:
    """Who has the lock."""
    with filelock.FileLock(tmp_path / "lock") as lock:
        yield lock


def test_who_comes_second_waits_for_the_first(another: filelock.BaseFileLock, tmp_path: Path) -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 2:
            another.release()

    with locked(tmp_path / "lock", look):
        assert len(looks) == 2
        assert _is_taken(tmp_path / "lock")
    assert not _is_taken(tmp_path / "lock")


def test_the_first_waits_for_nobody(tmp_path: Path) -> None:
    with locked(tmp_path / "new" / "lock", lambda: pytest.fail("nobody has it")):
        assert _is_taken(tmp_path / "new" / "lock")


def test_a_run_that_is_stopped_does_not_wait_for_another(another: filelock.BaseFileLock, tmp_path: Path) -> None:
    processes = Processes()
    threading.Timer(0.3, processes.stop).start()

    with pytest.raises(Stopped), locked(tmp_path / "lock", processes.look):
        pytest.fail("another has it")

    assert another.is_locked
    assert _is_taken(tmp_path / "lock")


def test_what_goes_wrong_inside_lets_the_next_one_in(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "lock"):
        raise ZeroDivisionError
    assert not _is_taken(tmp_path / "lock")


def _is_taken(path: Path) -> bool:
    try:
        with filelock.FileLock(path, blocking=False):
            return False
    except filelock.Timeout:
        return True


# ---- whose the cache is ---------------------------------------------------------------------------------------


def test_a_cache_is_open_to_its_user_alone(tmp_path: Path) -> None:
    for _ in range(2):
        assert own_cache(tmp_path / "a" / "cache").stat().st_mode & 0o777 == 0o700
    (tmp_path / "older").mkdir(mode=0o755)
    assert own_cache(tmp_path / "older").stat().st_mode & 0o777 == 0o700


def test_a_cache_that_others_may_write_to_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / "my cache"
    folder.mkdir()
    folder.chmod(0o775)
    with pytest.raises(UsageError) as caught:
        own_cache(folder)
    assert caught.value.message == f"other users may write to the cache {folder}, and could change your wheels"
    assert caught.value.hint == f"chmod -R go-w '{folder}', if you trust what is in it; or remove it"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_a_cache_of_another_user_is_refused_with_what_to_do(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, -1)
    with pytest.raises(UsageError) as caught:
        own_cache(tmp_path)
    assert caught.value.message.startswith(f"the cache {tmp_path} belongs to another user")
    assert caught.value.hint.startswith(f"sudo chown -R 0 {tmp_path}")
