"""Which package is built first."""

from __future__ import annotations

from crosswheel.trees.order import build_order


def test_a_build_waits_for_what_its_environment_needs() -> None:
    requires = {"pandas": {"numpy", "cython"}, "numpy": {"meson-python"}, "lxml": set(), "app": {"pandas"}}
    found = build_order(requires)
    assert found.cycle == ()
    assert found.waits_for["pandas"] == {"numpy"}
    order = found.one_by_one
    assert order.index("numpy") < order.index("pandas") < order.index("app")
    assert set(order) == set(requires)  # what is not built here does not wait


def test_a_cycle_is_named_and_broken() -> None:
    found = build_order({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"d", "c"}})
    assert set(found.cycle) == {"a", "b", "c"}
    order = found.one_by_one
    assert sorted(order) == ["a", "b", "c", "d"]
    assert order.index("c") < order.index("d")
    assert order.index("c") < order.index("b")  # only the first one by name does not wait


def test_what_tests_need_goes_first_where_it_can() -> None:
    builds: dict[str, list[str]] = {"a": [], "b": ["a"], "c": []}
    assert build_order(builds, {"c": ["b", "elsewhere"]}).one_by_one == ("a", "b", "c")
    assert build_order(builds, {"a": ["c"]}).one_by_one == ("c", "a", "b")
    found = build_order(builds, {"a": ["b"], "c": ["a"]})
    assert (found.one_by_one, found.cycle) == (("a", "b", "c"), ())
