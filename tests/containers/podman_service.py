"""Debian's podman, started by hand for tests: it answers as a Docker Engine does, on a socket of its own.

Settings, images, volumes and networks are its own too, so that several can run at the same time. What it does change
of this machine, as any engine does, is the packet filter, for as long as a container with a network runs.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from containers import daemon
from containers.clients import answering, remove_containers
from containers.leftovers import data_folder, end_processes, remove_folder
from containers.program import find_program, run_program

PROGRAM = "podman"

_NETWORKS = itertools.count()

# Seconds; stopping it takes as long as containers take to end.
_PATIENCE = 60.0
# The registry of the tests listens on a port that nobody knows before, and has no certificate.
# The second table is for registries that tests start themselves, at other ports.
_REGISTRIES = """
[[registry]]
location = "{registry}"
insecure = true

[[registry]]
location = "127.0.0.1"
insecure = true
"""

Settings = Mapping[str, Mapping[str, Any]]
"""Tables of containers.conf."""


def working() -> Settings:
    """With which podman starts containers on machines without systemd, and where root may not raise limits."""
    # Podman itself goes down to these, and a container must not have more.
    most = {"nofile": 2**20, "nproc": int(Path("/proc/sys/kernel/pid_max").read_text("ascii"))}
    own = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    hard = {name: min(resource.getrlimit(limit)[1], most[name]) for name, limit in own.items()}
    return {
        "containers": {"default_ulimits": [f"{name}={value}:{value}" for name, value in hard.items()]},
        "engine": {"runtime": "runc", "cgroup_manager": "cgroupfs", "events_logger": "file"},
    }


@contextmanager
def running_podman(cache: Path, settings: Settings, registry: str = "") -> Iterator[str]:
    """Gives its address as DOCKER_HOST would; it pulls from `registry` without TLS.

    Images go below `cache`, which is on a disk; the socket to the temporary folder, whose name is short enough.
    """
    data = data_folder(cache)
    with tempfile.TemporaryDirectory(prefix="crosswheel-podman-") as folder, _own_network(Path(folder)):
        run = Path(folder)
        files = {
            "CONTAINERS_CONF": ("containers.conf", _toml(_with_folders(settings, run))),
            "CONTAINERS_STORAGE_CONF": ("storage.conf", _toml(_storage(run, data))),
            "CONTAINERS_REGISTRIES_CONF": (
                "registries.conf",
                _REGISTRIES.format(registry=registry) if registry else "",
            ),
        }
        for name, content in files.values():
            (run / name).write_text(content)
        variables = [f"{variable}={run / name}" for variable, (name, _) in files.items()]
        address = f"unix://{run}/podman.sock"
        command = ["env", *variables, find_program(PROGRAM) or PROGRAM, "system", "service", "--time=0", address]
        try:
            with daemon.running(command, run / "log", lambda: answering(address), patience=_PATIENCE) as client:
                try:
                    yield address
                finally:
                    remove_containers(client)
        finally:
            end_processes(folder)
            remove_folder(data)
            remove_folder(run)


@contextmanager
def _own_network(run: Path) -> Iterator[None]:
    """Podman's default network, with a bridge and addresses that no other podman has.

    All podmans would have the same ones otherwise, and the plugins that Debian's has for networks never take a bridge
    away: who removed it at the end would cut off the containers of the others.
    """
    number = os.getpid() * 8 + next(_NETWORKS) % 8
    bridge = f"cni-{number:x}"
    network = f"10.{128 + number // 256 % 64}.{number % 256}"
    addresses = {
        "type": "host-local",
        "dataDir": f"{run}/addresses",
        "ranges": [[{"subnet": f"{network}.0/24", "gateway": f"{network}.1"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugins = [
        {"type": "bridge", "bridge": bridge, "isGateway": True, "ipMasq": True, "hairpinMode": True, "ipam": addresses},
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "firewall"},
        {"type": "tuning"},
    ]
    file = _networks(run) / "87-podman.conflist"
    file.parent.mkdir()
    file.write_text(json.dumps({"cniVersion": "0.4.0", "name": "podman", "plugins": plugins}))
    try:
        yield
    finally:
        if Path("/sys/class/net", bridge).exists():
            run_program("ip", "link", "delete", bridge)


def _networks(run: Path) -> Path:
    return run / "networks"


def _with_folders(settings: Settings, run: Path) -> Settings:
    """All others are below the images: what conmon starts at a container's end is told only of those."""
    return {
        **settings,
        "engine": {**settings.get("engine", {}), "tmp_dir": str(run / "temporary")},
        "network": {"network_config_dir": str(_networks(run))},
    }


def _storage(run: Path, data: Path) -> Settings:
    overlay = "\toverlay" in Path("/proc/filesystems").read_text("ascii")
    places = {"graphroot": f"{data}/images", "runroot": f"{run}/storage"}
    return {"storage": {"driver": "overlay" if overlay else "vfs", **places}}


def _toml(tables: Settings) -> str:
    """Texts and lists of texts are written as in JSON."""
    return "\n".join(
        line
        for table, values in tables.items()
        for line in (f"[{table}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items()))
    )
