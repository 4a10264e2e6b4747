"""The workers that a call names: those of a scheduler, or several Docker hosts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crosswheel.commands.call import Call
from crosswheel.errors import UsageError
from crosswheel.model.job import Note

if TYPE_CHECKING:
    from crosswheel.fleet.addresses import SchedulerAddress
    from crosswheel.fleet.pool import Pool

SCHEDULER = "CROSSWHEEL_SCHEDULER"
"""The environment variable for the option `scheduler`."""


def scheduler_of(call: Call) -> SchedulerAddress | None:
    """The address of the option or of the environment; None without one. Raises UsageError, MissingTool."""
    text = call.config.fleet.scheduler or call.environ.get(SCHEDULER, "")
    if not text:
        return None
    from crosswheel.fleet.addresses import certificates_folder, check_installed, scheduler_address

    address = scheduler_address(text, certificates_folder(call.config.fleet.certificates, call.environ))
    check_installed()
    return address


def has_pool(call: Call) -> bool:
    """Whether other machines or several Docker hosts build."""
    fleet, containers = call.config.fleet, call.config.containers
    return bool(fleet.scheduler or call.environ.get(SCHEDULER) or "," in containers.docker_host)


@contextmanager
def pool_of(call: Call) -> Iterator[Pool | None]:
    """The workers of the scheduler, or several Docker hosts; None if this machine builds, as ever.

    Raises UsageError, MissingTool, ClusterUnavailable.
    """
    address = scheduler_of(call)
    if address:
        _refuse_own(call)
        with _workers_of(address, call) as workers:
            yield workers
    elif "," in call.config.containers.docker_host:
        from crosswheel.fleet.hosts import HostPool, find_hosts

        _refuse_own(call)
        with HostPool(find_hosts(call.config, call.listener)) as hosts:
            yield hosts
    else:
        yield None


@contextmanager
def _workers_of(address: SchedulerAddress, call: Call) -> Iterator[Pool]:
    from crosswheel.fleet.cluster import ClusterExecutor

    with ClusterExecutor(address) as cluster:
        cluster.check_scheduler()
        for worker in cluster.workers():
            if not worker.has_our_version:
                call.listener(Note(f"the worker {worker.name} is left out: it has {worker.version}"))
        yield cluster


def _refuse_own(call: Call) -> None:
    """Raise UsageError for steps and engines of the project, which are code that does not travel, and multibuild."""
    hint = "the same call without scheduler, and with one docker_host"
    if call.config.multibuild:
        raise UsageError("multibuild's scripts are run by this process only, not by workers", hint=hint)
    for name, given in (("steps", call.own.steps), ("own_engines", call.own.engines)):
        if given:
            raise UsageError(f"{name} of your own run in this process only, not on workers", hint=hint)
