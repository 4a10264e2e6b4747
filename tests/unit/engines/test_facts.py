"""Facts are asked once in a run, and anew in the next one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from crosswheel.containers.docker_containers import DockerContainers
from crosswheel.containers.docker_host import DockerHost
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.errors import CannotRun, EngineUnavailable
from crosswheel.model.targets import parse_architecture
from tiny_projects import tiny_facts, tiny_host

ARM = parse_architecture("aarch64")


def docker_host() -> DockerHost:
    return DockerHost(None, "unix:///nowhere", "29.0", "x86_64", cpus=2, memory=2**30)  # type: ignore[arg-type]


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    return tiny_facts(tiny_host(tmp_path), docker_host())


def test_an_error_is_an_answer_too_and_the_next_run_asks_again(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def survey(*_given: object) -> dict[object, CannotRun]:
        asked.append("survey")
        return {ARM: CannotRun("no aarch64 there")}

    monkeypatch.setattr("crosswheel.containers.docker_containers.known_survey", survey)
    for _ in range(2):
        with pytest.raises(CannotRun):
            facts.running(ARM)
    assert asked == ["survey"]
    with pytest.raises(CannotRun):
        tiny_facts(facts.host, docker_host()).running(ARM)
    assert asked == ["survey", "survey"]


def test_an_image_that_was_not_there_is_known_once_it_is_pulled(facts: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    pulled: list[str] = []

    def ensure(_host: DockerHost, reference: str, *_given: object, **_options: object) -> SimpleNamespace:
        pulled.append(reference)
        return SimpleNamespace(id="sha256:1")

    monkeypatch.setattr("crosswheel.containers.docker_containers.find_image", lambda *_: None)
    monkeypatch.setattr("crosswheel.containers.docker_containers.ensure_image", ensure)
    assert facts.image("registry/slim", ARM) is None
    services = Services(facts)
    for _ in range(2):
        assert services.pull("registry/slim", ARM).id == "sha256:1"
    image = facts.image("registry/slim", ARM)
    assert image
    assert image.id == "sha256:1"
    assert pulled == ["registry/slim"]


def test_a_listing_stays_for_the_run_and_changes_for_the_next(facts: Facts, tmp_path: Path) -> None:
    folder = tmp_path / "sysroot"
    folder.mkdir()
    (folder / "libz.so").write_bytes(b"old")
    first = facts.listing(folder)
    (folder / "libz.so").write_bytes(b"newer")
    assert facts.listing(folder) == facts.dated(1).listing(folder) == first
    assert tiny_facts(facts.host).listing(folder) != first


def test_facts_close_the_connection_to_the_docker_host(tmp_path: Path) -> None:
    closed: list[bool] = []
    docker = docker_host()
    object.__setattr__(docker, "client", SimpleNamespace(close=lambda: closed.append(True)))
    with tiny_facts(tiny_host(tmp_path), docker) as facts:
        assert facts.containers == DockerContainers(docker)
    assert closed == [True]
    with tiny_facts(tiny_host(tmp_path)) as without, pytest.raises(EngineUnavailable):
        _ = without.containers
