"""Several Docker hosts as a pool of one process: each job goes to the first host that is free and can do it.

Jobs without a container run on this machine, which is one more member of the pool.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from crosswheel.containers.docker_host import DockerHost
from crosswheel.engines import ENGINES
from crosswheel.engines.facts import Facts, look_around
from crosswheel.fleet.plan import Worker
from crosswheel.fleet.probe import jobs_at_a_time, resources_of
from crosswheel.fleet.supervisor import Supervisor
from crosswheel.model.config import Config
from crosswheel.model.job import Listener, Note

if TYPE_CHECKING:
    from typing_extensions import Self

THIS_MACHINE = "this machine"
_IN_CONTAINERS = frozenset(name for name, engine in ENGINES.items() if engine.family)


@dataclass(frozen=True)
class Host:
    """A member of the pool: what it can do, how many jobs it does at a time, and the options that lead there."""

    worker: Worker
    jobs: int
    options: Mapping[str, Any]


@dataclass(eq=False)
class _Task:
    order: Mapping[str, Any]
    source: bytes
    key: str
    resources: Mapping[str, float]
    priority: float
    result: Future[Any]


@dataclass(eq=False)
class HostPool:
    """An executor of orders on hosts, in the order of priority. A context manager."""

    hosts: Sequence[Host]
    _hearing: list[Callable[[str, Mapping[str, Any]], None]] = field(default_factory=list)
    _waiting: list[_Task] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _threads: list[threading.Thread] = field(default_factory=list)
    _ending: bool = False

    def __enter__(self) -> Self:
        for host in self.hosts:
            for _ in range(host.jobs):
                self._threads.append(threading.Thread(target=self._serve, args=(host,)))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End what is running, and wait for it."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def workers(self) -> tuple[Worker, ...]:
        return tuple(host.worker for host in self.hosts)

    def share(self, _name: str, content: bytes) -> bytes:
        return content

    def listen(self, _topic: str, hear: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._hearing.append(hear)

    def submit(self, _fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Have an order carried out; `args` are those of `supervisor.run_order`, in whose place the hosts work."""
        order, source = args
        task = _Task(order, source, options["key"], options["resources"], options.get("priority", 0.0), Future())
        with self._changed:
            self._waiting.append(task)
            self._waiting.sort(key=lambda one: -one.priority)
            self._changed.notify_all()
        return task.result

    def _serve(self, host: Host) -> None:
        while task := self._next(host):
            if task.result.set_running_or_notify_cancel():
                try:
                    task.result.set_result(self._supervisor(host, task).carry_out(task.order, task.source))
                except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
                    task.result.set_exception(error)

    def _next(self, host: Host) -> _Task | None:
        with self._changed:
            while not self._ending:
                for task in self._waiting:
                    if host.worker.fits(task.resources):
                        self._waiting.remove(task)
                        return task
                self._changed.wait()
            return None

    def _supervisor(self, host: Host, task: _Task) -> Supervisor:
        def tell(batch: Mapping[str, Any]) -> None:
            for hear in self._hearing:
                hear(task.key, batch)

        return Supervisor(lambda: not self._ending, tell, host.options, host.worker.name)


def addresses_in(docker_host: str) -> tuple[str, ...]:
    """The addresses of `docker-host`, of which there may be several, with commas between them."""
    return tuple(filter(None, (part.strip() for part in docker_host.split(","))))


def find_hosts(config: Config, listener: Listener) -> tuple[Host, ...]:
    """The Docker hosts that answer, and this machine for jobs without containers. Others are told to the listener."""
    found: list[Host] = []
    with ExitStack() as stack:
        for address in addresses_in(config.containers.docker_host):
            own = replace(config, containers=replace(config.containers, docker_host=address))
            facts = stack.enter_context(look_around(own, listener))
            if isinstance(facts.docker, DockerHost):
                found.append(_host(address, facts, own, _IN_CONTAINERS, {"docker_host": address}))
            else:
                listener(Note(f"{address} is left out: {facts.docker.message}"))
        none = replace(config, containers=replace(config.containers, docker_host="", container_host="namespace"))
        facts = stack.enter_context(look_around(none, listener))
        engines = frozenset(ENGINES) - _IN_CONTAINERS
        found.append(_host(THIS_MACHINE, facts, none, engines, {"container_host": "namespace"}))
    return tuple(found)


def _host(name: str, facts: Facts, config: Config, engines: Collection[str], options: Mapping[str, Any]) -> Host:
    machine = facts.docker if isinstance(facts.docker, DockerHost) else facts.host
    resources = resources_of(facts, config, machine, engines)
    return Host(Worker(name, name, resources), jobs_at_a_time(machine, config), options)
