"""Containers that a command leaves when it is interrupted."""

from __future__ import annotations

import contextlib
import secrets

from crosswheel.accelerating.accelerator import Accelerator

_LABEL = "io.crosswheel.accelerated"


def new_label() -> dict[str, str]:
    """A label for the accelerated containers of one command."""
    return {_LABEL: secrets.token_hex(8)}


def remove_leftovers(accelerator: Accelerator) -> None:
    """Remove the accelerated containers that are still there."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    label = f"{_LABEL}={accelerator.labels[_LABEL]}"
    for docker in {place.docker.address: place.docker for place in accelerator.caches.values()}.values():
        with contextlib.suppress(DockerException, RequestException, OSError):
            for container in docker.client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
                container.remove(force=True, v=True)
