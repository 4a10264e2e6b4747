"""A worker of a scheduler: dask's nanny with the settings that builds need, and a word on what this machine can do."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crosswheel.fleet.addresses import SchedulerAddress
from crosswheel.fleet.supervisor import WORKER_OPTIONS

if TYPE_CHECKING:
    from distributed import Nanny

_PAUSE = 2.0  # seconds before the next attempt to reach the scheduler

# dask would set OMP_NUM_THREADS=1 and others, which builds would see.
_SETTINGS = {
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.nanny.environ": {},
    "distributed.worker.daemon": False,
    "distributed.worker.profile.enabled": False,
    "distributed.comm.retry.count": 3,
}


@dataclass(frozen=True)
class WorkerProcess:
    """The worker: its name, its resources by fleet/probe.py, jobs at a time, and options for each of its jobs."""

    address: SchedulerAddress
    name: str
    resources: Mapping[str, float]
    jobs: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, tell: Callable[[str], None]) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP. A scheduler that goes away is waited for."""
        import dask

        with dask.config.set(_SETTINGS):
            asyncio.run(self._serve(tell))

    async def _serve(self, tell: Callable[[str], None]) -> None:
        ending = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, ending.set)
        told = ""
        while not ending.is_set():
            try:
                async with self._nanny() as nanny:
                    told = f"a worker of {self.address.text}, {self.jobs} at a time"
                    tell(told)
                    await _first(ending.wait(), nanny.finished())
            except (OSError, asyncio.TimeoutError) as error:
                if f"no scheduler: {error}" != told:
                    told = f"no scheduler: {error}"
                    tell(f"no scheduler answers at {self.address.text}; this worker waits for it")
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(ending.wait(), _PAUSE)

    def _nanny(self) -> Nanny:
        from distributed import Nanny

        return Nanny(
            self.address.text,
            nthreads=self.jobs,
            name=self.name,
            memory_limit=0,  # it would watch the worker, not the compilers
            resources=dict(self.resources),
            security=self.address.security("worker"),
            env={WORKER_OPTIONS: json.dumps(dict(self.options))},
            death_timeout=30,
            dashboard=False,  # it would be readable for all without a certificate
            dashboard_address="127.0.0.1:0",
            quiet=True,
        )


async def _first(*waits: Any) -> None:
    """Wait for the first of these, and leave the others."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
