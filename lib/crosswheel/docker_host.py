"""A Docker Engine, local or remote: found as the docker command finds it, asked once who it is.

Its errors become ours here: what happened, why, and the next command to type.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswheel.errors import CrosswheelError, EngineUnavailable
from crosswheel.targets import Architecture, architectures

if TYPE_CHECKING:
    import docker

# `platform=` when a container is created, without which an engine takes whatever it has under a name.
OLDEST_API = (1, 41)
OLDEST_ENGINE = "20.10"

_TIMEOUT = 600  # seconds of silence; loading an image on a slow disk has taken minutes
_PATIENCE = 5  # seconds to answer the first question


@dataclass(frozen=True)
class DockerHost:
    """An engine that answers. `memory` is in bytes; `machine` is what `uname -m` says there."""

    client: docker.DockerClient
    address: str
    version: str
    machine: str
    cpus: int
    memory: int
    rootless: bool = False

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
        client = _client(wanted, environ, timeout=_PATIENCE)
        try:
            api, info = client.version()["ApiVersion"], client.info()
        except BaseException:
            client.close()
            raise
        client.api.timeout = _TIMEOUT
    if version_lt(api, ".".join(map(str, OLDEST_API))):
        client.close()
        raise EngineUnavailable(
            f"the Docker Engine at {address_of(client)} is too old: {info['ServerVersion']} with API {api}",
            hint=f"install Docker Engine {OLDEST_ENGINE} or newer",
        )
    return DockerHost(
        client=client,
        address=address_of(client),
        version=info["ServerVersion"],
        machine=info["Architecture"],
        cpus=info["NCPU"],
        memory=info["MemTotal"],
        rootless=any("rootless" in option for option in info.get("SecurityOptions") or ()),
    )


def contexts() -> dict[str, str]:
    """Every docker context by name, with its address."""
    from docker.context import ContextAPI

    return {str(each.name): str(each.Host) for each in ContextAPI.contexts()}


def address_of(client: docker.DockerClient) -> str:
    """``unix:///run/docker.sock`` where the library says ``http+docker://localhost``."""
    base = str(client.api.base_url)
    if base.startswith("http+docker"):
        adapter = client.api.get_adapter(base)
        path = getattr(adapter, "socket_path", "")
        return f"unix://{path}" if path else str(getattr(adapter, "ssh_host", base))
    return base


@contextmanager
def engine_errors(doing: str, kind: type[CrosswheelError] = EngineUnavailable) -> Iterator[None]:
    """What the library and the network raise, as one error of ours; `doing` says what was tried.

    An engine's refusal becomes a `kind`; an engine that is not there, always EngineUnavailable.
    """
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as error:
        raise kind(f"{doing}: {error.explanation or error}".strip()) from error
    except (DockerException, RequestException, OSError) as error:
        raise _unavailable(doing, error) from error


def _unavailable(doing: str, error: Exception) -> EngineUnavailable:
    text = str(error)
    if "Permission denied" in text or "PermissionError" in text:
        hint = f"sudo usermod -aG docker {getpass.getuser()}, and log in again; or a rootless engine's DOCKER_HOST"
        return EngineUnavailable(f"{doing}: this user may not talk to the Docker Engine", hint=hint)
    if any(words in text for words in ("FileNotFoundError", "Connection refused", "No such file")):
        hint = "sudo systemctl start docker, or set DOCKER_HOST or --docker-host to where an engine runs"
        return EngineUnavailable(f"{doing}: no Docker Engine answers there", hint=hint)
    if "timed out" in text.lower() or "Timeout" in type(error).__name__:
        return EngineUnavailable(f"{doing}: it does not answer", hint="docker info, with the same DOCKER_HOST")
    return EngineUnavailable(f"{doing}: {text}", hint="docker info, with the same DOCKER_HOST")


def _client(wanted: str, environ: Mapping[str, str], *, timeout: int) -> docker.DockerClient:
    import docker

    environment = dict(environ)
    if "://" in wanted:
        environment["DOCKER_HOST"] = wanted
    elif wanted:
        environment.pop("DOCKER_HOST", None)
        environment["DOCKER_CONTEXT"] = _known_context(wanted)
    # Through the machine's own ssh, with the keys, agent and settings of whoever calls us.
    ssh = _is_ssh(environment)
    return docker.from_env(timeout=timeout, environment=environment, use_ssh_client=ssh)


def _known_context(name: str) -> str:
    known = contexts()
    if name not in known:
        names = ", ".join(known)
        raise EngineUnavailable(f"there is no docker context {name!r}; there are: {names}", hint="docker context ls")
    return name


def _is_ssh(environment: Mapping[str, str]) -> bool:
    from docker.context import ContextAPI

    if address := environment.get("DOCKER_HOST"):
        return address.startswith("ssh://")
    context = ContextAPI.get_context(environment.get("DOCKER_CONTEXT"))
    return str(getattr(context, "Host", "")).startswith("ssh://")
