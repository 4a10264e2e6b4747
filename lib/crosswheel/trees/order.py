"""The order in which packages of a tree are built: a build waits for what its build environment and its test need."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter


@dataclass(frozen=True)
class BuildOrder:
    """What each package waits for, without cycles, and the names of one cycle that there was."""

    waits_for: Mapping[str, frozenset[str]]
    cycle: tuple[str, ...] = ()

    @property
    def one_by_one(self) -> tuple[str, ...]:
        """Every package after those that it waits for; otherwise by name."""
        return tuple(_sorter(self.waits_for).static_order())


def build_order(
    requires: Mapping[str, Collection[str]], tests: Mapping[str, Collection[str]] | None = None
) -> BuildOrder:
    """Every key of `requires` waits for the keys that it requires.

    In a cycle, the first package by name goes first: an installer takes a published wheel of what it requires. `tests`
    has what the tests of packages require: it orders builds where that makes no cycle.
    """
    left = _among(requires, requires)
    cycle: tuple[str, ...] = ()
    while found := _cycle(left):
        cycle = cycle or found
        left[min(found)] -= set(found)
    wished = {name: left[name] | others for name, others in _among(tests or {}, requires).items()}
    both = {**left, **wished}
    while found := _cycle(both):
        both |= {name: left[name] for name in found}
    return BuildOrder({name: frozenset(others) for name, others in both.items()}, cycle)


def _among(requires: Mapping[str, Collection[str]], names: Collection[str]) -> dict[str, set[str]]:
    """What each of the names requires of the others."""
    return {name: {other for other in requires.get(name, ()) if other in names} - {name} for name in names}


def _cycle(requires: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """The names of a cycle, each once; empty without one."""
    try:
        _sorter(requires).prepare()
    except CycleError as error:
        return tuple(dict.fromkeys(error.args[1]))
    return ()


def _sorter(requires: Mapping[str, Collection[str]]) -> TopologicalSorter[str]:
    return TopologicalSorter({name: sorted(requires[name]) for name in sorted(requires)})
