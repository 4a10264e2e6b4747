"""The stand-in for multiarch/qemu-user-static makes programs for aarch64 run, and only with --persistent yes."""

from __future__ import annotations

import docker
import pytest

from containers.binfmt import handler

pytestmark = [pytest.mark.containers, pytest.mark.binfmt]


def test_without_it_foreign_programs_do_not_run(engine: docker.DockerClient, unserved: str) -> None:
    with pytest.raises(docker.errors.ContainerError):
        engine.containers.run(unserved, ["uname", "-m"], remove=True)


def test_it_registers_for_every_container(engine: docker.DockerClient, unserved: str, qemu_user_static: str) -> None:
    said = engine.containers.run(qemu_user_static, ["--reset", "-p", "yes"], privileged=True, remove=True)
    assert b"as binfmt interpreter for aarch64" in said
    registered = handler()
    assert registered
    assert "F" in registered.flags
    assert engine.containers.run(unserved, ["uname", "-m"], remove=True) == b"aarch64\n"


def test_without_persistent_the_emulator_is_looked_for_in_the_container(
    engine: docker.DockerClient, unserved: str, qemu_user_static: str
) -> None:
    engine.containers.run(qemu_user_static, ["--reset"], privileged=True, remove=True)
    registered = handler()
    assert registered
    assert "F" not in registered.flags
    with pytest.raises(docker.errors.DockerException):
        engine.containers.run(unserved, ["uname", "-m"], remove=True)


def test_it_needs_the_privilege(engine: docker.DockerClient, unserved: str, qemu_user_static: str) -> None:
    with pytest.raises(docker.errors.ContainerError):
        engine.containers.run(qemu_user_static, ["--reset", "-p", "yes"], remove=True)
    assert handler() is None
