from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clock import LIMIT, Clock
from crosswheel.errors import TimeLimit
from crosswheel.system import process
from crosswheel.system.process import CommandFailed, Processes, Stopped, describe_returncode, log_tail
from stray import runs_still

ENVIRON = {"PATH": os.defpath}

# A leader with a child, both deaf to SIGTERM; it says who they are once the child is deaf too.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
deaf = "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
child.stdout.readline()
with open("pids.draft", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename("pids.draft", "pids")
time.sleep(600 if sys.argv[1] == "stay" else 0)
"""


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def pids(folder: Path) -> list[int]:
    limit = time.monotonic() + 60
    while not (folder / "pids").exists():
        assert time.monotonic() < limit
        time.sleep(0.01)
    return [int(word) for word in (folder / "pids").read_text().split()]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_GRACE", 0.2)


def test_what_a_command_prints_is_returned_and_its_complaints_are_not() -> None:
    code = "import sys; print('grüße'); print('careful', file=sys.stderr)"
    assert Processes().run(python(code), env={**ENVIRON, "PYTHONUTF8": "1"}) == "grüße\n"


def test_a_command_sees_the_environment_it_was_given_and_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "1")
    code = "import os, sys; print('SECRET' in os.environ, os.environ['FAST'], repr(sys.stdin.read()))"
    assert Processes().run(python(code), env={**ENVIRON, "FAST": "yes"}) == "False yes ''\n"


def test_output_goes_to_the_end_of_the_log_under_the_command(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    assert Processes().run(["sh", "-c", "echo out; echo err >&2; pwd"], env=ENVIRON, cwd=tmp_path, log=log) == ""
    assert log.read_text() == f"before\n$ sh -c echo out; echo err >&2; pwd\nout\nerr\n{tmp_path.resolve()}\n"


@pytest.mark.parametrize(
    ("code", "text"),
    [("exit 3", "sh -c exit 3 ended with exit code 3"), ("kill -9 $$", "sh -c kill -9 $$ ended with signal SIGKILL")],
)
def test_a_command_that_fails_says_how_it_ended(code: str, text: str) -> None:
    with pytest.raises(CommandFailed) as caught:
        Processes().run(["sh", "-c", code], env=ENVIRON)
    assert caught.value.message == text
    assert caught.value.argv == ("sh", "-c", code)


def test_a_command_that_fails_gives_all_that_it_printed_or_leaves_it_in_the_log(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo out; echo err >&2; exit 1"]
    with pytest.raises(CommandFailed) as caught:
        Processes().run(command, env=ENVIRON)
    assert (caught.value.returncode, caught.value.output) == (1, "out\nerr\n")
    with pytest.raises(CommandFailed) as caught:
        Processes().run(command, env=ENVIRON, log=tmp_path / "log")
    assert (caught.value.output, log_tail(tmp_path / "log", 2)) == ("out\nerr", ("out", "err"))


def test_a_command_is_not_judged_by_what_others_have_left_in_its_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("No space left on device\n")
    with pytest.raises(CommandFailed) as caught:
        Processes().run(["sh", "-c", "echo so; exit 1"], env=ENVIRON, log=tmp_path / "log")
    assert caught.value.output == "so"


def test_a_program_that_is_not_there_is_a_file_not_found() -> None:
    with pytest.raises(FileNotFoundError):
        Processes().run(["no-such-program"], env=ENVIRON)


@pytest.mark.parametrize("logged", [False, True])
def test_the_time_limit_ends_the_whole_session_even_what_will_not_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, logged: bool
) -> None:
    monkeypatch.setattr(process, "time", Clock((tmp_path / "pids").exists))
    log = tmp_path / "log" if logged else None
    with pytest.raises(TimeLimit) as caught:
        Processes().run(python(STUBBORN, "stay"), env=ENVIRON, cwd=tmp_path, log=log, deadline=time.monotonic() + LIMIT)
    assert caught.value.message.startswith(f"{sys.executable} -c ")
    assert caught.value.message.endswith(" was still running at the time limit")
    assert "`timeout` (seconds)" in caught.value.hint
    assert [runs_still(pid) for pid in pids(tmp_path)] == [False, False]


def test_the_time_limit_ends_also_what_left_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = tmp_path / "server.pid"
    monkeypatch.setattr(process, "time", Clock(lambda: number.exists() and number.read_text() != ""))
    server = "import os, pathlib, time; pathlib.Path('server.pid').write_text(str(os.getpid())); time.sleep(60)"
    code = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {server!r}], start_new_session=True)
time.sleep(60)
"""
    with pytest.raises(TimeLimit):
        Processes().run(python(code), env=ENVIRON, cwd=tmp_path, deadline=time.monotonic() + LIMIT)
    assert not runs_still(int(number.read_text()))


def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    Processes().run(python(STUBBORN, "go"), env=ENVIRON, cwd=tmp_path, log=tmp_path / "log")
    assert [runs_still(pid) for pid in pids(tmp_path)] == [False, False]


def test_stopping_ends_what_is_under_way_and_refuses_what_comes_later(tmp_path: Path) -> None:
    processes = Processes()
    caught: list[BaseException] = []

    def run() -> None:
        try:
            processes.run(python(STUBBORN, "stay"), env=ENVIRON, cwd=tmp_path)
        except Stopped as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    running = pids(tmp_path)
    processes.stop()
    thread.join(20)
    assert [str(error) for error in caught] == [f"stopped: {sys.executable}"]
    assert [runs_still(pid) for pid in running] == [False, False]
    with pytest.raises(Stopped, match="not started: sh"):
        processes.run(["sh", "-c", f"touch {tmp_path}/never"], env=ENVIRON)
    assert not (tmp_path / "never").exists()


# A run of its own: what it has started is what STUBBORN starts, and a server in another session.
RUN = """
import sys
from pathlib import Path
from crosswheel.system.process import Processes
server = "import os, pathlib, time; pathlib.Path('server.pid').write_text(str(os.getpid())); time.sleep(600)"
code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {server!r}], start_new_session=True)\\n"
command = [sys.executable, "-c", code + sys.argv[1], "stay"]
Processes().run(command, env={"PATH": sys.argv[2]}, cwd=Path(sys.argv[3]), log=Path(sys.argv[3], "log"))
"""


def test_what_a_run_that_is_killed_had_started_ends_with_it(tmp_path: Path) -> None:
    run = subprocess.Popen(python(RUN, STUBBORN, os.defpath, str(tmp_path)))
    running = pids(tmp_path)
    limit = time.monotonic() + 60
    while not (tmp_path / "server.pid").exists() or not (tmp_path / "server.pid").read_text():
        assert time.monotonic() < limit
        time.sleep(0.01)
    running.append(int((tmp_path / "server.pid").read_text()))
    run.kill()
    run.wait()
    limit = time.monotonic() + 30
    while any(map(runs_still, running)):
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("code", "text"), [(0, "exit code 0"), (2, "exit code 2"), (-15, "signal SIGTERM"), (-200, "signal 200")]
)
def test_return_codes_are_put_into_words(code: int, text: str) -> None:
    assert describe_returncode(code) == text


@pytest.mark.parametrize(
    ("write", "tail"),
    [
        (lambda log: None, ()),
        (lambda log: log.write_bytes(b""), ()),
        (lambda log: log.write_text("a\nb\nc\n"), ("b", "c")),
        (lambda log: log.write_bytes(b"x\n" * 200_000 + b"b\n\xff"), ("b", "\ufffd")),
    ],
)
def test_the_tail_of_a_log_is_its_last_lines(
    tmp_path: Path, write: Callable[[Path], None], tail: tuple[str, ...]
) -> None:
    log = tmp_path / "log"
    write(log)
    assert log_tail(log, 2) == tail
