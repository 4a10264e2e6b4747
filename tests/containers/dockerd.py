"""Debian's dockerd, started by hand for tests: no systemd, nothing shared with another engine of this machine."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import docker
from requests.exceptions import RequestException

from containers import daemon, limited_runc
from containers.bridge import network_bridge
from containers.program import find_program, run_program

PROGRAM = "dockerd"

# Seconds; stopping it takes as long as containers take to end.
_PATIENCE = 60.0
# What a request may take: loading an image is one.
TIMEOUT = 600


@contextmanager
def running_dockerd(program: str, cache: Path) -> Iterator[str]:
    """An engine with folders, socket and bridge of its own; gives its address as DOCKER_HOST would.

    Images go below `cache`, which is on a disk; the sockets to the temporary folder, whose name is short enough.
    """
    _sweep(cache)
    data = cache / f"engine-{os.getpid()}-{secrets.token_hex(4)}"
    with (
        tempfile.TemporaryDirectory(prefix="crosswheel-engine-") as run,
        network_bridge() as bridge,
    ):
        try:
            command = _command(program, Path(run), data, bridge)
            address = f"unix://{run}/docker.sock"
            log = Path(run, "dockerd.log")
            with daemon.running(command, log, lambda: _client(address), patience=_PATIENCE) as client:
                try:
                    yield address
                finally:
                    _remove_containers(client)
        finally:
            _end_processes(run)
            _remove(Path(run, "exec"))
            _remove(data)


def _command(program: str, run: Path, data: Path, bridge: str) -> list[str]:
    # The file of this machine's own engine would have a say in ours.
    (run / "daemon.json").write_text(json.dumps(_settings(run)))
    return [
        program,
        f"--config-file={run}/daemon.json",
        f"--host=unix://{run}/docker.sock",
        f"--data-root={data}",
        f"--exec-root={run}/exec",
        f"--pidfile={run}/dockerd.pid",
        f"--bridge={bridge}",
        "--log-level=warn",
    ]


def _settings(run: Path) -> dict[str, object]:
    if limited_runc.is_complete():
        return {}
    command = [sys.executable, "-I", limited_runc.__file__, find_program("runc") or "runc"]
    (run / "runc").write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    (run / "runc").chmod(0o755)
    return {"runtimes": {"limited": {"path": f"{run}/runc"}}, "default-runtime": "limited"}


def _client(address: str) -> docker.DockerClient | None:
    """None while it does not answer."""
    try:
        client = docker.DockerClient(base_url=address, timeout=TIMEOUT)
        client.ping()
    except (docker.errors.DockerException, RequestException):
        return None
    return client


def _remove_containers(client: docker.DockerClient) -> None:
    """Whatever tests left: with the engine gone, nobody would end them."""
    with closing(client), suppress(docker.errors.DockerException, RequestException):
        for container in client.containers.list(all=True, ignore_removed=True):
            container.remove(force=True, v=True)


def _end_processes(run: str) -> None:
    """What dockerd started has sessions of its own; all of it names a folder that is ours alone."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if run.encode() in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)


def _sweep(cache: Path) -> None:
    """A run that was killed leaves its images."""
    for path in cache.glob("engine-*"):
        if not Path("/proc", path.name.split("-")[1]).exists():
            _remove(path)


def _remove(folder: Path) -> None:
    for mount in sorted(_mounts(folder), reverse=True):
        run_program("umount", "--lazy", mount)
    shutil.rmtree(folder, ignore_errors=True)


def _mounts(folder: Path) -> list[str]:
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines()]
    return [point for point in points if Path(point).is_relative_to(folder)]
