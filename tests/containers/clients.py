"""Clients of an engine that tests start."""

from __future__ import annotations

from contextlib import closing, suppress

import docker
from requests.exceptions import RequestException

# What a request may take, in seconds: loading an image is one.
TIMEOUT = 600


def answering(address: str) -> docker.DockerClient | None:
    """None while it does not answer."""
    try:
        client = docker.DockerClient(base_url=address, timeout=TIMEOUT)
        client.ping()
    except (docker.errors.DockerException, RequestException):
        return None
    return client


def remove_containers(client: docker.DockerClient) -> None:
    """Whatever tests left: with the engine gone, nobody would end them."""
    with closing(client), suppress(docker.errors.DockerException, RequestException):
        for container in client.containers.list(all=True, ignore_removed=True):
            container.remove(force=True, v=True)
