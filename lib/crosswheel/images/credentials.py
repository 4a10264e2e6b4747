"""Logins to registries: those of `docker login` and `podman login`, in their files or in credential helpers.

docker-py reads the files and asks the helpers.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.errors import NoCredentials
from crosswheel.images.references import Reference
from crosswheel.system.imports import import_alone


@dataclass(frozen=True)
class Credentials:
    """A user name and a password, or an identity token, which a registry exchanges for access tokens."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def credentials_for(reference: Reference, environ: Mapping[str, str]) -> Credentials | None:
    """The login to the registry of the reference; None without one.

    Raises NoCredentials if a file cannot be read or its credential helper fails.
    """
    for path in _files(environ):
        if path.is_file() and (found := _read(path, reference, environ)):
            return found
    return None


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Docker's file, then podman's (containers-auth.json(5))."""
    home = Path(environ.get("HOME") or Path.home())
    yield Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    if folder := environ.get("XDG_RUNTIME_DIR"):
        yield Path(folder, "containers", "auth.json")
    yield Path(environ.get("XDG_CONFIG_HOME") or home / ".config", "containers", "auth.json")


def _read(path: Path, reference: Reference, environ: Mapping[str, str]) -> Credentials | None:
    import_alone("docker")
    from docker.auth import load_config, resolve_authconfig
    from docker.errors import DockerException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a missing helper is an error soon after
            found = resolve_authconfig(load_config(str(path), credstore_env=dict(environ)), reference.host)
    except (DockerException, ValueError) as error:
        raise NoCredentials(
            f"the login to {reference.host} cannot be read by {path}: {type(error).__name__}",
            hint=reference.login,
        ) from None
    named = {name.lower(): str(value) for name, value in (found or {}).items() if value}
    if not named.keys() & {"username", "identitytoken"}:
        return None
    return Credentials(named.get("username", ""), named.get("password", ""), named.get("identitytoken", ""))
