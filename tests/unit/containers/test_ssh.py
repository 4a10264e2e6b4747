"""The way to a Docker Engine on another machine, with a program in ssh's place that opens a socket and waits."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crosswheel.containers import ssh
from crosswheel.containers.ssh import tunnel
from crosswheel.errors import EngineUnavailable

SSH = """#!@PYTHON@
import os, socket, sys
(forward,) = (word for word in sys.argv if "docker.sock:" in word)
here = forward.partition(":")[0]
server = socket.socket(socket.AF_UNIX)
server.bind(here)
server.listen()
with open(os.environ["PIDS"], "a") as file:
    file.write(f"{os.getpid()}\\n")
sys.stdin.read()
"""


@pytest.fixture
def pids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with the process id of each ssh that was started."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(SSH.replace("@PYTHON@", sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setattr(ssh, "_open", {})
    # The path of a socket has at most 107 letters (unix(7)), which a test's own folder may use up.
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        monkeypatch.setattr("tempfile.tempdir", short)
        yield tmp_path / "pids"
        for process, _ in ssh._open.values():
            process.end()


def test_a_tunnel_serves_again_while_it_leads_somewhere(pids: Path) -> None:
    assert tunnel("ssh://me@there") == tunnel("ssh://me@there")
    assert len(pids.read_text().splitlines()) == 1


def test_a_tunnel_that_has_ended_is_dug_anew(pids: Path) -> None:
    first = tunnel("ssh://me@there")
    os.kill(int(pids.read_text()), signal.SIGKILL)
    (process, _) = ssh._open["ssh://me@there"]
    limit = time.monotonic() + 30
    while process.is_running:
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert tunnel("ssh://me@there") != first
    assert len(pids.read_text().splitlines()) == 2


def test_without_ssh_there_is_no_way(pids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EngineUnavailable, match="ssh is not installed here"):
        tunnel("ssh://me@elsewhere")
