"""Starts containers of the next jobs during other jobs, because starting one takes half a second."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from crosswheel.containers.host import Container
from crosswheel.errors import CrosswheelError


@dataclass
class Prestart:
    """The containers started early, shared by the job threads of a run; each is identified by a key and used once."""

    _pool: ThreadPoolExecutor = field(default_factory=ThreadPoolExecutor)
    _starting: dict[Hashable, Future[tuple[Container, ExitStack]]] = field(default_factory=dict)
    _asked_for: set[Hashable] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, key: Hashable, container: AbstractContextManager[Container]) -> None:
        """Begin to open a container in the background, unless the key was started before.

        Errors are ignored here; they appear when the job opens its own.
        """

        def begin() -> tuple[Container, ExitStack]:
            with ExitStack() as stack:
                return stack.enter_context(container), stack.pop_all()

        with self._lock:
            if key not in self._starting and key not in self._asked_for:
                self._starting[key] = self._pool.submit(begin)

    @contextmanager
    def taken(self, key: Hashable, otherwise: AbstractContextManager[Container]) -> Iterator[Container]:
        """The container started under that key, if it still runs, otherwise a new one; closed at the end."""
        with ExitStack() as stack:
            yield self._take(key, stack) or stack.enter_context(otherwise)

    def end(self) -> None:
        """Close unused containers, even after an interruption."""
        with self._lock:
            unneeded = list(self._starting.values())
            self._starting.clear()
        for starting in unneeded:
            starting.add_done_callback(_close)
        self._pool.shutdown()

    def _take(self, key: Hashable, stack: ExitStack) -> Container | None:
        with self._lock:
            self._asked_for.add(key)
            starting = self._starting.pop(key, None)
        if starting is None:
            return None
        with suppress(CrosswheelError, OSError):
            container, opened = starting.result()
            stack.push(opened)
            if container.is_running:
                return container
        return None


def _close(started: Future[tuple[Container, ExitStack]]) -> None:
    if not started.exception():
        _, opened = started.result()
        opened.close()
