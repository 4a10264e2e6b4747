"""The memory use of a container, reported by its engine once a second."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import Any

from crosswheel.containers.docker_host import DockerHost

COUNTERS = ("sh", "-c", "cat /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control 2>/dev/null")
"""The command that prints a container's counters of cgroup v2 or v1, in lines of a name and a number."""


@dataclass
class Watch:
    """The peak memory of a container in bytes, without reclaimable file pages; 0 while unknown.

    `kills` is how often the kernel had killed a process for lack of memory when that was last read.
    """

    peak: int = 0
    kills: int = 0

    def hear(self, told: dict[str, Any]) -> None:
        memory = told.get("memory_stats") or {}
        details = memory.get("stats") or {}
        # Subtracted as in the docker command; the first name is of cgroup v1, the second of v2.
        droppable = details.get("total_inactive_file", details.get("inactive_file", 0))
        self.peak = max(self.peak, memory.get("usage", 0) - droppable)

    def hear_kills(self, counters: str) -> bool:
        """Whether there are more than when they were last read."""
        pairs = (line.split() for line in counters.splitlines())
        before, self.kills = self.kills, sum(int(number) for name, number in pairs if name == "oom_kill")
        return self.kills > before


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
