"""`accelerate` on a real engine, with the docker program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from containers.engine import Engine

pytestmark = pytest.mark.containers

PLATFORM = "--platform=linux/arm64"

Accelerate = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environ(docker_engine: Engine) -> dict[str, str]:
    if shutil.which("docker") is None:
        pytest.skip("the docker command is not installed")
    return {**os.environ, "DOCKER_HOST": docker_engine.address}


@pytest.fixture
def accelerate(environ: dict[str, str], tmp_path: Path) -> Accelerate:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "crosswheel", "accelerate", *words]
        return subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def aarch64(engine: docker.DockerClient, manylinux_aarch64: str) -> str:
    engine.images.pull(manylinux_aarch64)
    return manylinux_aarch64


def test_a_native_container_stays_as_it_is(
    accelerate: Accelerate, engine: docker.DockerClient, busybox_x86_64: str
) -> None:
    engine.images.pull(busybox_x86_64)
    done = accelerate("--", "docker", "run", "--rm", busybox_x86_64, "busybox", "env")
    assert done.returncode == 0, done.stderr
    assert "crosswheel" not in done.stdout
    assert f"not accelerated: 1 container of {busybox_x86_64}: x86_64 runs natively" in done.stderr


@pytest.mark.usefixtures("qemu")
def test_a_dry_run_shows_the_changed_command_and_starts_none(
    accelerate: Accelerate, engine: docker.DockerClient, aarch64: str
) -> None:
    before = {container.id for container in engine.containers.list(all=True)}
    done = accelerate("--dry-run", "--", "docker", "run", PLATFORM, "--env=A=1", aarch64, "true")
    assert done.returncode == 0, done.stderr
    assert f"docker run {PLATFORM} --env=A=1 --volume=crosswheel-tools-" in done.stderr
    assert f" {aarch64} true\n" in done.stderr
    assert {container.id for container in engine.containers.list(all=True)} == before
