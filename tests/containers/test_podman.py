"""Podman in the place of a Docker Engine: what it does differently, and what it says when it starts no container."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from containers import podman_service
from containers.engine import Engine, podman_started
from containers.podman_service import Settings
from containers.stand_ins.manylinux import POLICY
from crosswheel.commands import run_verb
from crosswheel.containers import container as docker_container
from crosswheel.containers.container import running
from crosswheel.containers.creation import create
from crosswheel.containers.docker_host import DOCKER, PODMAN, DockerHost, connect
from crosswheel.containers.emulation import Running, probe
from crosswheel.containers.images import Image, ensure_image
from crosswheel.containers.memory import watch
from crosswheel.containers.ownership import KIND, LABEL, PROJECT, labels
from crosswheel.errors import EngineUnavailable, ImageUnavailable
from crosswheel.model.job import deaf
from crosswheel.model.targets import architectures
from crosswheel.system.process import CommandFailed, Processes
from crosswheel.upkeep import doctor as diagnosis
from crosswheel.upkeep.caches import docker_holdings
from tiny_projects import tiny_project

pytestmark = pytest.mark.containers

X86_64, AARCH64 = (architectures()[name] for name in ("x86_64", "aarch64"))


@pytest.fixture(params=["docker_engine", "podman"])
def host(request: pytest.FixtureRequest) -> Iterator[DockerHost]:
    """Each of the two engines."""
    engine: Engine = request.getfixturevalue(request.param)
    found = connect(engine.address, os.environ)
    with closing(found.client):
        yield found


@pytest.fixture
def busybox(host: DockerHost, busybox_x86_64: str) -> Image:
    return ensure_image(host, busybox_x86_64, X86_64, mirrors=(), offline=False, listener=deaf)


def test_an_engine_says_which_it_is(host: DockerHost, request: pytest.FixtureRequest) -> None:
    names = [component["Name"] for component in host.client.version()["Components"]]
    assert host.product == (PODMAN if PODMAN in names else DOCKER)
    again = connect(host.address, os.environ)
    with closing(again.client):
        assert again.identity == host.identity


def test_a_committed_image_has_the_labels_that_it_was_given(host: DockerHost, busybox: Image) -> None:
    given = {KIND: "environment", PROJECT: "tiny.project-1", LABEL: ""}
    with running(host, busybox, Processes(), timeout=60) as container:
        image = container.commit("crosswheel-labels", "1", given)
    try:
        found = host.client.images.get("crosswheel-labels:1")
        assert str(found.id) == image
        assert {name: found.labels[name] for name in given} == given
    finally:
        host.client.images.remove("crosswheel-labels:1", force=True)


def test_what_is_not_given_is_the_containers_own(host: DockerHost, busybox: Image) -> None:
    """By which what --fresh has made is found by the next run."""
    with running(host, busybox, Processes(), timeout=60) as container:
        container.commit("crosswheel-labels", "2", {KIND: "environment"})
    try:
        assert host.client.images.get("crosswheel-labels:2").labels[LABEL] == labels()[LABEL]
    finally:
        host.client.images.remove("crosswheel-labels:2", force=True)


def test_no_container_is_made_of_an_image_for_another_architecture(host: DockerHost, busybox: Image) -> None:
    with pytest.raises(ImageUnavailable) as caught:
        create(host, busybox.id, AARCH64)
    assert "is for x86_64, not for aarch64" in caught.value.message
    assert not host.client.containers.list(all=True, filters={"label": LABEL})


def test_a_command_whose_output_breaks_off_is_waited_for(
    host: DockerHost, busybox: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Podman has the exit code 0 for it meanwhile."""
    monkeypatch.setattr(docker_container, "_until_broken", lambda _chunks: iter(()))
    with (
        running(host, busybox, Processes(), timeout=60) as container,
        pytest.raises(CommandFailed, match="exit code 3"),
    ):
        container.run(["busybox", "sh", "-c", "sleep 1; exit 3"])


def test_memory_is_told_while_a_container_runs_and_not_afterwards(host: DockerHost, busybox: Image) -> None:
    with running(host, busybox, Processes(), timeout=60) as container:
        container.run(["sh", "-c", "head -c 30000000 /dev/zero | tail -c 20000000 >/dev/null; sleep 2"])
        assert container.memory > 0
    stopped = create(host, busybox.id, X86_64, command=["true"])
    try:
        watching = watch(host, str(stopped.id))
        time.sleep(1)
        assert watching.peak == 0
    finally:
        stopped.remove()


# ---- builds ---------------------------------------------------------------------------------------------------


@pytest.fixture
def wheels(
    podman: Engine, manylinux_x86_64: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Builds a small project natively with these options; gives what was printed."""
    project = tiny_project("compiles", tmp_path)
    options = {
        "source": str(project),
        "engine": "native",
        "image": manylinux_x86_64,
        "policy": POLICY,
        "arch": ["x86_64"],
        "python": ["cp311"],
        "test": "never",
        "docker-host": podman.address,
    }
    settings = project / "pyproject.toml"
    settings.write_text(settings.read_text() + '\n[tool.crosswheel]\nbefore-all = "echo once >>/root/runs"\n')

    def build(**more: Any) -> str:
        printed = io.StringIO()
        code = run_verb("wheels", project, {**options, **more}, printed)
        sys.stdout.write(printed.getvalue())
        assert code == 0
        return printed.getvalue()

    return build


@pytest.mark.index
def test_the_environment_and_before_all_are_made_once_for_all_runs(
    podman: Engine, wheels: Callable[..., str], tmp_path: Path
) -> None:
    first = wheels()
    assert "running before-all in" in first
    assert "making an environment of cp311 in" in first
    again = wheels(strip=True)
    assert "before-all" not in again
    assert "making an environment" not in again
    host = connect(podman.address, os.environ)
    with closing(host.client):
        kept = [each for each in docker_holdings(host, tmp_path) if each.kind == "image"]
    assert [str(each.place).partition(":")[0] for each in kept].count("crosswheel-before-all") == 1
    assert all(each.size > 0 for each in kept)


# ---- the doctor -----------------------------------------------------------------------------------------------


@pytest.fixture
def looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[int, str]]:
    """At an engine; gives the exit code and what was printed."""
    monkeypatch.setattr(diagnosis, "contexts", dict)
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path))

    def look(address: str) -> tuple[int, str]:
        stream = io.StringIO()
        given = {"docker-host": address, "arch": ["x86_64"], "json": "found.json"}
        code = run_verb("doctor", tmp_path, given, stream)
        return code, stream.getvalue()

    return look


def test_the_doctor_names_it(podman: Engine, looking: Callable[[str], tuple[int, str]], tmp_path: Path) -> None:
    code, said = looking(podman.address)
    assert code == 0
    assert "✔ engine" in said
    assert "Podman Engine " in said
    assert "0 B of images" not in said
    (place,) = json.loads((tmp_path / "found.json").read_text())["docker_hosts"]
    assert (place["product"], place["used"]) == (PODMAN, None)


# More open files than any kernel allows, and no program where the first one of a container should be.
_FAULTS = {
    "limits": ({"containers": {"default_ulimits": ["nofile=2000000000:2000000000"]}}, "default_ulimits = ["),
    "catatonit": ({"engine": {"init_path": "/nowhere/catatonit"}}, "sudo apt install catatonit"),
}


@pytest.mark.parametrize(("change", "remedy"), _FAULTS.values(), ids=list(_FAULTS))
def test_one_that_starts_no_container_is_mended_by_its_settings(
    podman_set_to: Callable[[Settings], str], looking: Callable[[str], tuple[int, str]], change: Settings, remedy: str
) -> None:
    usual = podman_service.working()
    address = podman_set_to({table: {**usual[table], **change.get(table, {})} for table in usual})
    code, said = looking(address)
    assert code == EngineUnavailable.exit_code
    assert remedy in said
    assert "register" not in said


def test_two_podmans_share_no_network(podman: Engine, podman_set_to: Callable[[Settings], str]) -> None:
    """Else the one that ends first would take the bridge from the other's containers."""
    networks = []
    for address in (podman.address, podman_set_to(podman_service.working())):
        with closing(connect(address, os.environ).client) as client:
            networks.append(client.networks.get("podman").attrs["IPAM"]["Config"][0]["Subnet"])
    assert len({*networks}) == 2


def test_programs_run_natively(podman: Engine) -> None:
    host = connect(podman.address, os.environ)
    with closing(host.client):
        assert host.arch
        assert probe(host, host.arch) == Running(host.arch, natively=True)
        assert not host.client.containers.list(all=True, filters={"label": LABEL})


@pytest.mark.usefixtures("podman")  # else it is skipped
def test_a_podman_of_the_tests_leaves_nothing_behind(tmp_path: Path) -> None:
    with podman_started(tmp_path, podman_service.working()) as address:
        folder = Path(address.removeprefix("unix://")).parent
        host = connect(address, os.environ)
        with closing(host.client):
            assert host.arch
            probe(host, host.arch)
        assert folder.exists()
    assert not folder.exists()
    assert not list(tmp_path.iterdir())
    assert str(folder) not in Path("/proc/self/mountinfo").read_text("utf-8")
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text("utf-8")
