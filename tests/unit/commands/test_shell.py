from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from crosswheel.commands import run_verb
from crosswheel.commands.shell import _START
from crosswheel.errors import BuildFailed, NothingToDo, UsageError
from stray import runs_still
from terminals import terminal
from tiny_projects import PKG_INFO, tar_of, tiny_project

# Of bash, for root and for others.
PROMPT = r"[#$] "
TARGET = "cp313-manylinux2014_aarch64"
ENVIRON = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TERM": "dumb"}
CROSS = [sys.executable, "-m", "crosswheel", "shell", TARGET, "--engine", "cross", "--source", "platform"]

Piping = Callable[[str], "subprocess.CompletedProcess[str]"]


# ---- what is asked for ------------------------------------------------------------------------------------------


def test_without_a_target_it_says_where_they_are_listed(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run_verb("shell", tmp_path, {}, io.StringIO())
    assert caught.value.message == "no target was given"
    assert "crosswheel plan" in caught.value.hint


def test_a_target_that_is_none_is_told_how_to_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown target 'cp313': write it as cp313-manylinux_2_28_aarch64"):
        run_verb("shell", tmp_path, {"target": "cp313"}, io.StringIO())


def test_a_target_that_no_engine_serves_has_the_reasons(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    options = {"target": "cp313-musllinux_1_1_aarch64", "engine": "cross", "source": str(project)}
    with pytest.raises(NothingToDo, match=r"cross: Zig's musl is 1\.2") as caught:
        run_verb("shell", project, options, io.StringIO())
    assert caught.value.message.startswith("cp313-musllinux_1_1_aarch64: ")
    assert caught.value.hint


# ---- a command with this process's own input and output -----------------------------------------------------------


def interacting(*command: str, path: str = ENVIRON["PATH"]) -> list[str]:
    """A program that does nothing else."""
    environ = {**ENVIRON, "PATH": path}
    code = f"""
import sys
from pathlib import Path
from crosswheel.system.process import Processes
sys.exit(Processes().interact({list(command)!r}, env={environ!r}, cwd=Path("/")))
"""
    return [sys.executable, "-c", code]


def piped(command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


def test_what_is_piped_is_read_and_the_streams_stay_apart() -> None:
    done = piped(interacting("sh"), "echo out\necho err >&2\npwd\nexit 7\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n/\n", "err\n")


def test_a_signal_is_told_as_shells_tell_it() -> None:
    assert piped(interacting("sh"), "kill -9 $$\n").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("leaving", ["sleep 60 & echo $!", "setsid sleep 60 & sleep 0.5; pgrep -n -f 'sleep 60'"])
def test_what_a_shell_leaves_behind_ends_with_it(leaving: str) -> None:
    done = piped(interacting("sh"), f"({leaving}) </dev/null 2>/dev/null\n")
    assert not runs_still(int(done.stdout))


def test_on_a_terminal_it_has_the_terminal_which_is_afterwards_as_it_was(tmp_path: Path) -> None:
    with terminal(interacting("bash", "--norc"), os.environ, tmp_path) as screen:
        before = screen.settings
        screen.resize(33, 77)
        screen.expect(PROMPT)
        screen.type("stty size; sleep 60 & echo pid $!;\n")
        screen.expect("33 77")
        left = int(screen.expect(r"pid (\d+)")[1])
        screen.type("sh -c 'echo sta\"\"rted; exec sleep 30'\n")
        screen.expect("started")
        screen.type("\x03")  # of the shell's own command only
        screen.expect(PROMPT)
        screen.type("stty -echo raw; exec sh -c 'exit 9'\n")
        assert screen.code() == 9
        assert screen.settings == before
    assert not runs_still(left)


def test_a_terminal_comes_back_from_a_shell_that_was_killed(tmp_path: Path) -> None:
    with terminal(interacting("bash", "--norc"), os.environ, tmp_path) as screen:
        before = screen.settings
        screen.expect(PROMPT)
        screen.type("kill -9 $$\n")
        assert screen.code() == 128 + signal.SIGKILL
        assert screen.settings == before


def test_without_bash_it_is_a_plain_shell(tmp_path: Path) -> None:
    (tmp_path / "sh").symlink_to("/bin/sh")
    starting = interacting("/bin/sh", "-c", _START, "sh", "cp313-x", path=str(tmp_path))
    assert piped(starting, "command -v bash || echo none\n").stdout == "none\n"
    with terminal(starting, os.environ, tmp_path) as screen:
        screen.expect(r"cp313-x \$ ")
        screen.type("exit 3\n")
        assert screen.code() == 3


# ---- where a wheel would be cross-compiled --------------------------------------------------------------------------


@pytest.fixture
def cross(tmp_path: Path) -> Piping:
    """Gives how it ended. The folder for temporary files is the test's own."""
    tiny_project("platform", tmp_path)
    (tmp_path / "tmp").mkdir()
    environ = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}

    def pipe(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            CROSS, input=text, capture_output=True, text=True, check=False, timeout=600, cwd=tmp_path, env=environ
        )

    return pipe


@pytest.mark.index
def test_a_pipe_s_commands_find_what_a_build_finds_and_nothing_is_left(cross: Piping, tmp_path: Path) -> None:
    done = cross('ls fast.c\npython -c "import platform; print(platform.machine())"\necho "$CC"\nexit 5\n')
    assert done.returncode == 5, done.stderr
    source, machine, compiler = done.stdout.splitlines()
    assert (source, machine) == ("fast.c", "aarch64")
    assert compiler.endswith("/toolchain/bin/cc")
    assert "engine    cross, on this machine" in done.stderr
    assert not list((tmp_path / "tmp").glob("*/*"))


@pytest.mark.slow
@pytest.mark.index
def test_the_command_that_is_shown_builds_the_wheel(cross: Piping) -> None:
    (line,) = [line for line in cross("").stderr.splitlines() if line.startswith("to build  ")]
    done = cross(f"{line.removeprefix('to build  ')}\nls dist\n")
    assert done.returncode == 0, done.stderr
    assert "tiny-1.0-cp313-cp313-linux_x86_64.whl" in done.stdout  # its backend believes in no platform


@pytest.mark.slow
@pytest.mark.index
def test_what_cannot_be_prepared_stops_a_script_and_is_left_to_a_person(tmp_path: Path) -> None:
    backend = b'[build-system]\nrequires = []\nbuild-backend = "no_such_backend"\n'
    sdist = tar_of({"pyproject.toml": backend, "PKG-INFO": PKG_INFO}, tmp_path)
    command = [*CROSS[:-1], str(sdist)]
    done = piped(command, "echo ran\n")
    assert (done.returncode, done.stdout) == (BuildFailed.exit_code, "")
    assert "no_such_backend" in done.stderr
    options = "--arch aarch64 --python cp313 --policy manylinux2014"
    assert done.stderr.endswith(f"  try: crosswheel wheels {sdist} {options}, which keeps its log\n")
    with terminal(command, os.environ, tmp_path) as screen:
        screen.expect("no_such_backend")
        screen.expect("the shell opens anyway")
        screen.expect(f"{TARGET} tiny-1.0 {PROMPT}")
        screen.type("exit 4\n")
        assert screen.code() == 4
