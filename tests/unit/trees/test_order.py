"""Which package is built first."""

from __future__ import annotations

from crosswheel.trees.order import build_order


def test_a_build_waits_for_what_its_environment_needs() -> None:
    requires = {"pandas": {"numpy", "cython"}, "numpy": {"meson-python"}, "lxml": set(), "app": {"pandas"}}
    order, cycle = build_order(requires)
    assert cycle == ()
    assert order.index("numpy") < order.index("pandas") < order.index("app")
    assert set(order) == set(requires)  # what is not built here does not wait


def test_a_cycle_is_named_and_broken() -> None:
    order, cycle = build_order({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"d", "c"}})
    assert set(cycle) == {"a", "b", "c"}
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order.index("c") < order.index("d")
    assert order.index("c") < order.index("b")  # only the first one by name does not wait
