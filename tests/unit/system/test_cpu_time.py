from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from crosswheel.errors import TimeLimit
from crosswheel.system.cpu_time import count, measured
from crosswheel.system.process import Processes

_BURN = "import time\nwhile time.process_time() < 0.15: pass"


def _run(code: str, log: Path | None = None, deadline: float | None = None) -> None:
    Processes().run([sys.executable, "-I", "-S", "-c", code], env=dict(os.environ), log=log, deadline=deadline)


def test_a_command_and_its_children_count(tmp_path: Path) -> None:
    child = (
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-I', '-S', '-c', {_BURN!r}], check=True)\n{_BURN}"
    )
    with measured() as spent:
        _run(child, tmp_path / "log")
    assert spent.seconds is not None
    assert 0.3 <= spent.seconds < 2


def test_waiting_is_no_work(tmp_path: Path) -> None:
    with measured() as spent:
        _run("import time; time.sleep(0.3)", tmp_path / "log")
    assert spent.seconds is not None
    assert spent.seconds < 0.25


def test_a_block_counts_for_the_block_around_it_once() -> None:
    with measured() as outer:
        with measured() as inner:
            until = time.thread_time() + 0.05
            while time.thread_time() < until:
                pass
            count(2.0)
        count(1.0)
    assert inner.seconds == pytest.approx(2.05, abs=0.03)
    assert outer.seconds == pytest.approx(3.05, abs=0.05)


def test_other_threads_do_not_count() -> None:
    with measured() as spent:
        thread = threading.Thread(target=count, args=(5.0,))
        thread.start()
        thread.join()
    assert spent.seconds is not None
    assert spent.seconds < 1


def test_one_unknown_part_makes_the_whole_unknown() -> None:
    with measured() as outer:
        with measured() as inner:
            count(None)
            count(1.0)
        with measured() as known:
            count(1.0)
    assert (outer.seconds, inner.seconds) == (None, None)
    assert known.seconds is not None


def test_a_command_that_was_ended_is_not_known(tmp_path: Path) -> None:
    with measured() as spent, pytest.raises(TimeLimit):
        _run("import time; time.sleep(60)", tmp_path / "log", deadline=time.monotonic() + 0.2)
    assert spent.seconds is None


def test_outside_a_block_nothing_counts() -> None:
    count(1.0)
