"""Wheels in find-links on this machine: which of them an installation may need, and how a container gets them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import cast

import pytest

from crosswheel.containers.host import Container
from crosswheel.engines.near_wheels import carried, near_wheels, needed, newest_versions
from crosswheel.model.targets import architectures, parse_target
from crosswheel.system.pip_settings import PipSettings
from crosswheel.testing import tiny_wheel

TARGET = parse_target("cp312-manylinux_2_17_riscv64")
REMOTE = "https://example.org/links/"


@dataclass
class FakeContainer:
    """Notes what is copied into it."""

    arch: str
    copied: list[str] = field(default_factory=list)

    @property
    def image(self) -> SimpleNamespace:
        return SimpleNamespace(arch=architectures()[self.arch])

    def put(self, *paths: Path, to: PurePosixPath) -> None:
        self.copied += [f"{to}/{path.name}" for path in paths]


@pytest.fixture
def settings(tmp_path: Path) -> PipSettings:
    """A folder with wheels of an engine, of what it requires, and of a stranger."""

    def wheel(name: str, version: str, tag: str, requires: str = "") -> None:
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + requires
        members = {f"{name}-{version}.dist-info/METADATA": text.encode()}
        tiny_wheel(tmp_path, name=name, version=version, tag=tag, members=members)

    for version in ("1.0", "2.0"):
        wheel("engine", version, "cp312-cp312-manylinux_2_31_riscv64", "Requires-Dist: wheels>=1; os_name == 'nt'\n")
    wheel("engine", "3.0", "cp312-cp312-manylinux_2_31_x86_64")
    wheel("engine", "3.0", "cp313-cp313-manylinux_2_31_riscv64")
    wheel("engine", "3.0", "cp312-cp312-musllinux_1_2_riscv64")
    wheel("wheels", "1.0", "py3-none-any")
    wheel("stranger", "1.0", "py3-none-any")
    (tmp_path / "no-wheel.whl").write_bytes(b"")
    return PipSettings(find_links=(f"file://{tmp_path}", REMOTE, str(tmp_path / "absent")))


def test_wheels_for_the_target_count_also_for_newer_c_libraries(settings: PipSettings) -> None:
    found = near_wheels(settings, TARGET)
    assert {(wheel.name, str(wheel.version)) for wheel in found} == {
        ("engine", "1.0"),
        ("engine", "2.0"),
        ("wheels", "1.0"),
        ("stranger", "1.0"),
    }
    assert {name: str(version) for name, version in newest_versions(found).items()} == {"engine": "2.0"}


def test_what_is_needed_brings_what_it_requires(settings: PipSettings) -> None:
    near = near_wheels(settings, TARGET)
    assert {wheel.name for wheel in needed(["Engine >= 1", "-r odd", "elsewhere"], near)} == {"engine", "wheels"}


def test_a_container_gets_copies_of_what_is_needed(settings: PipSettings) -> None:
    container = FakeContainer("riscv64")
    environ = carried(cast("Container", container), settings, ["engine"], TARGET)
    place = PurePosixPath(environ["UV_FIND_LINKS"].removeprefix(f"{REMOTE},"))
    assert {str(PurePosixPath(path).parent) for path in container.copied} == {str(place)}
    assert len(container.copied) == 3
    assert carried(cast("Container", container), settings, ["elsewhere"], TARGET) == {}
    assert len(container.copied) == 3


def test_an_image_of_another_architecture_gets_its_own(settings: PipSettings) -> None:
    container = FakeContainer("x86_64")
    carried(cast("Container", container), settings, ["engine"], TARGET)
    assert [path.rpartition("/")[2] for path in container.copied] == [
        "engine-3.0-cp312-cp312-manylinux_2_31_x86_64.whl"
    ]
