"""What `plan` says beside its table."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.commands.plan import note_images
from crosswheel.containers.docker_host import DockerHost
from crosswheel.engines import ENGINES
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Event, Job, Note, Plan
from crosswheel.model.targets import parse_target
from tiny_projects import tiny_facts, tiny_host

TARGET = parse_target("cp312-manylinux2014_aarch64")


@pytest.mark.parametrize("is_there", [False, True])
def test_an_image_that_may_have_to_be_fetched_is_named_with_the_engine_that_builds_without_it(
    is_there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosswheel.containers.docker_containers.find_image", lambda *_: object() if is_there else None)
    docker = DockerHost(None, "unix:///nowhere", "29.0", "x86_64", cpus=2, memory=2**30)  # type: ignore[arg-type]
    engines = ("emulated", "cross")
    job = Job(TARGET, "accelerated", image="pypa/image", fallbacks=tuple(Job(TARGET, engine) for engine in engines))
    told: list[Event] = []
    note_images(
        Plan("x", (job, job)), load_config(tmp_path, {}), tiny_facts(tiny_host(tmp_path), docker), ENGINES, told.append
    )
    note = Note("pypa/image is not here yet, the first build fetches it; if it cannot be had, cross builds without it")
    assert told == ([] if is_there else [note])
