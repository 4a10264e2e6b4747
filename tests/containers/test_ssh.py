"""A Docker host behind ssh: as it is reached, and as it is not."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from containers.engine import Engine
from containers.sshd import SshUnavailable, running_sshd
from containers.stand_ins.manylinux import POLICY
from crosswheel.commands import run_verb
from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.engines.facts import Facts
from crosswheel.engines.in_containers import container_of
from crosswheel.engines.services import Services
from crosswheel.errors import EngineUnavailable
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import deaf
from crosswheel.model.targets import parse_architecture
from crosswheel.system.local_host import LocalHost, local_host

pytestmark = pytest.mark.containers
PROJECTS = Path(__file__).parents[1] / "projects"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``user@127.0.0.1:PORT`` of a server whose key the first ssh in PATH trusts."""
    try:
        with (
            running_sshd(tmp_path_factory.mktemp("sshd")) as (address, programs),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
            yield address
    except SshUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def far(there: str, docker_engine: Engine) -> DockerHost:
    if not docker_engine.local:
        pytest.skip(f"the engine at {docker_engine.address} has no socket on this machine")
    return connect(f"ssh://{there}{urlsplit(docker_engine.address).path}", os.environ)


@pytest.fixture(scope="module")
def here() -> LocalHost:
    return local_host(offline=False, listener=deaf)


def test_it_is_the_engine_and_not_this_machines(far: DockerHost, there: str) -> None:
    assert far.address.startswith(f"ssh://{there}/")
    assert not far.is_local
    assert far.client.ping()


def test_commands_run_and_files_go_in_and_out(
    far: DockerHost, here: LocalHost, manylinux_x86_64: str, tmp_path: Path
) -> None:
    services, config = Services(Facts(here, far)), load_config(tmp_path, {})
    image = services.pull(manylinux_x86_64, parse_architecture("x86_64"))
    (tmp_path / "given").write_text("given")
    with services, container_of(image, config, services, "tiny", compilers=False, timeout=60) as container:
        container.put(tmp_path / "given")
        command = ["sh", "-c", f"cat {tmp_path}/given; mkdir /made; seq 200000 >/made/numbers"]
        assert container.run(command) == "given"
        container.get("/made", tmp_path / "got")
    assert (tmp_path / "got" / "numbers").read_text().splitlines()[-1] == "200000"


def test_jobs_of_one_run_are_shared_by_two_engines(
    there: str, docker_engine: Engine, podman: Engine, manylinux_x86_64: str, tmp_path: Path
) -> None:
    addresses = [f"ssh://{there}{urlsplit(engine.address).path}" for engine in (docker_engine, podman)]
    project = shutil.copytree(PROJECTS / "compiles", tmp_path / "project")
    shutil.copy(PROJECTS / "tiny_backend.py", project)
    options = {
        "source": str(project),
        "docker-host": ",".join(addresses),
        "arch": ["x86_64"],
        "policy": POLICY,
        "python": ["cp311", "cp313"],
        "engine": "native",
        "image": manylinux_x86_64,
        "test": "never",
        # Each engine has room for one job at a time.
        "jobs": 1,
    }
    printed = io.StringIO()
    assert run_verb("wheels", project, options, printed) == 0, printed.getvalue()
    jobs = json.loads((project / "wheelhouse" / "report.json").read_text("utf-8"))["jobs"]
    assert {job["status"] for job in jobs} == {"built"}
    assert {job["worker"] for job in jobs} == set(addresses)


def test_a_socket_that_is_not_there_is_told(there: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        connect(f"ssh://{there}/nowhere.sock", os.environ)
    assert "the connection was closed before an answer came" in caught.value.message
    assert "on that machine" in caught.value.hint


def test_a_machine_that_does_not_answer_is_told_in_sshs_own_words(there: str) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        connect("ssh://127.0.0.1:1", os.environ)
    assert "Connection refused" in caught.value.message
    assert caught.value.hint.startswith("ssh 127.0.0.1")
