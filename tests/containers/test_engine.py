"""The engine of other tests: it answers, and leaves nothing behind."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path

import docker
import pytest

from containers import dockerd
from containers.engine import EngineUnavailable, real_engine
from containers.program import find_program, run_program

pytestmark = pytest.mark.containers


def test_it_answers(engine: docker.DockerClient) -> None:
    assert engine.ping()
    assert engine.info()["OSType"] == "linux"


def test_a_privileged_container_starts(engine: docker.DockerClient, busybox_x86_64: str) -> None:
    assert engine.containers.run(busybox_x86_64, ["echo", "hello"], privileged=True, remove=True) == b"hello\n"


def test_an_engine_that_is_named_and_does_not_answer_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    with pytest.raises(EngineUnavailable, match="does not answer"), real_engine(tmp_path):
        pass


def test_our_own_engine_leaves_nothing_behind(tmp_path: Path, busybox_x86_64: str) -> None:
    """Though a test left its container running."""
    program = find_program(dockerd.PROGRAM)
    if program is None or os.geteuid() != 0:
        pytest.skip("only root can start dockerd")
    with dockerd.running_dockerd(program, tmp_path) as address:
        folder = address.removeprefix("unix://").removesuffix("/docker.sock")
        with closing(docker.DockerClient(base_url=address)) as client:
            network = client.networks.list(names=["bridge"])[0]
            bridge = network.attrs["Options"]["com.docker.network.bridge.name"]
            client.images.pull(busybox_x86_64)
            container = client.containers.run(busybox_x86_64, ["sleep", "infinity"], detach=True)
            container.reload()
            process = container.attrs["State"]["Pid"]
        assert Path(f"/proc/{process}").exists()
        assert _processes(folder)
        assert _mounts(str(tmp_path))
        assert Path("/sys/class/net", bridge).exists()
    assert not Path(f"/proc/{process}").exists()
    assert not Path(folder).exists()
    assert not _processes(folder)
    assert not _mounts(folder)
    assert not _mounts(str(tmp_path))
    assert not list(tmp_path.iterdir())
    assert not Path("/sys/class/net", bridge).exists()
    rules = run_program("iptables", "--list-rules") + run_program("iptables", "--table", "nat", "--list-rules")
    assert bridge not in rules.split()


def _mounts(folder: str) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines() if folder in line]


def _processes(folder: str) -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it may have ended
            found.append(path.read_bytes())
    return [command for command in found if folder.encode() in command]
