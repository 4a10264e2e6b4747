"""The order in which packages of a tree are built: a build waits for what its build environment needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter


def build_order(requires: Mapping[str, Collection[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every key of `requires` after the keys that it requires, and the names of one cycle, if there is one.

    Runtime requirements do not order builds. In a cycle, the first package by name goes first: an installer takes a
    published wheel of what it requires.
    """
    left = {name: {other for other in others if other != name} & requires.keys() for name, others in requires.items()}
    cycle: tuple[str, ...] = ()
    while found := _cycle(left):
        cycle = cycle or found
        left[min(found)] -= set(found)
    return tuple(_sorter(left).static_order()), cycle


def _cycle(requires: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The names of a cycle, each once; empty without one."""
    try:
        _sorter(requires).prepare()
    except CycleError as error:
        return tuple(dict.fromkeys(error.args[1]))
    return ()


def _sorter(requires: Mapping[str, Collection[str]]) -> TopologicalSorter[str]:
    return TopologicalSorter({name: sorted(requires[name]) for name in sorted(requires)})
