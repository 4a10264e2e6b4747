"""What a real engine runs, and what it says of that which it does not run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from containers.binfmt import BinfmtUnavailable, Handler, unregistered
from containers.engine import Engine
from crosswheel.containers import known_answers
from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.containers.emulation import Running, probe
from crosswheel.containers.known_answers import grounds, known_survey
from crosswheel.containers.ownership import LABEL
from crosswheel.errors import CannotRun
from crosswheel.model.targets import Architecture, architectures
from crosswheel.system.memo import answers_in

pytestmark = [pytest.mark.containers, pytest.mark.binfmt]

# Nobody registers it, whom tests could meet.
UNUSED = "riscv64"


@pytest.fixture
def host(each_engine: Engine) -> Iterator[DockerHost]:
    """Asked anew by every test: answers are kept for each."""
    connected = connect(each_engine.address, os.environ)
    yield connected
    connected.client.close()


@pytest.fixture
def unused() -> Architecture:
    arch = architectures()[UNUSED]
    if Path(f"/proc/sys/fs/binfmt_misc/qemu-{arch}").exists():
        pytest.skip(f"qemu-{arch} is registered in this kernel")
    return arch


def test_the_machine_s_own_architecture_runs_natively(host: DockerHost) -> None:
    assert host.arch
    assert probe(host, host.arch) == Running(host.arch, natively=True)


def test_i686_runs_natively_on_an_x86_64_kernel_that_has_its_system_calls(host: DockerHost) -> None:
    i686 = architectures()["i686"]
    if host.arch != architectures()["x86_64"]:
        pytest.skip(f"the engine's machine is {host.machine}")
    try:
        running = probe(host, i686)
    except CannotRun as error:
        pytest.skip(f"this kernel is without IA32 emulation: {error.message}")
    assert running == Running(i686, natively=True)


def test_under_qemu_aarch64_runs_with_a_processor_that_signs_no_pointers(host: DockerHost, qemu: Handler) -> None:
    running = probe(host, architectures()["aarch64"])
    assert not running.natively
    assert running.cpu in {"max,pauth=off", "cortex-a57"}


def test_what_no_emulator_is_registered_for_is_refused_with_the_command_that_mends_it(
    host: DockerHost, unused: Architecture
) -> None:
    with pytest.raises(CannotRun) as caught:
        probe(host, unused)
    assert caught.value.message == (
        f"the Docker host at {host.address} does not run programs for {unused}: "
        "exec format error: no emulator is registered in its kernel"
    )
    assert caught.value.hint == f"crosswheel register --arch {unused}"


def test_no_container_is_left_behind_and_one_image_serves_all_runs(host: DockerHost, unused: Architecture) -> None:
    assert host.arch
    for _ in range(2):
        probe(host, host.arch)
        with pytest.raises(CannotRun):
            probe(host, unused)
    names = [name for image in host.client.images.list() for name in image.tags]
    # Podman puts a registry in front: localhost.
    assert len([name for name in names if f"crosswheel/exit-42:{host.arch}-" in name]) == 1
    assert not host.client.containers.list(all=True, filters={"label": LABEL})


def test_what_is_remembered_of_an_emulator_is_forgotten_with_it(
    host: DockerHost, qemu: Handler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aarch64, answers = architectures()["aarch64"], answers_in(tmp_path)

    def asked() -> Running | CannotRun:
        return known_survey(host, [aarch64], answers)[aarch64]

    if not grounds(host, aarch64):
        pytest.skip("what decides is out of sight here, and so nothing is remembered")
    first = asked()
    assert isinstance(first, Running)
    with monkeypatch.context() as patched:
        patched.setattr(known_answers, "survey", lambda _, archs: {arch: pytest.fail("asked again") for arch in archs})
        assert asked() == first
    try:
        with unregistered():
            assert isinstance(asked(), CannotRun)
    except BinfmtUnavailable as error:
        pytest.skip(str(error))
    assert asked() == first
