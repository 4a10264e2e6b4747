"""The processor seconds of what runs in a container, as its engine counts them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager

from crosswheel.containers.docker_host import DockerHost
from crosswheel.system.cpu_time import count


@contextmanager
def counted(docker: DockerHost, container: str) -> Iterator[None]:
    """Count what all processes of the container take during the block; it is unknown if the engine does not say."""
    before = _spent(docker, container)
    try:
        yield
    finally:
        after = _spent(docker, container)
        count(None if before is None or after is None else after - before)


def _spent(docker: DockerHost, container: str) -> float | None:
    # Errors are ignored: the number only goes into reports. Without one_shot the engine takes a second to answer.
    with contextlib.suppress(Exception):
        told = docker.client.api.stats(container, stream=False, one_shot=True)
        return float(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9
    return None
