"""A Docker Engine, or podman with its Docker API, local or remote: found in the same way as by the docker command.

This module converts the engine's errors to ours: what happened, why, and the next command to type.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crosswheel.containers import podman_sockets
from crosswheel.containers.faults import find_fault
from crosswheel.containers.ssh import tunnel
from crosswheel.errors import CrosswheelError, DiskFull, EngineUnavailable, explained
from crosswheel.model.targets import Architecture, architectures
from crosswheel.system.imports import import_alone

if TYPE_CHECKING:
    import docker

# `platform=` at the creation of a container: without it an engine uses any image with the name.
OLDEST_API = (1, 41)
OLDEST_ENGINE = "20.10"

_TIMEOUT = 600  # seconds without data; loading an image on a slow disk takes minutes
_PATIENCE = 5  # seconds to answer the first question; podman answers others when it has stored an image

# The names by which engines identify themselves; Docker's is matched by its first word.
DOCKER, PODMAN = "Docker Engine", "Podman Engine"

# The fields of `docker info` that affect how containers run.
_IDENTITY = (
    "ID", "ServerVersion", "DefaultRuntime", "Runtimes", "RuncCommit", "ContainerdCommit", "InitBinary",
    "CgroupVersion", "SecurityOptions",
)  # fmt: skip


@dataclass(frozen=True)
class DockerHost:
    """A reachable engine. `memory` is in bytes; `machine` is the host's `uname -m`, `kernel` its `uname -r`.

    `identity` identifies the engine with its container runtime and their versions; `product` is its name.
    """

    client: docker.DockerClient
    address: str
    version: str
    machine: str
    cpus: int
    memory: int
    rootless: bool = False
    kernel: str = ""
    identity: str = ""
    product: str = DOCKER

    @property
    def arch(self) -> Architecture | None:
        """The host's architecture by the name in wheel tags."""
        return architectures().get(_MACHINES.get(self.machine, self.machine))

    @property
    def is_local(self) -> bool:
        """Whether the engine runs on this machine's kernel (Docker Desktop's does not)."""
        return self.address.startswith("unix://") and "desktop" not in self.address

    def runs_natively(self, arch: Architecture) -> bool:
        """Whether the host's processors run programs of `arch` without emulation; x86_64 runs i686 too."""
        return self.arch == arch or (self.machine, arch.name) == ("x86_64", "i686")


# Names of architectures in `docker info` that differ from those in wheel tags.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armv8l": "armv7l", "arm": "armv7l", "i386": "i686", "386": "i686"}


def connect(wanted: str, environ: Mapping[str, str]) -> DockerHost:
    """Connect to the engine at an address or of a docker context.

    Default: DOCKER_HOST, or the current context; if nothing names an engine and Docker's own socket does not answer,
    podman's. Raises EngineUnavailable.
    """
    import_alone("docker")
    try:
        return _connect(wanted, environ)
    except EngineUnavailable:
        if _is_named(wanted, environ) or (podman := find_podman(environ)) is None:
            raise
        return podman


def find_podman(environ: Mapping[str, str]) -> DockerHost | None:
    """The first podman whose socket answers."""
    import_alone("docker")
    for address in podman_sockets.addresses(environ):
        with suppress(EngineUnavailable):
            return _connect(address, environ)
    return None


def _is_named(wanted: str, environ: Mapping[str, str]) -> bool:
    """Whether the caller, a variable or the current docker context names an engine."""
    from docker.context import ContextAPI

    if wanted or environ.get("DOCKER_HOST") or environ.get("DOCKER_CONTEXT"):
        return True
    return str(ContextAPI.get_context().name) != "default"


def _connect(wanted: str, environ: Mapping[str, str]) -> DockerHost:
    from docker.utils import version_lt

    if "," in wanted:
        several = f"{wanted} names several Docker hosts, and only plan and wheels use several"
        raise EngineUnavailable(several, hint="--docker-host with one of them")
    with engine_errors(f"asking the Docker Engine{f' {wanted}' if wanted else ''}"):
        # An unreachable host must not delay the plan for minutes.
        environment = _environment(wanted, environ)
        _refuse_no_address(environment.get("DOCKER_HOST", ""))
        far = _ssh_address(environment)
        near = {**environment, "DOCKER_HOST": tunnel(far)} if far else environment
        client, product = _client(near)
        try:
            api, info = client.api.api_version, client.info()
        except BaseException:
            client.close()
            raise
    address = far or address_of(client)
    if version_lt(api, ".".join(map(str, OLDEST_API))):
        client.close()
        raise EngineUnavailable(
            f"the {product} at {address} is too old: {info['ServerVersion']} with API {api}",
            hint=f"install Docker Engine {OLDEST_ENGINE} or newer",
        )
    return DockerHost(
        client=client,
        address=address,
        version=info["ServerVersion"],
        machine=info["Architecture"],
        cpus=info["NCPU"],
        memory=info["MemTotal"],
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ())
        or (product == PODMAN and podman_sockets.is_rootless(address)),
        kernel=info.get("KernelVersion", ""),
        identity=_identity(info, product),
        product=product,
    )


def _identity(info: Mapping[str, Any], product: str) -> str:
    # Podman returns a new ID in each answer.
    names = [name for name in _IDENTITY if (product, name) != (PODMAN, "ID")]
    return json.dumps([product, *(info.get(name) for name in names)], sort_keys=True)


def _client(environment: Mapping[str, str]) -> tuple[docker.DockerClient, str]:
    """A docker-py client for the engine's API version, and the name of the product.

    docker-py's own version check is slow: it makes the engine run programs to learn their versions.
    """
    import docker

    asking = docker.from_env(version=".".join(map(str, OLDEST_API)), timeout=_PATIENCE, environment=environment)
    try:
        answer = asking.api.get(f"{asking.api.base_url}/_ping", timeout=_PATIENCE)
    finally:
        asking.close()
    api = answer.headers.get("Api-Version") if answer.ok else None
    product = PODMAN if "Libpod-Api-Version" in answer.headers else DOCKER
    return docker.from_env(version=api, timeout=_TIMEOUT, environment=environment), product


def contexts() -> dict[str, str]:
    """The address of every docker context by name."""
    from docker.context import ContextAPI

    return {str(each.name): str(each.Host) for each in ContextAPI.contexts()}


def address_of(client: docker.DockerClient) -> str:
    """The address of a client: ``unix:///run/docker.sock`` instead of docker-py's ``http+docker://localhost``."""
    base = str(client.api.base_url)
    if base.startswith("http+docker"):
        return f"unix://{getattr(client.api.get_adapter(base), 'socket_path', '')}"
    return base


@contextmanager
def engine_errors(doing: str, kind: type[CrosswheelError] = EngineUnavailable) -> Iterator[None]:
    """Convert exceptions of docker-py and the network to one of our errors; `doing` describes the attempt.

    An engine's refusal becomes a `kind`. An unreachable engine, or one that cannot start any container, becomes
    EngineUnavailable; a full disk of this machine, through which files pass, becomes DiskFull.
    """
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        said = str(error.explanation or error).strip()
        if fault := known_fault(doing, said):
            raise fault from error
        raise kind(
            f"{doing}: {said}", hint="docker info; for details see the engine's log: journalctl -u docker"
        ) from error
    except (DockerException, RequestException, OSError) as error:
        ours = explained(error) if isinstance(error, OSError) else None
        raise ours if isinstance(ours, DiskFull) else _unavailable(doing, error) from error


def known_fault(doing: str, said: str) -> EngineUnavailable | None:
    """The error for an engine that cannot start containers until its settings are changed, or None."""
    fault = find_fault(said)
    return EngineUnavailable(f"{doing}: {fault.meaning} ({said})", hint=fault.remedy) if fault else None


def _unavailable(doing: str, error: Exception) -> EngineUnavailable:
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
        hint = f"sudo usermod -aG docker {getpass.getuser()}, and log in again; or set DOCKER_HOST to a rootless engine"
        return EngineUnavailable(f"{doing}: this user has no permission to use the Docker Engine", hint=hint)
    if any(words in text for words in ("FileNotFoundError", "Connection refused", "No such file")):
        hint = "sudo systemctl start docker, or systemctl --user start podman.socket; or --docker-host ADDRESS"
        return EngineUnavailable(f"{doing}: no Docker Engine answers there", hint=hint)
    if any(words in text for words in ("Connection aborted", "Connection reset", "RemoteDisconnected")):
        text = f"{doing}: the connection was closed before an answer came"
        return EngineUnavailable(text, hint="docker info, on that machine, to see whether an engine listens there")
    if "timed out" in text.lower() or "Timeout" in type(error).__name__:
        return EngineUnavailable(f"{doing}: no answer", hint="docker info, with the same DOCKER_HOST")
    return EngineUnavailable(f"{doing}: {text}", hint="docker info, with the same DOCKER_HOST")


def _environment(wanted: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment variables by which docker-py finds the wanted engine."""
    environment = dict(environ)
    if "://" in wanted:
        environment["DOCKER_HOST"] = wanted
    elif wanted:
        environment.pop("DOCKER_HOST", None)
        environment["DOCKER_CONTEXT"] = _known_context(wanted)
    return environment


def _refuse_no_address(address: str) -> None:
    try:
        _ = urlsplit(address).port
    except ValueError as error:
        text = f"the address of the Docker Engine is invalid: {error}"
        raise EngineUnavailable(text, hint="ssh://USER@MACHINE:PORT, tcp://MACHINE:PORT or unix:///PATH") from error


def _known_context(name: str) -> str:
    known = contexts()
    if name not in known:
        names = ", ".join(known)
        raise EngineUnavailable(f"unknown docker context {name!r}; known: {names}", hint="docker context ls")
    return name


def _ssh_address(environment: Mapping[str, str]) -> str:
    """The ssh address of the engine, if it has one; docker-py's own ssh transport breaks streams."""
    from docker.context import ContextAPI

    if address := environment.get("DOCKER_HOST"):
        return address if address.startswith("ssh://") else ""
    context = ContextAPI.get_context(environment.get("DOCKER_CONTEXT"))
    address = str(getattr(context, "Host", ""))
    return address if address.startswith("ssh://") else ""
