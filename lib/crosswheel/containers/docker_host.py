"""A Docker Engine, or a podman that answers as one, local or remote: found as the docker command finds it.

Its errors become ours here: what happened, why, and the next command to type.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crosswheel.containers.faults import find_fault
from crosswheel.containers.ssh import tunnel
from crosswheel.errors import CrosswheelError, DiskFull, EngineUnavailable, explained
from crosswheel.model.targets import Architecture, architectures

if TYPE_CHECKING:
    import docker

# `platform=` when a container is created, without which an engine takes whatever it has under a name.
OLDEST_API = (1, 41)
OLDEST_ENGINE = "20.10"

_TIMEOUT = 600  # seconds of silence; loading an image on a slow disk has taken minutes
_PATIENCE = 5  # seconds to answer the first question

# As engines call themselves, with the first word of Docker's.
DOCKER, PODMAN = "Docker Engine", "Podman Engine"

# What `docker info` has of an engine that decides how containers run.
_IDENTITY = (
    "ID", "ServerVersion", "DefaultRuntime", "Runtimes", "RuncCommit", "ContainerdCommit", "InitBinary",
    "CgroupVersion", "SecurityOptions",
)  # fmt: skip


@dataclass(frozen=True)
class DockerHost:
    """An engine that answers. `memory` is in bytes; `machine` is what `uname -m` says there, `kernel` `uname -r`.

    `identity` tells it from others, and from itself once another runtime, or release of it, starts containers;
    `product` is the name of the program.
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
        """Its own architecture, under the name that wheels use."""
        return architectures().get(_MACHINES.get(self.machine, self.machine))

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine, so that the kernel is ours too (Docker Desktop's is not)."""
        return self.address.startswith("unix://") and "desktop" not in self.address

    def runs_natively(self, arch: Architecture) -> bool:
        """Whether its processors run programs of `arch` themselves; an x86_64 runs those of i686."""
        return self.arch == arch or (self.machine, arch.name) == ("x86_64", "i686")


# What `docker info` calls an architecture where wheels have another name for it.
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "armv8l": "armv7l", "arm": "armv7l", "i386": "i686", "386": "i686"}


def connect(wanted: str, environ: Mapping[str, str]) -> DockerHost:
    """The engine at an address or of a docker context; of none, as DOCKER_HOST or the current context says.

    Raises EngineUnavailable.
    """
    from docker.utils import version_lt

    with engine_errors(f"asking the Docker Engine{f' {wanted}' if wanted else ''}"):
        # A remote host that is gone must not hold the plan up for minutes.
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
        client.api.timeout = _TIMEOUT
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
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
        kernel=info.get("KernelVersion", ""),
        identity=_identity(info, product),
        product=product,
    )


def _identity(info: Mapping[str, Any], product: str) -> str:
    # Podman makes a new ID for each answer.
    names = [name for name in _IDENTITY if (product, name) != (PODMAN, "ID")]
    return json.dumps([product, *(info.get(name) for name in names)], sort_keys=True)


def _client(environment: Mapping[str, str]) -> tuple[docker.DockerClient, str]:
    """The library's, for the version of the API that the engine has, and which product that is.

    Asked by itself, the library asks for all versions, and the engine runs programs to learn theirs.
    """
    import docker

    asking = docker.from_env(version=".".join(map(str, OLDEST_API)), timeout=_PATIENCE, environment=environment)
    try:
        answer = asking.api.get(f"{asking.api.base_url}/_ping", timeout=_PATIENCE)
    finally:
        asking.close()
    api = answer.headers.get("Api-Version") if answer.ok else None
    product = PODMAN if "Libpod-Api-Version" in answer.headers else DOCKER
    return docker.from_env(version=api, timeout=_PATIENCE, environment=environment), product


def contexts() -> dict[str, str]:
    """Every docker context by name, with its address."""
    from docker.context import ContextAPI

    return {str(each.name): str(each.Host) for each in ContextAPI.contexts()}


def address_of(client: docker.DockerClient) -> str:
    """``unix:///run/docker.sock`` where the library says ``http+docker://localhost``."""
    base = str(client.api.base_url)
    if base.startswith("http+docker"):
        return f"unix://{getattr(client.api.get_adapter(base), 'socket_path', '')}"
    return base


@contextmanager
def engine_errors(doing: str, kind: type[CrosswheelError] = EngineUnavailable) -> Iterator[None]:
    """What the library and the network raise, as one error of ours; `doing` says what was tried.

    An engine's refusal becomes a `kind`; an engine that is not there, or that starts no container whatever the image,
    always EngineUnavailable. A disk of this machine that is full, for files pass through it, is DiskFull.
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
            f"{doing}: {said}", hint="docker info; the engine's own log says more: journalctl -u docker"
        ) from error
    except (DockerException, RequestException, OSError) as error:
        ours = explained(error) if isinstance(error, OSError) else None
        raise ours if isinstance(ours, DiskFull) else _unavailable(doing, error) from error


def known_fault(doing: str, said: str) -> EngineUnavailable | None:
    """The error for an engine that starts no container until somebody changes its settings."""
    fault = find_fault(said)
    return EngineUnavailable(f"{doing}: {fault.meaning} ({said})", hint=fault.remedy) if fault else None


def _unavailable(doing: str, error: Exception) -> EngineUnavailable:
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
        hint = f"sudo usermod -aG docker {getpass.getuser()}, and log in again; or a rootless engine's DOCKER_HOST"
        return EngineUnavailable(f"{doing}: this user may not talk to the Docker Engine", hint=hint)
    if any(words in text for words in ("FileNotFoundError", "Connection refused", "No such file")):
        hint = "sudo systemctl start docker, or set DOCKER_HOST or --docker-host to where an engine runs"
        return EngineUnavailable(f"{doing}: no Docker Engine answers there", hint=hint)
    if any(words in text for words in ("Connection aborted", "Connection reset", "RemoteDisconnected")):
        text = f"{doing}: the connection was cut before it answered"
        return EngineUnavailable(text, hint="is there a Docker Engine at that socket? docker info, on that machine")
    if "timed out" in text.lower() or "Timeout" in type(error).__name__:
        return EngineUnavailable(f"{doing}: it does not answer", hint="docker info, with the same DOCKER_HOST")
    return EngineUnavailable(f"{doing}: {text}", hint="docker info, with the same DOCKER_HOST")


def _environment(wanted: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables by which the library finds the engine that is wanted."""
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
        text = f"the address of the Docker Engine cannot be read: {error}"
        raise EngineUnavailable(text, hint="ssh://USER@MACHINE:PORT, tcp://MACHINE:PORT or unix:///PATH") from error


def _known_context(name: str) -> str:
    known = contexts()
    if name not in known:
        names = ", ".join(known)
        raise EngineUnavailable(f"there is no docker context {name!r}; there are: {names}", hint="docker context ls")
    return name


def _ssh_address(environment: Mapping[str, str]) -> str:
    """Where ssh leads, if that is how the engine is reached: the library's own way breaks streams."""
    from docker.context import ContextAPI

    if address := environment.get("DOCKER_HOST"):
        return address if address.startswith("ssh://") else ""
    context = ContextAPI.get_context(environment.get("DOCKER_CONTEXT"))
    address = str(getattr(context, "Host", ""))
    return address if address.startswith("ssh://") else ""
