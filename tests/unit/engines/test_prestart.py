"""Containers that are started before anybody needs them: who gets them, and that none is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from crosswheel.engines.prestart import Prestart
from crosswheel.errors import ContainerLost

PATIENCE = 10  # seconds


@dataclass
class Dock:
    """Opens what stands for containers, by name; `open` has those that are."""

    open: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    @contextmanager
    def container(self, name: str, trouble: Exception | None = None) -> Iterator[Any]:
        if trouble:
            raise trouble
        self.open.append(name)
        try:
            yield Stand(name, self)
        finally:
            self.open.remove(name)


@dataclass(frozen=True)
class Stand:
    name: str
    dock: Dock

    @property
    def is_running(self) -> bool:
        return self.name not in self.dock.lost


def name_of(container: Any) -> str:
    return str(container.name)


@pytest.fixture
def dock() -> Dock:
    return Dock()


@pytest.fixture
def prestart() -> Iterator[Prestart]:
    made = Prestart()
    yield made
    made.end()


def test_it_is_given_to_who_asks_for_it_and_closed_after_that(prestart: Prestart, dock: Dock) -> None:
    prestart.start("next", dock.container("early"))
    with prestart.taken("next", dock.container("late")) as container:
        assert (name_of(container), dock.open) == ("early", ["early"])
    assert dock.open == []
    with prestart.taken("next", dock.container("late")) as container:
        assert (name_of(container), dock.open) == ("late", ["late"])
    assert dock.open == []


def test_nobody_waits_for_its_start_but_who_takes_it(prestart: Prestart, dock: Dock) -> None:
    may_start = threading.Event()

    @contextmanager
    def slow() -> Iterator[Any]:
        assert may_start.wait(PATIENCE)
        with dock.container("slow") as container:
            yield container

    prestart.start("next", slow())
    may_start.set()
    with prestart.taken("next", dock.container("late")) as container:
        assert name_of(container) == "slow"


def test_one_that_could_not_be_started_or_has_ended_is_replaced(prestart: Prestart, dock: Dock) -> None:
    prestart.start("failed", dock.container("early", ContainerLost("no")))
    with prestart.taken("failed", dock.container("late")) as container:
        assert name_of(container) == "late"
    dock.lost.add("ended")
    prestart.start("ended", dock.container("ended"))
    with prestart.taken("ended", dock.container("late")) as container:
        assert name_of(container) == "late"
    assert dock.open == []


def test_what_then_goes_wrong_is_told_to_who_needs_it(prestart: Prestart, dock: Dock) -> None:
    prestart.start("next", dock.container("early", ContainerLost("first")))
    with (
        pytest.raises(ContainerLost, match="second"),
        prestart.taken("next", dock.container("late", ContainerLost("second"))),
    ):
        pass


def test_it_is_started_once_for_all_who_expect_it(prestart: Prestart, dock: Dock) -> None:
    prestart.start("next", dock.container("first"))
    prestart.start("next", dock.container("second"))
    with prestart.taken("next", dock.container("late")) as container:
        assert (name_of(container), dock.open) == ("first", ["first"])


def test_what_has_been_asked_for_is_not_started_any_more(prestart: Prestart, dock: Dock) -> None:
    with prestart.taken("next", dock.container("own")):
        pass
    prestart.start("next", dock.container("too late"))
    with prestart.taken("next", dock.container("again")) as container:
        assert (name_of(container), dock.open) == ("again", ["again"])


def test_what_nobody_has_taken_is_closed_at_the_end(dock: Dock) -> None:
    prestart = Prestart()
    prestart.start("next", dock.container("unneeded"))
    prestart.start("failed", dock.container("failed", ContainerLost("no")))
    prestart.start("wrong", dock.container("wrong", ValueError("a fault of ours, and nobody met it")))
    prestart.end()
    assert dock.open == []
