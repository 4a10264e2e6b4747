"""Several Docker hosts: who gets which job."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from crosswheel.fleet.hosts import Host, HostPool, addresses_in
from crosswheel.fleet.plan import Worker
from crosswheel.fleet.supervisor import Supervisor


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Which host carried out which order; "slow" ones wait until they are not wanted any more."""
    found: dict[str, str] = {}

    def carry_out(self: Supervisor, order: Mapping[str, Any], _source: bytes) -> Any:
        found[order["name"]] = self.worker
        if order["name"] == "broken":
            raise RuntimeError("broken")
        waiting = threading.Event()
        while order["name"] == "slow" and self.wanted():
            waiting.wait(0.01)
        self.tell({"events": []})
        return order["name"], {}

    monkeypatch.setattr(Supervisor, "carry_out", carry_out)
    return found


def pool(**hosts: str) -> HostPool:
    return HostPool([Host(Worker(name, name, {able: 1.0}), 1, {}) for name, able in hosts.items()])


def order(pool: HostPool, name: str, needs: str, priority: float = 0.0) -> Any:
    return pool.submit(print, {"name": name}, b"", key=name, resources={needs: 1.0}, priority=priority)


def test_a_job_goes_to_a_host_that_can_do_it(done: dict[str, str]) -> None:
    heard: list[str] = []
    with pool(arm="arm", here="cross") as both:
        both.listen("topic", lambda name, _told: heard.append(name))
        for future in [order(both, "a", "cross"), order(both, "b", "arm"), order(both, "c", "cross")]:
            future.result(10)
    assert done == {"a": "here", "b": "arm", "c": "here"}
    assert sorted(heard) == ["a", "b", "c"]


def test_the_longest_waiting_job_is_that_of_the_highest_priority(done: dict[str, str]) -> None:
    hosts = pool(arm="arm")
    futures = [order(hosts, name, "arm", priority) for name, priority in (("a", 1.0), ("b", 3.0), ("c", 2.0))]
    with hosts:
        for future in futures:
            future.result(10)
    assert list(done) == ["b", "c", "a"]


def test_the_end_does_not_wait_for_jobs(done: dict[str, str]) -> None:
    with pool(arm="arm") as hosts:
        slow = order(hosts, "slow", "arm")
        while not slow.running():
            pass
    assert slow.result(10)


def test_an_error_is_raised_where_the_result_is_asked_for(done: dict[str, str]) -> None:
    with pool(arm="arm") as hosts, pytest.raises(RuntimeError, match="broken"):
        order(hosts, "broken", "arm").result(10)


def test_addresses_stand_with_commas_between_them() -> None:
    assert addresses_in("ssh://arm1, ssh://arm2,") == ("ssh://arm1", "ssh://arm2")
    assert addresses_in("") == ()
