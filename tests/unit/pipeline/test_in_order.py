"""Work that waits for other work."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import pytest

from crosswheel.pipeline.in_order import carry_out


def test_what_needs_nothing_of_each_other_goes_on_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)

    def work(name: str, so_far: Mapping[str, str]) -> str:
        if name in {"a", "b"}:
            both.wait()
        return f"{name} after {sorted(so_far)}"

    results = carry_out({"a": (), "b": (), "c": ("a", "b")}, work, 2, lambda: None)
    assert results["c"] == "c after ['a', 'b']"


def test_what_most_others_wait_for_begins_first() -> None:
    begun: list[str] = []

    def work(name: str, _so_far: Mapping[str, None]) -> None:
        begun.append(name)

    carry_out({"alone": (), "base": (), "middle": ("base",), "top": ("middle",)}, work, 1, lambda: None)
    assert begun == ["base", "middle", "alone", "top"]


def test_an_exception_stops_what_has_begun() -> None:
    stopped = threading.Event()

    def work(name: str, _so_far: Mapping[str, None]) -> None:
        if name == "bad":
            raise KeyboardInterrupt
        assert stopped.wait(10)

    with pytest.raises(KeyboardInterrupt):
        carry_out({"bad": (), "long": (), "later": ("long",)}, work, 2, stopped.set)
    assert stopped.is_set()
