"""Many wheels at once: in processes, in order, and whatever happens to one of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from crosswheel.auditing import run as audits
from crosswheel.auditing.run import Audit, audit_files
from crosswheel.testing import tiny_elf, tiny_wheel
from stray import runs_still

_PATIENCE = 30.0  # seconds


def some_wheels(folder: Path, count: int = 4) -> list[Path]:
    """Every other one is broken."""
    folder.mkdir(exist_ok=True)
    libraries = [tiny_elf(), tiny_elf(needed=["libfoo.so"])]
    return [
        tiny_wheel(
            folder,
            name=f"n{number}",
            tag="py3-none-manylinux_2_28_aarch64",
            members={"n/lib.so": libraries[number % 2]},
        )
        for number in range(count)
    ]


def told(audit: Audit) -> tuple[str, list[str]]:
    return audit.path.name.partition("-")[0], [finding.rule for finding in audit.findings if finding.is_error]


@pytest.mark.parametrize("processes", [1, 2])
def test_audits_come_in_the_order_given_with_all_that_is_known_of_a_file(tmp_path: Path, processes: int) -> None:
    wheels = some_wheels(tmp_path)
    found = list(audit_files([*reversed(wheels)], {"W302": "no reason"}, processes))
    assert [told(audit) for audit in found] == [("n3", ["W403"]), ("n2", []), ("n1", ["W403"]), ("n0", [])]
    assert all(audit.wheel and audit.wheel.size == audit.path.stat().st_size for audit in found)
    assert [audit.entry.file for audit in found if audit.entry] == [wheel.name for wheel in reversed(wheels)]


def test_the_largest_file_is_begun_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no process ends with a large one alone."""
    wheels = some_wheels(tmp_path)
    large = tiny_wheel(tmp_path, name="large", tag="py3-none-any", members={"large.bin": os.urandom(10_000)})
    begun: list[Path] = []
    pool = audits._workers

    @contextmanager
    def watched(count: int) -> Iterator[ProcessPoolExecutor]:
        with pool(count) as workers:
            monkeypatch.setattr(workers, "submit", begin(workers.submit))
            yield workers

    def begin(submit: Callable[..., Future[Audit]]) -> Callable[..., Future[Audit]]:
        def noted(work: Callable[..., Audit], path: Path, *rest: object) -> Future[Audit]:
            begun.append(path)
            return submit(work, path, *rest)

        return noted

    monkeypatch.setattr(audits, "_workers", watched)
    found = [audit.path for audit in audit_files([*wheels, large], processes=2)]
    assert begun[0] == large
    assert found == [*wheels, large]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many processes each audit starts, instead of which this one is asked."""
    counts: list[int] = []

    @contextmanager
    def workers(count: int) -> Iterator[ThreadPoolExecutor]:
        counts.append(count)
        with ThreadPoolExecutor(count) as pool:
            yield pool

    monkeypatch.setattr(audits, "_workers", workers)
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2})
    return counts


def test_a_single_wheel_is_audited_without_any_other_process(tmp_path: Path, started: list[int]) -> None:
    assert [told(audit) for audit in audit_files(some_wheels(tmp_path, 1), {}, 2)] == [("n0", [])]
    assert started == []


def test_so_are_a_few_small_ones(tmp_path: Path, started: list[int]) -> None:
    wheels = some_wheels(tmp_path, 21)
    assert len(list(audit_files(wheels[:20]))) == 20
    assert started == []
    assert len(list(audit_files(wheels))) == 21
    assert len(list(audit_files(wheels[:2], {}, 2))) == 2  # as was asked
    with wheels[0].open("r+b") as file:
        file.truncate(5_000_000)
    assert len(list(audit_files([*wheels[:2], tmp_path / "gone-1.0-py3-none-any.whl"]))) == 3
    assert started == [3, 2, 3]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_that_cannot_be_read_is_an_error_of_its_own_and_the_others_are_audited(
    tmp_path: Path, processes: int
) -> None:
    wheels = some_wheels(tmp_path, 2)
    wheels[0].write_bytes(wheels[0].read_bytes()[:-30])
    folder = tmp_path / "n2-1.0-py3-none-any.whl"
    folder.mkdir()
    (tmp_path / "no_wheel.txt").touch()
    nowhere = tmp_path / "n4-1.0-py3-none-any.whl"
    nowhere.symlink_to(tmp_path / "gone")
    found = list(audit_files([wheels[0], folder, tmp_path / "no_wheel.txt", nowhere, wheels[1]], {}, processes))
    assert [finding.rule for audit in found[:4] for finding in audit.findings] == ["W001"] * 4
    assert told(found[4]) == ("n1", ["W403"])
    texts = [audit.findings[0].found for audit in found[:4]]
    assert "zip archive" in texts[0]
    assert "Is a directory" in texts[1]
    assert "not the name of a wheel" in texts[2]
    assert "No such file" in texts[3]
    assert all(audit.findings[0].fix for audit in found[:4])


def test_a_file_that_may_not_be_read_is_an_error_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, _beside: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(audits, "read_wheel", refused)  # root, as which tests may run, can read anything
    (audit,) = audit_files(some_wheels(tmp_path, 1))
    assert [(finding.rule, "Permission denied" in finding.found) for finding in audit.findings] == [("W001", True)]
    assert audit.wheel is None


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MemoryError(), "not enough memory to read it"),
        (KeyError("x"), "KeyError: 'x' (a bug: please report it with the file)"),
    ],
)
def test_a_fault_of_ours_is_told_of_the_file_that_found_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, text: str
) -> None:
    def fail(*_given: object) -> None:
        raise error

    monkeypatch.setattr(audits, "findings_of", fail)
    (audit,) = audit_files(some_wheels(tmp_path, 1))
    assert [(finding.rule, finding.found) for finding in audit.findings] == [("W001", text)]
    assert audit.wheel


def test_what_cannot_be_read_can_be_switched_off_too(tmp_path: Path) -> None:
    (tmp_path / "x.whl").touch()
    (audit,) = audit_files([tmp_path / "x.whl"], {"W001": "a trial"})
    assert [finding.ignored for finding in audit.findings] == ["a trial"]


# A script of a user, without `if __name__ == "__main__":`. Workers do not import it.
SCRIPT = """
import sys
from pathlib import Path
from crosswheel.auditing.run import audit_files

for audit in audit_files([Path(word) for word in sys.argv[1:]], {}, 2):
    print(audit.path.name[:2], *(finding.rule + " " + finding.found for finding in audit.findings))
"""


# With another thread, workers are not forked from the script.
_THREAD = "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()"
_FORKED_OR_SERVED = pytest.mark.parametrize("first", ["", _THREAD], ids=["forked", "served"])


def run_script(folder: Path, first: str, patch: str = "") -> list[str]:
    """The command that audits wheels by SCRIPT, in the parent and its workers with what `patch` changes."""
    (folder / "script.py").write_text(f"{first}\n{SCRIPT}")
    (folder / "sitecustomize.py").write_text(patch)
    return [sys.executable, str(folder / "script.py")]


def with_patches_of(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}


@_FORKED_OR_SERVED
def test_a_script_needs_no_guard_against_its_own_import(tmp_path: Path, first: str) -> None:
    words = [str(path) for path in some_wheels(tmp_path / "wheels", 3)]
    done = subprocess.run(
        [*run_script(tmp_path, first), *words],
        env=with_patches_of(tmp_path),
        capture_output=True,
        encoding="utf-8",
        timeout=_PATIENCE,
        check=True,
    )
    assert (done.stdout.splitlines(), done.stderr) == (["n0", "n1 W403 libfoo.so", "n2"], "")


# A worker that dies does so in C code or at the kernel's hand: here, at the sight of one file.
DEADLY = """
import os
from crosswheel.auditing import run as audits
from crosswheel.formats import wheels

read = audits.read_wheel

def deadly(path, beside):
    if path.name.startswith("n1-"):
        os.kill(os.getpid(), 9)
    return read(path, beside)

audits.read_wheel = deadly
"""


@_FORKED_OR_SERVED
def test_a_worker_that_dies_takes_no_other_audit_with_it(tmp_path: Path, first: str) -> None:
    words = [str(path) for path in some_wheels(tmp_path / "wheels", 3)]
    done = subprocess.run(
        [*run_script(tmp_path, first, DEADLY), *words],
        env=with_patches_of(tmp_path),
        capture_output=True,
        encoding="utf-8",
        timeout=_PATIENCE,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "n0",
        "n1 W001 the process that read it died, perhaps because memory ran out: see `dmesg | tail`",
        "n2",
    ]


# Wheels that take for ever, and a note of who is at it.
ENDLESS = """
import os, time
from crosswheel.auditing import run as audits

def endless(path, beside):
    path.with_suffix(".pid").write_text(str(os.getpid()))
    time.sleep(600)

audits.read_wheel = endless
"""


@_FORKED_OR_SERVED
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_an_audit_that_is_stopped(tmp_path: Path, number: signal.Signals, first: str) -> None:
    words = [str(tmp_path / name) for name in ("a.whl", "b.whl", "c.whl")]
    command = [sys.executable, "-c", _WITH_SIGINT, *run_script(tmp_path, first, ENDLESS), *words]
    with subprocess.Popen(command, env=with_patches_of(tmp_path), stderr=subprocess.PIPE) as process:
        limit = time.monotonic() + _PATIENCE
        notes = [tmp_path / "a.pid", tmp_path / "b.pid"]
        while not all(note.exists() and note.read_text() for note in notes):
            assert time.monotonic() < limit, "the workers never began"
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate(timeout=_PATIENCE)
        pids = [int(note.read_text()) for note in notes]
    assert not [pid for pid in pids if runs_still(pid)]
    assert not (tmp_path / "c.pid").exists()


# Started in the background of a shell, as tests may be, a program ignores SIGINT from its start.
_WITH_SIGINT = "import os, signal, sys; signal.signal(2, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"


def test_no_process_of_others_is_ended(tmp_path: Path) -> None:
    other = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    other.start()
    try:
        under_way = audit_files(some_wheels(tmp_path, 3), {}, 2)
        next(under_way)
        under_way.close()
        assert other.is_alive()
    finally:
        other.kill()
        other.join()


def test_a_rule_that_is_broken_everywhere_is_told_a_thousand_times(tmp_path: Path) -> None:
    unlisted = {f"tiny/{number}.py": b"" for number in range(1200)} | {"tiny-1.0.dist-info/RECORD": b""}
    findings = audits.audit_wheel(tiny_wheel(tmp_path, members=unlisted))
    assert {finding.rule for finding in findings} == {"W501"}
    assert len(findings) == 1001
    assert findings[-1].found.startswith("more than 1000 places")


def test_a_missing_library_that_is_excluded_is_a_note(tmp_path: Path) -> None:
    elf = tiny_elf(exports=["PyInit_fast"], needed=["libcuda.so.1", "libfoo.so"])
    members = {"fast.cpython-313-aarch64-linux-gnu.so": elf}
    wheel = tiny_wheel(tmp_path, tag="cp313-cp313-manylinux_2_17_aarch64", members=members)
    (audit,) = audit_files([wheel], exclude=("libcuda*",))
    assert [(finding.rule, finding.level, finding.found) for finding in audit.findings] == [
        ("W411", "note", "libcuda.so.1"),
        ("W403", "error", "libfoo.so"),
    ]
