"""The process that repairs: as good as one of its own for each wheel, stopped with the run, and gone after it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clock import LIMIT, Clock
from crosswheel.engines.repair_worker import RepairWorker
from crosswheel.errors import TimeLimit
from crosswheel.system import process
from crosswheel.system.process import CommandFailed, Processes, Stopped
from crosswheel.testing import tiny_elf, tiny_wheel

TARGET = "cp313-manylinux2014_aarch64"
ENVIRON = {"PATH": "/usr/bin:/bin"}


@dataclass
class _Counted(Processes):
    """How many Pythons were started for a repair alone."""

    started: int = 0

    def run(self, argv: Any, **how: Any) -> str:
        self.started += 1
        return super().run(argv, **how)


@pytest.fixture
def worker() -> Iterator[RepairWorker]:
    made = RepairWorker()
    made.start(ENVIRON)
    yield made
    made.end()


def repaired(worker: RepairWorker, folder: Path, processes: Processes, deadline: float | None = None) -> dict[str, str]:
    (folder / "made").mkdir(parents=True)
    library = tiny_elf(exports=("PyInit_fast",), needed=("libc.so.6",), versions_needed={"libc.so.6": ["GLIBC_2.17"]})
    member = {"fast.cpython-313-aarch64-linux-gnu.so": library}
    wheel = tiny_wheel(folder / "made", name="tiny", tag="cp313-cp313-linux_aarch64", members=member)
    (folder / "repaired").mkdir()
    arguments = [str(wheel), TARGET, str(folder / "repaired"), "", "", str(folder / "libraries"), "1700000000", ""]
    said = worker.run(arguments, processes, environ=ENVIRON, cwd=folder / "repaired", deadline=deadline)
    answer: dict[str, str] = json.loads(said)
    return answer


def server(worker: RepairWorker) -> int:
    assert worker._server
    return worker._server[0]._process.pid


def children(process: int) -> list[str]:
    return Path(f"/proc/{process}/task/{process}/children").read_text().split()


def test_many_are_repaired_at_once_by_forks_and_alike(worker: RepairWorker, tmp_path: Path) -> None:
    processes = _Counted()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: repaired(worker, tmp_path / str(number), processes), range(8)))
    alone = repaired(RepairWorker(), tmp_path / "alone", processes)
    assert processes.started == 1
    wheels = {Path(answer["wheel"]).read_bytes() for answer in (*answers, alone)}
    assert len(wheels) == 1
    assert [Path(answer["wheel"]).is_relative_to(tmp_path / str(number)) for number, answer in enumerate(answers)]


def test_what_goes_wrong_in_a_fork_is_told_and_the_next_one_is_repaired(worker: RepairWorker, tmp_path: Path) -> None:
    for arguments in (["too", "few"], ["nothing.whl", TARGET, ".", "", "", ".", "0", ""]):
        with pytest.raises(CommandFailed) as caught:
            worker.run(arguments, Processes(), environ=ENVIRON, cwd=tmp_path, deadline=None)
        assert caught.value.returncode == 1
        assert "Traceback" in caught.value.output
    assert "wheel" in repaired(worker, tmp_path / "job", Processes())


def test_one_that_has_died_is_done_without(worker: RepairWorker, tmp_path: Path) -> None:
    os.kill(server(worker), signal.SIGKILL)
    processes = _Counted()
    assert "wheel" in repaired(worker, tmp_path / "job", processes)
    assert processes.started == 1


def test_the_time_limit_and_the_stop_of_a_run_end_a_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "tiny-1.0-cp313-cp313-linux_aarch64.whl"
    os.mkfifo(wheel)  # whoever opens it waits for ever
    worker, processes = RepairWorker(), Processes()
    worker.start(ENVIRON)
    arguments = [str(wheel), TARGET, str(tmp_path), "", "", str(tmp_path), "0", ""]
    try:
        monkeypatch.setattr(process, "time", Clock(lambda: children(server(worker)) != []))
        with pytest.raises(TimeLimit):
            worker.run(arguments, processes, environ=ENVIRON, cwd=tmp_path, deadline=time.monotonic() + LIMIT)
        threading.Timer(0.5, processes.stop).start()
        with pytest.raises(Stopped):
            worker.run(arguments, processes, environ=ENVIRON, cwd=tmp_path, deadline=None)
        with pytest.raises(Stopped):
            worker.run(arguments, processes, environ=ENVIRON, cwd=tmp_path, deadline=None)
        until = time.monotonic() + 5
        while children(server(worker)) and time.monotonic() < until:
            time.sleep(0.05)
        assert children(server(worker)) == []
    finally:
        worker.end()


def test_it_ends_with_whoever_asks(worker: RepairWorker, tmp_path: Path) -> None:
    repaired(worker, tmp_path / "job", Processes())
    number = server(worker)
    worker.end()
    assert not Path(f"/proc/{number}").exists()
    worker.end()
    # Killed, it can say nothing; its end of the connection is gone all the same.
    worker.start(ENVIRON)
    assert worker._server
    process, connection = worker._server
    connection.close()
    process._process.wait(10)
