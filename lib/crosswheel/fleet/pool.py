"""The seam between a run and its workers: an executor (`concurrent.futures`) that says what its workers can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeAlias

from crosswheel.fleet.plan import Worker

Hear: TypeAlias = Callable[[str, Mapping[str, Any]], None]
"""Hears of a task, by its key, what its worker tells."""


class Pool(Protocol):
    """Workers as an executor of `concurrent.futures`, and what they can do."""

    def workers(self) -> Sequence[Worker]: ...

    def share(self, name: str, content: bytes) -> object:
        """Stands for bytes as an argument of many tasks."""
        ...

    def listen(self, topic: str, hear: Hear) -> None:
        """Have `hear` called with what tasks tell under a topic, by the key of the task."""
        ...

    def submit(self, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """As `Executor.submit`, with `key`, `resources` and `priority`."""
        ...
