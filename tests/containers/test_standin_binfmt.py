"""The stand-in for tonistiigi/binfmt says what it did, and ends with 0 whatever that was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import docker
import pytest

from containers.binfmt import AARCH64, BinfmtUnavailable, handler, unregistered

pytestmark = [pytest.mark.containers, pytest.mark.binfmt]

Said = tuple[Mapping[str, list[str] | None], str]


@pytest.fixture
def say(engine: docker.DockerClient, tonistiigi_binfmt: str) -> Callable[..., Said]:
    """Gives the JSON and the rest of what it said."""

    def run(*arguments: str, privileged: bool = True) -> Said:
        container = engine.containers.run(tonistiigi_binfmt, list(arguments), privileged=privileged, detach=True)
        try:
            assert container.wait()["StatusCode"] == 0
            out, err = (container.logs(stdout=wanted, stderr=not wanted).decode() for wanted in (True, False))
        finally:
            container.remove(force=True, v=True)
        return json.loads(out or "{}"), err.strip()

    engine.images.pull(tonistiigi_binfmt)
    return run


@pytest.fixture
def others_unserved() -> Iterator[None]:
    try:
        with unregistered("qemu-riscv64"), unregistered("qemu-s390x"):
            yield
    except BinfmtUnavailable as error:
        pytest.skip(str(error))


def test_alone_it_lists(say: Callable[..., Said], unserved: str) -> None:
    listed, said = say()
    assert not said
    assert set(listed) == {"supported", "emulators"}
    assert "linux/amd64" in cast("list[str]", listed["supported"])
    assert "linux/arm64" not in cast("list[str]", listed["supported"])
    assert AARCH64 not in (listed["emulators"] or [])


@pytest.mark.parametrize("platform", ["arm64", "linux/arm64", "aarch64"])
def test_it_installs_for_every_container(
    engine: docker.DockerClient, say: Callable[..., Said], unserved: str, platform: str
) -> None:
    listed, said = say("--install", platform)
    assert said == "installing: arm64 OK"
    assert "linux/arm64" in cast("list[str]", listed["supported"])
    assert AARCH64 in cast("list[str]", listed["emulators"])
    registered = handler()
    assert registered
    assert set(registered.flags) == {*"POCF"}
    assert registered.interpreter == "/usr/bin/qemu-aarch64"
    assert engine.containers.run(unserved, ["uname", "-m"], remove=True) == b"aarch64\n"


def test_it_leaves_a_handler_that_is_there(say: Callable[..., Said], unserved: str) -> None:
    say("--install=arm64")
    before = handler()
    _, said = say("--install=arm64")
    assert said == "installing: arm64 qemu-aarch64 already registered"
    assert handler() == before


def test_all_are_those_that_do_not_run_yet(say: Callable[..., Said], unserved: str, others_unserved: None) -> None:
    say("--install", "arm64")
    listed, said = say("--install", "all")
    assert said.splitlines() == ["installing: riscv64 OK", "installing: s390x OK"]
    assert {"linux/arm64", "linux/riscv64", "linux/s390x"} <= {*cast("list[str]", listed["supported"])}


@pytest.mark.parametrize("name", ["qemu-aarch64", "arm64", "qemu-*"])
def test_it_uninstalls(say: Callable[..., Said], unserved: str, name: str) -> None:
    say("--install", "arm64")
    listed, said = say("--uninstall", name)
    assert said.startswith("uninstalling: ")
    assert said.endswith(" OK")
    assert handler() is None
    assert AARCH64 not in (listed["emulators"] or [])
    assert say("--uninstall", "qemu-aarch64")[1] == "uninstalling: qemu-aarch64 not found"


def test_what_it_has_no_emulator_for_is_said(say: Callable[..., Said]) -> None:
    assert say("--install", "vax")[1] == "installing: vax unsupported architecture: vax"


def test_it_needs_the_privilege(say: Callable[..., Said], unserved: str) -> None:
    listed, said = say("--install", "arm64", privileged=False)
    assert not listed
    assert "operation not permitted" in said
    assert handler() is None
