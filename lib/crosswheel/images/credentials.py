"""Logins to registries: those of `docker login`, in docker's config.json or in a credential helper.

docker-py reads both. The folder is DOCKER_CONFIG, else ~/.docker.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from crosswheel.errors import NoCredentials
from crosswheel.images.references import Reference


@dataclass(frozen=True)
class Credentials:
    """A user name and a password, or an identity token, which a registry exchanges for access tokens."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def credentials_for(reference: Reference, environ: Mapping[str, str]) -> Credentials | None:
    """The login to the registry of the reference; None without one.

    Raises NoCredentials if the file cannot be read or its credential helper fails.
    """
    from docker.auth import load_config, resolve_authconfig
    from docker.errors import DockerException

    folder = environ.get("DOCKER_CONFIG")
    path = os.path.join(folder, "config.json") if folder else None  # noqa: PTH118 - docker-py takes a text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a missing helper is an error soon after
            found = resolve_authconfig(load_config(path, credstore_env=dict(environ)), reference.host)
    except (DockerException, ValueError) as error:
        raise NoCredentials(
            f"the login to {reference.host} cannot be read from docker's config.json: {type(error).__name__}",
            hint=reference.login,
        ) from None
    named = {name.lower(): str(value) for name, value in (found or {}).items() if value}
    if not named.keys() & {"username", "identitytoken"}:
        return None
    return Credentials(named.get("username", ""), named.get("password", ""), named.get("identitytoken", ""))
