"""Registering emulators on a real engine's real kernel, which is afterwards as it was."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest

from containers.binfmt import BinfmtUnavailable, handler, unregistered
from containers.engine import Engine
from crosswheel.commands import run_verb
from crosswheel.containers import binfmt
from crosswheel.containers.container import remove_stale
from crosswheel.containers.docker_host import connect
from crosswheel.containers.emulation import probe
from crosswheel.containers.ownership import LABEL
from crosswheel.errors import CannotRun
from crosswheel.model.targets import Architecture, architectures

pytestmark = [pytest.mark.containers, pytest.mark.binfmt]

# Not aarch64's, wherever another will do: whoever builds on this machine at the same time needs that one.
RISCV64, AARCH64 = architectures()["riscv64"], architectures()["aarch64"]
NAME = "qemu-riscv64"

Registering = Callable[..., tuple[int, str]]


@pytest.fixture
def bare() -> Iterator[None]:
    """With nothing for riscv64; afterwards, every entry of QEMU's is as it was."""
    try:
        with unregistered(NAME):
            yield
    except BinfmtUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def registering(docker_engine: Engine, tmp_path: Path) -> Registering:
    """Gives the exit code and what was printed."""

    def run(arch: Architecture = RISCV64, **options: object) -> tuple[int, str]:
        stream = io.StringIO()
        given = {"docker-host": docker_engine.address, "arch": [arch.name], "json": "found.json", **options}
        return run_verb("register", tmp_path, given, stream), stream.getvalue()

    return run


@pytest.fixture
def emulator() -> Path:
    found = binfmt.find_emulator(RISCV64, os.environ)
    if found is None or os.geteuid() != 0:
        pytest.skip("only root can register, and qemu-user-static must be installed")
    return found


def runs(engine: Engine, arch: Architecture = RISCV64) -> bool:
    """Whether it does now, whatever was known before."""
    host = connect(engine.address, os.environ)
    try:
        return not probe(host, arch).natively
    except CannotRun:
        return False
    finally:
        host.client.close()


def entries() -> Sequence[binfmt.Handler]:
    return binfmt.handlers()


def test_an_architecture_that_runs_is_left_alone(docker_engine: Engine, registering: Registering) -> None:
    before = entries()
    assert registering(architectures()["x86_64"]) == (0, f"x86_64 runs natively on {docker_engine.address}\n")
    assert entries() == before


@pytest.mark.parametrize("provider", ["auto", "tonistiigi/binfmt", "multiarch/qemu-user-static"])
def test_a_dry_run_says_what_would_change_and_leaves_the_kernel_as_it_was(
    bare: None, registering: Registering, provider: str
) -> None:
    before = entries()
    code, said = registering(**{"dry-run": True, "provider": provider})
    assert (code, entries()) == (0, before)
    assert said.splitlines()[0].startswith("would ")
    assert "for all containers and users, until its next boot" in said


def test_this_machine_s_own_emulator_is_registered_and_serves(
    docker_engine: Engine, bare: None, registering: Registering, emulator: Path, tmp_path: Path
) -> None:
    code, said = registering(provider="host")
    assert code == 0
    assert f"will register {emulator} as {NAME} (flags CF)\n" in said
    assert said.splitlines()[-1] == f"riscv64 runs under QEMU on {docker_engine.address}"
    (found,) = [each for each in entries() if each.name == NAME]
    assert found == binfmt.handler_for(RISCV64)
    assert set(found.flags) == set("OCF")
    assert list(binfmt.complaints(found)) == []
    assert runs(docker_engine)
    document = json.loads((tmp_path / "found.json").read_text())
    assert document["provider"] == "host"
    (row,) = document["architectures"]
    assert (row["before"]["runs"], row["after"]["runs"]) == (False, True)
    # Once more: nothing to do.
    assert registering(provider="host") == (0, f"riscv64 runs under QEMU on {docker_engine.address}\n")


def test_an_entry_that_does_not_reach_into_containers_is_found_out_and_replaced(
    docker_engine: Engine, bare: None, registering: Registering, emulator: Path
) -> None:
    line = binfmt.new_handler(RISCV64, emulator).line
    (binfmt.FOLDER / "register").write_text(line.removesuffix("CF"))
    host = connect(docker_engine.address, os.environ)
    with pytest.raises(CannotRun, match="but not for containers"):
        probe(host, RISCV64)
    host.client.close()
    code, said = registering(provider="host")
    assert code == 0
    assert f"(flags CF) instead of {emulator} (flags )" in said
    assert runs(docker_engine)


def test_an_image_registers_what_it_brings(
    docker_engine: Engine, bare: None, registering: Registering, tonistiigi_binfmt: str
) -> None:
    code, said = registering(provider=tonistiigi_binfmt)
    assert code == 0
    assert f"docker run --rm --privileged {tonistiigi_binfmt} --uninstall riscv64 --install riscv64" in said
    assert said.splitlines()[-1] == f"riscv64 runs under QEMU on {docker_engine.address}"
    assert runs(docker_engine)


def test_an_image_replaces_an_entry_that_does_not_serve(
    docker_engine: Engine, bare: None, registering: Registering, tonistiigi_binfmt: str, emulator: Path
) -> None:
    """By itself it would leave that one, and end with 0."""
    (binfmt.FOLDER / "register").write_text(binfmt.new_handler(RISCV64, emulator).line.removesuffix("CF"))
    assert registering(provider=tonistiigi_binfmt)[0] == 0
    assert runs(docker_engine)


def test_an_image_that_has_no_such_emulator_is_found_out_though_it_ends_with_0(
    bare: None, registering: Registering, tonistiigi_binfmt: str
) -> None:
    if handler("qemu-arm"):
        pytest.skip("qemu-arm is registered in this kernel")
    with pytest.raises(CannotRun) as caught:
        registering(architectures()["armv7l"], provider=tonistiigi_binfmt)
    assert f"{tonistiigi_binfmt} finished, but\n" in caught.value.message
    assert "  | installing: arm unsupported architecture: arm" in caught.value.message
    assert "crosswheel register --arch armv7l --provider host" in caught.value.hint


@pytest.fixture
def idler(engine: docker.DockerClient, busybox_x86_64: str) -> Iterator[str]:
    """An image that ends with 0, whatever it is asked for."""
    engine.images.pull(busybox_x86_64)
    container = engine.containers.create(busybox_x86_64)
    container.commit("crosswheel-tests/idler", "1", changes='ENTRYPOINT ["true"]')
    container.remove()
    yield "crosswheel-tests/idler:1"
    engine.images.remove("crosswheel-tests/idler:1")


def test_a_provider_that_does_nothing_and_ends_with_0_is_found_out(
    engine: docker.DockerClient, bare: None, registering: Registering, idler: str, tmp_path: Path
) -> None:
    with pytest.raises(CannotRun) as caught:
        registering(provider=idler)
    assert caught.value.message.startswith(f"{idler} finished, but\n")
    assert "exec format error" in caught.value.message
    assert json.loads((tmp_path / "found.json").read_text())["architectures"][0]["after"]["runs"] is False
    assert not engine.containers.list(all=True, filters={"label": LABEL})


SEVERAL = ("riscv64", "s390x")


@pytest.fixture
def several_bare() -> Iterator[None]:
    """With nothing for several architectures; afterwards, every entry of QEMU's is as it was."""
    with ExitStack() as stack:
        try:
            for name in SEVERAL:
                stack.enter_context(unregistered(f"qemu-{name}"))
        except BinfmtUnavailable as error:
            pytest.skip(str(error))
        yield


@pytest.mark.daily(2)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("provider", ["host", "tonistiigi/binfmt"])
def test_an_interrupted_registration_registers_all_or_none(
    docker_engine: Engine, several_bare: None, emulator: Path, tonistiigi_binfmt: str, provider: str, number: int
) -> None:
    """At several moments from the last word before it begins."""
    del emulator
    image = tonistiigi_binfmt if provider != "host" else provider
    words = [f"--arch={','.join(SEVERAL)}", f"--provider={image}", f"--docker-host={docker_engine.address}"]
    command = [sys.executable, "-m", "crosswheel", "register", *words]
    found = []
    for delay in (0, 0.05, 0.2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stdout
            assert any("until its next boot" in line for line in process.stdout)
            time.sleep(delay)
            process.send_signal(number)
            process.stdout.read()
        found.append(settled())
        assert found[-1] in (set(), {*SEVERAL}), found
        if number != signal.SIGKILL:
            assert not docker_engine.client.containers.list(all=True, filters={"label": LABEL})
        for name in found[-1]:
            (binfmt.FOLDER / f"qemu-{name}").write_text("-1")
    remove_stale(connect(docker_engine.address, os.environ))
    assert not docker_engine.client.containers.list(all=True, filters={"label": LABEL})


def settled() -> set[str]:
    """Which of several architectures have an entry, once nothing changes any more."""
    before: object = None
    while (now := {path.name for path in binfmt.FOLDER.iterdir()}) != before:
        before = now
        time.sleep(1)
    assert not any("-crosswheel" in name for name in now)
    return {name for name in SEVERAL if f"qemu-{name}" in now}


def test_the_image_that_resets_serves_too(
    docker_engine: Engine, unserved: str, registering: Registering, qemu_user_static: str
) -> None:
    """It is for aarch64 only: others who build for it on this machine are without it for seconds."""
    code, said = registering(AARCH64, provider=qemu_user_static)
    assert code == 0
    assert "will remove every entry qemu-* of that kernel" in said
    assert runs(docker_engine, AARCH64)
