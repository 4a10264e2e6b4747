"""The memory use of a container, reported by its engine once a second."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any

from crosswheel.containers.docker_host import DockerHost


@dataclass
class Watch:
    """The peak memory of a container in bytes, without reclaimable file pages; 0 while unknown."""

    peak: int = 0

    def hear(self, told: dict[str, Any]) -> None:
        memory = told.get("memory_stats") or {}
        details = memory.get("stats") or {}
        # Subtracted as in the docker command; the first name is of cgroup v1, the second of v2.
        droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
        self.peak = max(self.peak, memory.get("usage", 0) - droppable)


def watch(docker: DockerHost, container: str) -> Watch:
    """Start watching; it ends with the container."""
    watching = Watch()

    def listen() -> None:
        # Errors are ignored: the value only affects the number of parallel jobs.
        with contextlib.suppress(Exception):
            for told in docker.client.api.stats(container, decode=True, stream=True):
                watching.hear(told)

    threading.Thread(target=listen, daemon=True).start()
    return watching
