"""The image that cross builds against: fetched once in a run when it is needed, and done without if need be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crosswheel.engines.facts import image_of
from crosswheel.engines.services import Services
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Event, Job, Note, Sdist
from crosswheel.model.targets import parse_target
from crosswheel.steps import MAKE, Composition
from crosswheel.steps.keys import build_key
from crosswheel.toolchains.sysroot import sysroot_of
from layer_files import Member, gzipped, image, layer
from registry_server import RegistryServer, registry_server
from tiny_projects import tiny_facts, tiny_host

TARGET = parse_target("cp311-manylinux_2_28_aarch64")


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with registry_server() as server:
        members = (Member("usr/bin/gcc"), Member("usr/lib/gcc/aarch64-redhat-linux/14/crtbegin.o"))
        server.add("pypa/x:1", image([gzipped(layer(*members))], "arm64", environ=["PATH=/usr/bin"]))
        yield server


class Run:
    """The services of one run with a cache in `folder`, and the texts of its notes."""

    def __init__(self, folder: Path, reference: str, *, offline: bool = False, **table: Any) -> None:
        text = "".join(f"{name} = {value}\n" for name, value in table.items())
        (folder / "pyproject.toml").write_text(f"[tool.crosswheel]\n{text}")
        self.events: list[Event] = []
        self.config: Config = load_config(folder, {"image": reference})
        self.services = Services(replace(tiny_facts(tiny_host(folder)), offline=offline), self.events.append)

    @property
    def notes(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Note)]

    @property
    def image(self) -> str:
        return image_of(TARGET, self.config, self.services.facts, None)

    @property
    def key(self) -> str:
        job, sdist = Job(TARGET, "cross"), Sdist(Path("x-1.tar.gz"), "x", "1", "0")
        return build_key(job, sdist, self.config, self.services.facts, Composition(MAKE))


def test_it_is_fetched_and_then_known(registry: RegistryServer, tmp_path: Path) -> None:
    run = Run(tmp_path, f"{registry.host}/pypa/x:1")
    assert (run.image, run.services.facts.sysroot_image(TARGET, run.config)) == ("", None)
    before = run.key
    found = run.services.sysroot_image(TARGET, run.config)
    assert found
    assert run.services.facts.sysroot_image(TARGET, run.config) == found
    assert run.image == f"{registry.host}/pypa/x:1@{found.digest}"
    assert run.key != before
    gcc = sysroot_of(found).gcc
    assert gcc
    assert gcc.triple == "aarch64-redhat-linux"


def test_another_run_finds_it_without_the_registry(registry: RegistryServer, tmp_path: Path) -> None:
    reference = f"{registry.host}/pypa/x:1"
    first = Run(tmp_path, reference)
    first.services.sysroot_image(TARGET, first.config)
    second = Run(tmp_path, reference, offline=True)
    assert second.image == first.image
    assert second.key == first.key


@pytest.mark.parametrize("offline", [False, True])
def test_without_a_registry_it_is_done_without_and_said_once(tmp_path: Path, *, offline: bool) -> None:
    run = Run(tmp_path, "localhost:1/pypa/x:1", offline=offline)
    before = run.key
    assert run.services.sysroot_image(TARGET, run.config) is None
    assert run.services.sysroot_image(TARGET, run.config) is None
    (note,) = run.notes
    assert note.startswith("manylinux_2_28_aarch64 is built with Zig's own C and C++ runtime, without zlib")
    assert (run.image, run.key) == ("", before)


def test_a_registry_that_does_not_answer_is_asked_once_for_all_images(tmp_path: Path) -> None:
    callers: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            while True:
                try:
                    connection, caller = server.accept()
                except OSError:
                    return
                callers.append(caller)
                connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        run = Run(tmp_path, f"127.0.0.1:{server.getsockname()[1]}/pypa/x:1")
        assert run.services.sysroot_image(TARGET, run.config) is None
        asked = len(callers)
        other = parse_target("cp311-manylinux_2_34_s390x")
        assert run.services.sysroot_image(other, run.config) is None
        server.shutdown(socket.SHUT_RDWR)
    assert 0 < asked == len(callers)
    first, second = run.notes
    assert first.rpartition(": ")[2] == second.rpartition(": ")[2]


def test_the_folder_that_the_user_names_comes_first(registry: RegistryServer, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    run = Run(tmp_path, f"{registry.host}/pypa/x:1", sysroot='{ aarch64 = "own" }')
    assert run.services.sysroot_image(TARGET, run.config) is None
    assert (run.image, run.notes) == ("", [])
