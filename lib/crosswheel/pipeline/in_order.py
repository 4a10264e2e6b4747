"""Carries out work in the order of what waits for what, as much at a time as there is room for."""

from __future__ import annotations

import queue
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from graphlib import TopologicalSorter
from typing import TypeVar

_Result = TypeVar("_Result")
_POLL = 0.2  # seconds between two checks for Ctrl-C


def carry_out(
    waits_for: Mapping[str, Collection[str]],
    work: Callable[[str, Mapping[str, _Result]], _Result],
    together: int,
    stop: Callable[[], None],
) -> dict[str, _Result]:
    """The results of `work` for each key of `waits_for`, which begins as soon as those that it waits for have ended.

    `work` gets the results so far. Of the keys that may begin, the one that most others wait for is first. `waits_for`
    has no cycles. An exception, and Ctrl-C, call `stop`, wait for what has begun, and are raised.
    """
    sorter = TopologicalSorter(waits_for)
    sorter.prepare()
    results: dict[str, _Result] = {}
    weight = _weights(waits_for)
    done: queue.SimpleQueue[tuple[str, Future[_Result]]] = queue.SimpleQueue()
    ready: list[str] = []
    running = 0
    with ThreadPoolExecutor(max_workers=together) as pool:
        try:
            while sorter.is_active():
                ready = sorted((*ready, *sorter.get_ready()), key=lambda name: (-weight[name], name))
                while ready and running < together:
                    name, running = ready.pop(0), running + 1
                    future = pool.submit(work, name, results)
                    future.add_done_callback(lambda ended, name=name: done.put((name, ended)))  # type: ignore[misc]
                # With a timeout: Ctrl-C may reach another thread, which does not wake this one.
                with suppress(queue.Empty):
                    name, future = done.get(timeout=_POLL)
                    results[name] = future.result()
                    running -= 1
                    sorter.done(name)
        except BaseException:
            # Leaving the pool waits for its threads, and these for their commands.
            stop()
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _weights(waits_for: Mapping[str, Collection[str]]) -> Mapping[str, int]:
    """How many wait for each key, at first or second hand."""
    waiting: dict[str, set[str]] = {name: set() for name in waits_for}
    for name in waits_for:
        for other in _all_before(name, waits_for):
            waiting[other].add(name)
    return {name: len(others) for name, others in waiting.items()}


def _all_before(name: str, waits_for: Mapping[str, Iterable[str]]) -> set[str]:
    found: set[str] = set()
    left = [*waits_for[name]]
    while left:
        other = left.pop()
        if other not in found:
            found.add(other)
            left += waits_for[other]
    return found
