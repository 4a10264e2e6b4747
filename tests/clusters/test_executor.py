"""The executor alone, with real workers: what a task costs, and what happens to a result on its way."""

from __future__ import annotations

import operator
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from clusters.processes import Cluster
from crosswheel.fleet.addresses import scheduler_address
from crosswheel.fleet.cluster import ClusterExecutor

pytestmark = pytest.mark.slow

JOBS = 1000


def test_a_job_costs_at_most_15_milliseconds_more_than_in_a_thread(own_cluster: Cluster) -> None:
    """By the processor time of client, scheduler and workers together: others may keep this machine busy."""
    for name in ("one", "two"):
        own_cluster.start_worker(name)
    with ThreadPoolExecutor(2) as threads:
        began = time.process_time()
        expected = [future.result() for future in [threads.submit(operator.neg, number) for number in range(JOBS)]]
        in_threads = time.process_time() - began
    with ClusterExecutor(scheduler_address(own_cluster.address, Path())) as cluster:
        before = _processor_time(own_cluster)
        needs = {"cross aarch64 cp313": 1.0}
        futures = [
            cluster.submit(operator.neg, number, key=f"no-op {number}", resources=needs) for number in range(JOBS)
        ]
        assert [future.result() for future in futures] == expected
        took = _processor_time(own_cluster) - before
    assert (took - in_threads) / JOBS < 0.015, (took, in_threads)


def _processor_time(cluster: Cluster) -> float:
    """The seconds of this process and of all processes of the cluster."""
    leaders = [psutil.Process(process.pid) for process in cluster.running.values()]
    members = [member for leader in leaders for member in (leader, *leader.children(recursive=True))]
    times = [psutil.Process().cpu_times(), *(member.cpu_times() for member in members)]
    return sum(one.user + one.system for one in times)


def test_a_result_that_is_lost_on_its_way_is_made_again(own_cluster: Cluster) -> None:
    for name in ("one", "two"):
        own_cluster.start_worker(name)
    with ClusterExecutor(scheduler_address(own_cluster.address, Path())) as cluster:
        taken = cluster._take
        killed: list[str] = []

        def kill_first(batch: Any) -> None:
            if not killed:
                ((_, (address,)),) = cluster._client.who_has([batch[0][1]]).items()  # type: ignore[union-attr]
                names = {worker.address: worker.name for worker in cluster.workers()}
                killed.append(names[address])
                own_cluster.kill(names[address])
            taken(batch)

        cluster._take = kill_first  # type: ignore[method-assign]
        future = cluster.submit(bytes, 20_000_000, key="a wheel", resources={"cross aarch64 cp313": 1.0})
        assert len(future.result(60)) == 20_000_000
    assert killed
