"""Debian's dockerd, started by hand for tests: no systemd, nothing shared with another engine of this machine."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker
import filelock

from containers import daemon, limited_runc
from containers.bridge import network_bridge
from containers.clients import answering, remove_containers
from containers.leftovers import data_folder, end_processes, remove_folder
from containers.program import find_program

PROGRAM = "dockerd"

# Seconds; stopping it takes as long as containers take to end.
_PATIENCE = 60.0
# For the whole machine: dockerd fails if another one adds its chains to the packet filter at the same moment.
_STARTING = "/run/crosswheel-tests-dockerd.lock"


@contextmanager
def running_dockerd(program: str, cache: Path) -> Iterator[str]:
    """An engine with folders, socket and bridge of its own; gives its address as DOCKER_HOST would.

    Images go below `cache`, which is on a disk; the sockets to the temporary folder, whose name is short enough.
    """
    data = data_folder(cache)
    with (
        tempfile.TemporaryDirectory(prefix="crosswheel-engine-") as run,
        network_bridge() as bridge,
    ):
        try:
            command = _command(program, Path(run), data, bridge)
            address = f"unix://{run}/docker.sock"
            with _answering(command, address, Path(run, "dockerd.log")) as client:
                try:
                    yield address
                finally:
                    remove_containers(client)
        finally:
            end_processes(run)
            remove_folder(Path(run, "exec"))
            remove_folder(data)


@contextmanager
def _answering(command: list[str], address: str, log: Path) -> Iterator[docker.DockerClient]:
    with ExitStack() as stack:
        with filelock.FileLock(_STARTING):
            engine = daemon.running(command, log, lambda: answering(address), patience=_PATIENCE)
            client = stack.enter_context(engine)
        yield client


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
