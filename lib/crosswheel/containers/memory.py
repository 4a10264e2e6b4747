"""How much memory a container takes, as its engine tells it once a second for as long as the container lives."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any

from crosswheel.containers.docker_host import DockerHost


@dataclass
class Watch:
    """`peak` is in bytes, without pages of files that the kernel may drop; 0 while nothing was heard."""

    peak: int = 0

    def hear(self, told: dict[str, Any]) -> None:
        memory = told.get("memory_stats") or {}
        details = memory.get("stats") or {}
        # As the docker command counts it; the first is of cgroup v1, the second of v2.
        droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
        self.peak = max(self.peak, memory.get("usage", 0) - droppable)


def watch(docker: DockerHost, container: str) -> Watch:
    """Begin to listen; it ends with the container."""
    watching = Watch()

    def listen() -> None:
        # What an engine cannot tell is no reason to fail: nothing depends on it but how many jobs go together.
        with contextlib.suppress(Exception):
            for told in docker.client.api.stats(container, decode=True, stream=True):
                watching.hear(told)

    threading.Thread(target=listen, daemon=True).start()
    return watching
