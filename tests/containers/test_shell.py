"""Shells in real containers: through pipes and on a terminal, natively and emulated, and nothing stays behind."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest

from containers.engine import Engine
from containers.sshd import SshUnavailable, running_sshd
from containers.stand_ins.manylinux import POLICY
from terminals import terminal
from tiny_projects import tiny_project

pytestmark = pytest.mark.containers

X86_64, AARCH64 = f"cp313-{POLICY}_x86_64", f"cp313-{POLICY}_aarch64"
PROMPT = r"tiny-1\.0 [#$] "

Command = Callable[..., list[str]]


def shell(project: Path, chosen: Mapping[str, str], target: str, image: str, *options: str) -> list[str]:
    """`crosswheel shell` for a target, in an image, with more options."""
    words = [sys.executable, "-m", "crosswheel", "shell", target, "--image", image, "--source", str(project)]
    return [*words, *(word for name, value in chosen.items() for word in (f"--{name}", value)), *options]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tiny_project("platform", tmp_path)


@pytest.fixture
def command(project: Path, chosen: Mapping[str, str]) -> Command:
    """`crosswheel shell` for a target, in an image, with more options, on each kind of host."""
    return partial(shell, project, chosen)


@pytest.fixture
def on_docker(project: Path, docker_engine: Engine) -> Command:
    return partial(shell, project, {"docker-host": docker_engine.address})


@dataclass(frozen=True)
class Identity:
    """How a container says which one it is, by `command`, and whether that one `is_gone`."""

    command: str
    is_gone: Callable[[str], bool]


@pytest.fixture
def identity(engine_of_kind: Engine | None) -> Identity:
    if engine_of_kind:
        # A container's name for itself is the engine's for it.
        return Identity("echo $(cat /etc/hostname)\n", partial(is_gone, engine_of_kind.client))
    return Identity("grep -o 'upperdir=[^,]*' /proc/mounts\n", _is_removed)


def _is_removed(said: str) -> bool:
    folder = Path(said.strip().removeprefix("upperdir="))
    assert folder.name == "files"
    return not folder.parent.exists()


def piped(command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=600)


def is_gone(engine: docker.DockerClient, container: str) -> bool:
    """At once, or once the engine has ended what still ran in it."""
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        try:
            engine.containers.get(container.strip())
        except docker.errors.NotFound:
            return True
        time.sleep(0.1)
    return False


# ---- through pipes ------------------------------------------------------------------------------------------------

LOOK = """
uname -m
python -c 'import sys; print("%d.%d" % sys.version_info[:2], sys.prefix != sys.base_prefix, sys.prefix)'
cc --version | head -n 1
ls
echo warned >&2
exit 7
"""


def look(identity: Identity, command: Sequence[str]) -> tuple[str, str, str, str]:
    """Machine, compiler, and what we said ourselves; what holds for every engine is looked at here."""
    done = piped(command, identity.command + LOOK)
    assert done.returncode == 7, done.stderr
    container, machine, python, compiler, *files = done.stdout.splitlines()
    version, isolated, prefix = python.split()
    assert (version, isolated) == ("3.13", "True")
    assert f"python    {prefix}/bin/python: CPython 3.13." in done.stderr
    assert {"fast.c", "pyproject.toml", "PKG-INFO"} <= set(files)
    assert done.stderr.endswith("warned\n")
    assert identity.is_gone(container)
    assert not Path(prefix).exists()
    return machine, compiler, done.stderr, container


def test_natively(identity: Identity, command: Command, manylinux_x86_64: str) -> None:
    machine, compiler, said, _ = look(identity, command(X86_64, manylinux_x86_64))
    assert machine == "x86_64"
    assert "clang" not in compiler
    assert f"engine    native, in a container of {manylinux_x86_64}\n" in said


def test_accelerated_is_the_first_that_can_where_the_machine_is_another(
    identity: Identity, emulates: None, command: Command, manylinux_aarch64: str
) -> None:
    machine, compiler, said, _ = look(identity, command(AARCH64, manylinux_aarch64))
    assert machine == "aarch64"
    assert "clang" in compiler
    assert "engine    accelerated, " in said


def test_emulated_if_asked_for(identity: Identity, emulates: None, command: Command, manylinux_aarch64: str) -> None:
    machine, compiler, said, _ = look(identity, command(AARCH64, manylinux_aarch64, "--engine", "emulated"))
    assert machine == "aarch64"
    assert "clang" not in compiler
    assert "engine    emulated, " in said


def test_the_command_that_is_shown_builds_the_wheel(command: Command, manylinux_x86_64: str) -> None:
    said = piped(command(X86_64, manylinux_x86_64), "").stderr
    (line,) = [line for line in said.splitlines() if line.startswith("to build  ")]
    done = piped(command(X86_64, manylinux_x86_64), f"{line.removeprefix('to build  ')}\nls dist\n")
    assert (done.returncode, done.stdout) == (0, "tiny-1.0-cp313-cp313-linux_x86_64.whl\n"), done.stderr


def test_megabytes_go_in_and_come_out_and_the_streams_stay_apart(command: Command, manylinux_x86_64: str) -> None:
    lines = "".join(f"{number:0999}\n" for number in range(4000))
    done = piped(command(X86_64, manylinux_x86_64), f"echo now >&2\ncat <<'END'\n{lines}END\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout == lines
    assert done.stderr.endswith("\nnow\n")


def test_a_pipe_is_read_while_it_is_written(command: Command, manylinux_x86_64: str) -> None:
    with subprocess.Popen(
        command(X86_64, manylinux_x86_64), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        for answer in ("first", "second"):
            process.stdin.write(f"echo {answer}\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{answer}\n"
        process.stdin.close()
        assert process.wait(600) == 0


def test_the_time_limit_holds_for_scripts(identity: Identity, command: Command, manylinux_x86_64: str) -> None:
    done = piped(command(X86_64, manylinux_x86_64, "--timeout", "15"), f"{identity.command}sleep 300\n")
    assert done.returncode == 11
    assert "was still running in its container at the time limit" in done.stderr
    assert identity.is_gone(done.stdout)


def test_what_cannot_be_had_is_an_error_with_its_reasons(command: Command, manylinux_x86_64: str) -> None:
    done = piped(command(f"cp38-{POLICY}_x86_64", manylinux_x86_64), "")
    assert done.returncode == 2
    done = piped(command(f"cp310-{POLICY}_x86_64", manylinux_x86_64, "--engine", "native"), "")
    assert done.returncode == 3
    assert f"cp310-{POLICY}_x86_64: native: {manylinux_x86_64} has no cp310, only cp39, " in done.stderr
    assert "\n  try: choose one of these, or another --image\n" in done.stderr


# ---- on a terminal --------------------------------------------------------------------------------------------------


def test_on_a_terminal(
    identity: Identity, emulates: None, command: Command, manylinux_aarch64: str, tmp_path: Path
) -> None:
    with terminal(command(AARCH64, manylinux_aarch64), os.environ, tmp_path) as screen:
        before = screen.settings
        screen.resize(33, 77)
        screen.expect("to build  ")
        screen.expect(f"{AARCH64} {PROMPT}")
        assert screen.settings != before
        screen.type("stty size\n")
        screen.expect(r"33 77\r\n")
        screen.resize(44, 99)
        screen.expect(f"(?s)^.*{PROMPT}")
        screen.type(f"sleep 1; stty size; tty; {identity.command}")
        container = screen.expect(r"44 99\r\n/dev/pts/\d+\r\n(\S+)\r\n")[1]
        screen.expect(PROMPT)
        screen.type("sh -c 'echo began; sleep 300'\n")
        screen.expect(r"\nbegan\r\n")
        screen.type("\x03")  # reaches what runs there, and not us
        screen.expect(PROMPT)
        screen.type("\x10")  # Ctrl-P, at once
        screen.expect("sleep 300")
        screen.type("\x15exit 6\n")
        assert screen.code() == 6
        assert screen.settings == before
    assert identity.is_gone(container)


def test_jobs_are_controlled_by_the_shell(command: Command, manylinux_x86_64: str, tmp_path: Path) -> None:
    with terminal(command(X86_64, manylinux_x86_64), os.environ, tmp_path) as screen:
        screen.expect(PROMPT)
        screen.type("sh -c 'echo began; sleep 300'\n")
        screen.expect(r"\nbegan\r\n")
        screen.type("\x1a")  # Ctrl-Z
        screen.expect("Stopped")
        screen.type("fg\n")
        screen.expect(r"\nsh -c 'echo began")
        screen.type("\x03")  # Ctrl-C
        screen.expect(PROMPT)
        screen.type("kill -0 %1; echo $((6 * 7))\n")
        screen.expect(r"no such job(.|\n)*\n42\r\n")
        screen.expect(PROMPT)  # before it, Ctrl-D would be the end of a line that the shell does not read any more
        screen.type("\x04")  # Ctrl-D
        screen.code()


def test_what_runs_in_the_background_holds_nobody_up(command: Command, manylinux_x86_64: str, tmp_path: Path) -> None:
    with terminal(command(X86_64, manylinux_x86_64), os.environ, tmp_path) as screen:
        screen.expect(PROMPT)
        screen.type("sleep 300 &\n")
        screen.expect(PROMPT)
        screen.type("exit\n")
        assert screen.code() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_from_outside_it_leaves_the_terminal_as_it_was(
    identity: Identity, command: Command, manylinux_x86_64: str, tmp_path: Path, number: signal.Signals
) -> None:
    with terminal(command(X86_64, manylinux_x86_64), os.environ, tmp_path) as screen:
        before = screen.settings
        screen.expect(PROMPT)
        screen.type(identity.command)
        container = screen.expect(r"\r\n(upperdir=\S+|[0-9a-f]{12})\r\n")[1]
        screen.process.send_signal(number)
        assert screen.code() == 130
        assert screen.settings == before
    assert identity.is_gone(container)


def test_a_container_that_is_removed_is_told(
    engine: docker.DockerClient, on_docker: Command, manylinux_x86_64: str, tmp_path: Path
) -> None:
    with terminal(on_docker(X86_64, manylinux_x86_64), os.environ, tmp_path) as screen:
        before = screen.settings
        screen.expect(PROMPT)
        screen.type("cat /etc/hostname\n")
        engine.containers.get(screen.expect(r"\r\n([0-9a-f]{12})\r\n")[1]).remove(force=True)
        screen.expect("the container stopped during")
        assert screen.code() == 17
        assert screen.settings == before


# ---- an engine elsewhere ---------------------------------------------------------------------------------------------


@pytest.fixture
def over_tcp(docker_engine: Engine) -> Iterator[str]:
    """The same engine at a TCP address."""
    if not docker_engine.local:
        pytest.skip(f"{docker_engine.address} is no socket here")
    path = urlsplit(docker_engine.address).path

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as far:
                far.connect(path)
                answering = threading.Thread(target=_copy, args=(far, self.request))
                answering.start()
                _copy(self.request, far)
                answering.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        serving.join()


def _copy(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while block := one.recv(65536):
            other.sendall(block)
        other.shutdown(socket.SHUT_WR)


@pytest.fixture
def over_ssh(docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The same engine behind an ssh server of this machine."""
    if not docker_engine.local:
        pytest.skip(f"{docker_engine.address} is no socket here")
    folder = tmp_path / "sshd"
    folder.mkdir()
    try:
        with running_sshd(folder) as (user_at, programs):
            monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
            yield f"ssh://{user_at}{urlsplit(docker_engine.address).path}"
    except SshUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("way", ["over_tcp", "over_ssh"])
def test_elsewhere(
    request: pytest.FixtureRequest, project: Path, manylinux_x86_64: str, tmp_path: Path, way: str
) -> None:
    words = shell(project, {"docker-host": request.getfixturevalue(way)}, X86_64, manylinux_x86_64)
    done = piped(words, "uname -m\nexit 3\n")
    assert (done.returncode, done.stdout) == (3, "x86_64\n"), done.stderr
    with terminal(words, os.environ, tmp_path) as screen:
        screen.expect(PROMPT)
        screen.type("exit 3\n")
        assert screen.code() == 3
