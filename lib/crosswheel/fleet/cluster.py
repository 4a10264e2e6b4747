"""The workers of a dask.distributed scheduler as an executor (`concurrent.futures`) that survives lost connections."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from types import TracebackType
from typing import TYPE_CHECKING, Any

from crosswheel.errors import CannotRun, ClusterUnavailable
from crosswheel.fleet.addresses import SchedulerAddress
from crosswheel.fleet.plan import Worker
from crosswheel.fleet.pool import Hear
from crosswheel.fleet.probe import version_resource

if TYPE_CHECKING:
    import distributed
    from typing_extensions import Self

_CONNECT = 3.0  # seconds for the first connection
_LOOK = 1.0  # seconds between two looks at the connection
_OUTAGE = 300.0  # seconds for a scheduler to come back
_LONELY = 60.0  # seconds for a worker that fits to come back
_CANCELLED = (CancelledError, asyncio.CancelledError)
_BATCH = 16  # results that are fetched at a time
_DEATHS = 2  # of workers in one task, before it is given up


class LostWorkers(CannotRun):
    """A task whose workers died, or whose last worker left."""


@dataclass(eq=False)
class _Task:
    """A task that is not finished. `key` is dask's; every new attempt has another one."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    name: str
    resources: Mapping[str, float]
    priority: float
    result: Future[Any]
    attempt: int = 0
    running: Any = None
    place: str = ""
    deaths: list[str] = field(default_factory=list)
    lonely_since: float | None = None

    @property
    def key(self) -> str:
        return f"{self.name}-{self.attempt}" if self.attempt else self.name


@dataclass(eq=False)
class ClusterExecutor(Executor):
    """Runs importable functions with plain arguments on workers, each where its resources are.

    A context manager. The connection may break, and the scheduler may start anew: what was not finished is sent again.
    """

    address: SchedulerAddress
    outage: float = _OUTAGE
    lonely: float = _LONELY
    _hearing: dict[str, Hear] = field(default_factory=dict)
    _tasks: dict[str, _Task] = field(default_factory=dict)
    _by_key: dict[str, _Task] = field(default_factory=dict)
    _shared: dict[str, Any] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _ending: threading.Event = field(default_factory=threading.Event)
    _client: distributed.Client | None = None
    _threads: list[threading.Thread] = field(default_factory=list)
    _arrived: queue.SimpleQueue[tuple[_Task, Any] | None] = field(default_factory=queue.SimpleQueue)
    _silent_since: float | None = None

    # ---- connection -----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Connect. Raises ClusterUnavailable."""
        try:
            self._client = self._connect()
        except (OSError, ValueError) as error:
            raise ClusterUnavailable(
                f"no scheduler answers at {self.address.text}: {error}",
                hint="dask scheduler on that machine (docs/many-machines.md); or without --scheduler",
            ) from error
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._watch, self._gather)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown(cancel_futures=True)

    def _connect(self) -> distributed.Client:
        import distributed

        client: distributed.Client = distributed.Client(
            self.address.text,
            security=self.address.security("client"),
            timeout=_CONNECT,
            set_as_default=False,
            name="crosswheel",
        )
        client.subscribe_topic("all", self._on_change)
        for topic in self._hearing:
            client.subscribe_topic(topic, self._on_told)
        return client

    def check_scheduler(self) -> None:
        """Raise ClusterUnavailable if the scheduler has another version of dask; workers say theirs themselves."""
        assert self._client  # noqa: S101
        versions = self._client.sync(self._client.scheduler.versions, packages=[])
        theirs, ours = versions["packages"]["distributed"], version("distributed")
        if theirs != ours:
            raise ClusterUnavailable(
                f"the scheduler at {self.address.text} has distributed {theirs}, and this machine {ours}",
                hint=f'there: pip install "distributed=={ours}"',
            )

    def workers(self) -> tuple[Worker, ...]:
        """The workers that are there now."""
        assert self._client  # noqa: S101
        found: Mapping[str, Any] = self._client.scheduler_info()["workers"]
        return tuple(
            Worker(str(row.get("name") or address), address, row.get("resources") or {})
            for address, row in found.items()
        )

    # ---- executor -------------------------------------------------------------------------------------------------

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Send a function. `key`, `resources` and `priority` are dask's; a text from `share` stands for its value."""
        result: Future[Any] = Future()
        task = _Task(fn, args, options["key"], options.get("resources", {}), options.get("priority", 0.0), result)
        with self._lock:
            self._tasks[task.name] = task
            self._send(task)
        result.add_done_callback(lambda future: self._withdraw(task) if future.cancelled() else None)
        return result

    def listen(self, topic: str, hear: Hear) -> None:
        """Have `hear` called, in a thread, with what tasks tell under a topic."""
        self._hearing[topic] = hear
        if self._client:
            self._client.subscribe_topic(topic, self._on_told)

    def share(self, name: str, content: bytes) -> Shared:
        """Bytes for many tasks: workers fetch them from each other, later ones from the scheduler."""
        self._shared[name] = content
        return Shared(name)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Cancel what is not finished, and close the connection."""
        self._ending.set()
        with self._lock:
            left, self._tasks = list(self._tasks.values()), {}
        for task in left:
            task.result.cancel()
        self._arrived.put(None)
        if self._client:
            with suppress(Exception, *_CANCELLED):
                if running := [task.running for task in left if task.running]:
                    self._client.cancel(running)
        for thread in self._threads:
            thread.join(_CONNECT)  # one may wait for a scheduler that is gone
        if self._client:
            self._client.close()

    def _send(self, task: _Task) -> None:
        """Send a task to the scheduler; if that is gone, it is sent again later."""
        client = self._client
        if client is None or client.status != "running":
            return
        self._by_key[task.key] = task
        arguments = [self._sent(client, one) for one in task.arguments]
        future = client.submit(
            task.function,
            *arguments,
            key=task.key,
            resources=dict(task.resources) or None,
            priority=task.priority,
            pure=False,
        )
        task.running = future
        future.add_done_callback(lambda done: self._arrived.put((task, done)))

    def _sent(self, client: distributed.Client, argument: Any) -> Any:
        if not isinstance(argument, Shared):
            return argument
        # A task, not scattered data: the scheduler can have it computed again when its worker is gone.
        return client.submit(bytes, self._shared[argument.name], key=f"crosswheel-source-{argument.name}", pure=True)

    def _withdraw(self, task: _Task) -> None:
        with self._lock:
            self._forget(task)
        running, client = task.running, self._client
        if running and client and not self._ending.is_set():
            # Without waiting: thousands of tasks may be cancelled at once.
            client.loop.add_callback(client.cancel, [running], asynchronous=True)

    # ---- what happens to tasks ------------------------------------------------------------------------------------

    def _gather(self) -> None:
        """The thread that fetches results: several at a time, because each fetch asks the scheduler."""
        while first := self._arrived.get():
            batch = [first]
            with suppress(queue.Empty):
                while len(batch) < _BATCH:
                    if (more := self._arrived.get_nowait()) is None:
                        return
                    batch.append(more)
            self._take(batch)

    def _take(self, batch: Sequence[tuple[_Task, Any]]) -> None:
        """End the tasks of a batch; each future is one of dask's that has ended in some way."""
        current = [(task, done) for task, done in batch if done is task.running and not task.result.done()]
        finished = [(task, done) for task, done in current if done.status == "finished"]
        values: Sequence[Any] = ()
        if len(finished) > 1 and self._client:
            # One by one below, if the connection breaks or a worker has gone meanwhile.
            with suppress(Exception, *_CANCELLED):
                values = self._client.gather([done for _, done in finished])
        for (task, _), value in zip(finished, values, strict=False):
            self._end(task, value=value)
        for task, done in current:
            if not task.result.done():
                self._settle(task, done)

    def _settle(self, task: _Task, done: Any) -> None:
        """End a task, or send it again."""
        try:
            if done.status == "cancelled":
                raise CancelledError  # noqa: TRY301
            value = done.result()
        except _CANCELLED:
            task.running = None  # the connection was lost: the watcher sends it again
        except Exception as error:  # noqa: BLE001 - whatever dask raises for a task
            if type(error).__name__ == "KilledWorker":
                self._anew(task)  # dask also counts workers on which it only waited
            else:
                self._end(task, error=error)
        else:
            self._end(task, value=value)

    def _end(self, task: _Task, *, value: Any = None, error: BaseException | None = None) -> None:
        with self._lock:
            self._forget(task)
        task.running = None
        if not task.result.set_running_or_notify_cancel():
            return
        if error:
            task.result.set_exception(error)
        else:
            task.result.set_result(value)

    def _forget(self, task: _Task) -> None:
        self._tasks.pop(task.name, None)
        self._by_key.pop(task.key, None)

    def _anew(self, task: _Task) -> None:
        with self._lock:
            self._by_key.pop(task.key, None)
            task.attempt, task.place = task.attempt + 1, ""
            self._send(task)

    def _on_told(self, event: tuple[float, Mapping[str, Any]]) -> None:
        told = event[1]
        with self._lock:
            task = self._by_key.get(str(told.get("key")))
            if task and "started" in told:
                task.place = told["started"]
        if task:
            for hear in tuple(self._hearing.values()):
                hear(task.name, told)

    def _on_change(self, event: tuple[float, Any]) -> None:
        """In the client's own loop, which must not wait: note what a worker that has gone was running.

        dask sends that elsewhere, again and again; the watcher ends it.
        """
        told = event[1]
        if not isinstance(told, Mapping) or told.get("action") != "remove-worker" or told.get("expected"):
            return
        with self._lock:
            for task in self._tasks.values():
                if task.place == told["worker"]:
                    task.deaths.append(task.place)
                    task.place = ""

    def _give_up(self, task: _Task, why: str, hint: str) -> None:
        running, task.running = task.running, None
        if running and self._client:
            with suppress(Exception):
                self._client.cancel([running], asynchronous=False)
        self._end(task, error=LostWorkers(why, hint=hint))

    # ---- watching -------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._ending.wait(_LOOK):
            with suppress(Exception):  # a scheduler that goes away in the middle of it
                self._look()

    def _look(self) -> None:
        client = self._client
        if client is None or client.status != "running":
            self._look_for_scheduler(client)
            return
        self._silent_since = None
        with self._lock:
            lost = [task for task in self._tasks.values() if task.running is None]
            for task in lost:
                self._anew(task)
            doomed = [task for task in self._tasks.values() if len(task.deaths) >= _DEATHS]
            waiting = [task for task in self._tasks.values() if not task.place and task.resources]
        for task in doomed:
            self._give_up(
                task,
                f"{len(task.deaths)} workers died while they ran it: {', '.join(task.deaths)}",
                "the logs of these workers; more memory, or fewer jobs at a time: crosswheel worker --jobs 1",
            )
        if waiting:
            self._look_for_workers(waiting)

    def _look_for_scheduler(self, client: distributed.Client | None) -> None:
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        if now - self._silent_since > self.outage:
            with self._lock:
                left = list(self._tasks.values())
            for task in left:
                self._end(
                    task,
                    error=ClusterUnavailable(
                        f"the scheduler at {self.address.text} was gone for {self.outage:.0f} s",
                        hint="the same command again: what was built is in the journal",
                    ),
                )
            return
        if client is None or client.status == "closed":
            with suppress(OSError, ValueError):
                self._client = self._connect()

    def _look_for_workers(self, waiting: Iterable[_Task]) -> None:
        workers, now = self.workers(), time.monotonic()
        for task in waiting:
            if any(worker.fits(task.resources) for worker in workers):
                task.lonely_since = None
            elif task.lonely_since is None:
                task.lonely_since = now
            elif now - task.lonely_since > self.lonely:
                wanted = ", ".join(name for name in task.resources if name != version_resource())
                self._give_up(
                    task,
                    f"the last worker for it has left the cluster {self.lonely:.0f} s ago; it needs: {wanted}",
                    f"crosswheel worker {self.address.text} on such a machine; then the same command again",
                )


@dataclass(frozen=True)
class Shared:
    """The name of bytes that many tasks share."""

    name: str
