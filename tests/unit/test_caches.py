"""What containers keep, without an engine: names of volumes, and what ccache says of its work."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from crosswheel.containers.caches import ensure_cache
from crosswheel.containers.container import Container
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.images import Image
from crosswheel.errors import ContainerLost, CrosswheelError
from crosswheel.process import CommandFailed
from crosswheel.targets import architectures
from crosswheel.toolchains import ccache


@dataclass
class Volumes:
    """Takes what an engine takes for a name."""

    made: dict[str, dict[str, str]] = field(default_factory=dict)

    def create(self, name: str, labels: dict[str, str]) -> None:
        assert name.isascii()
        assert name.replace("-", "").isalnum(), name
        self.made[name] = labels


def image(number: str) -> Image:
    return Image(f"sha256:{number * 64}", "it:1", "", architectures()["aarch64"], {}, (), 1)


@pytest.fixture
def volumes() -> Volumes:
    return Volumes()


@pytest.fixture
def docker(volumes: Volumes) -> DockerHost:
    client: Any = SimpleNamespace(volumes=volumes)
    return DockerHost(client, "unix:///nowhere", "28.0", "x86_64", 2, 1)


def test_each_project_and_image_has_a_volume_of_its_own(docker: DockerHost, volumes: Volumes) -> None:
    names = {
        ensure_cache(docker, project, image(number)).volume
        for project in ("tiny", "tiny-two") for number in "12"
        for _ in range(2)
    }  # fmt: skip
    assert len(names) == 4
    assert volumes.made["crosswheel-cache-tiny-two-222222222222"] == {
        "io.crosswheel": "cache", "io.crosswheel.project": "tiny-two",
    }  # fmt: skip


@pytest.mark.parametrize("project", ["../../tiny", "tiny:/etc", "ĸiwi", "tiny\n"])
def test_a_project_of_any_name_has_a_volume(docker: DockerHost, volumes: Volumes, project: str) -> None:
    ensure_cache(docker, project, image("1"))
    assert len(volumes.made) == 1


@dataclass
class Speaking:
    """A container in which ccache prints something, or does not start."""

    says: str | CrosswheelError

    def run(self, *_: object, **__: object) -> str:
        if isinstance(self.says, CrosswheelError):
            raise self.says
        return self.says


def test_links_and_probes_are_no_compiles() -> None:
    said = {
        "direct_cache_hit": 3,
        "preprocessed_cache_hit": 1,
        "cache_miss": 2,
        "called_for_link": 5,
        "direct_cache_miss": 9,
    }
    assert ccache.compiles_in(cast("Container", Speaking(json.dumps(said)))) == (4, 2)


@pytest.mark.parametrize(
    "says", ["", "no JSON", "[]", CommandFailed(["ccache"], 127, "not found"), ContainerLost("gone", hint="again")]
)
def test_where_ccache_does_not_answer_nothing_was_served(says: str | CrosswheelError) -> None:
    assert ccache.compiles_in(cast("Container", Speaking(says))) == (0, 0)


def test_another_toolchain_and_another_configuration_are_another_compiler() -> None:
    identities = [ccache.known_as(text) for text in ("zig 1 --target=a", "zig 2 --target=a", "zig 1 --target=b")]
    assert len({identity["CCACHE_COMPILERCHECK"] for identity in identities}) == 3
