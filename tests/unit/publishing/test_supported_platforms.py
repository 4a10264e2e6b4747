"""Whom wheels reach, by their names."""

from __future__ import annotations

import pytest

from crosswheel.model.targets import parse_target
from crosswheel.publishing.supported_platforms import PythonPlatform, best_of, places_of, reaches

ARM = "manylinux_2_17_aarch64"


def name(tag: str, build: str = "") -> str:
    return f"tiny-1.0-{build}{tag}.whl"


@pytest.mark.parametrize(
    ("tags", "target", "best"),
    [
        ([f"cp313-cp313-{ARM}", f"cp312-cp312-{ARM}"], "cp313-manylinux2014_aarch64", f"cp313-cp313-{ARM}"),
        ([f"cp311-abi3-{ARM}", f"cp313-cp313-{ARM}"], "cp313-manylinux2014_aarch64", f"cp313-cp313-{ARM}"),
        ([f"cp311-abi3-{ARM}"], "cp313-manylinux2014_aarch64", f"cp311-abi3-{ARM}"),
        ([f"cp311-abi3-{ARM}"], "cp313t-manylinux2014_aarch64", ""),
        (["cp313-cp313-manylinux_2_28_aarch64"], "cp313-manylinux2014_aarch64", ""),
        ([f"cp313-cp313-{ARM}"], "cp313-manylinux_2_28_aarch64", f"cp313-cp313-{ARM}"),
        (["cp313-cp313-musllinux_1_2_aarch64"], "cp313-manylinux2014_aarch64", ""),
        ([f"cp313-cp313-{ARM}", "py3-none-any"], "cp313-manylinux2014_x86_64", "py3-none-any"),
    ],
)
def test_the_wheel_that_pip_would_take(tags: list[str], target: str, best: str) -> None:
    expected = name(best) if best else ""
    assert best_of([*map(name, tags), "tiny-1.0.tar.gz"], parse_target(target)) == expected


def test_of_two_builds_the_later_one() -> None:
    tag = f"cp313-cp313-{ARM}"
    names = [name(tag, "2-"), name(tag, "10-"), name(tag)]
    assert best_of(names, parse_target("cp313-manylinux2014_aarch64")) == names[1]


def test_places_are_those_of_the_oldest_policy() -> None:
    assert places_of(name("cp313-cp313-manylinux2014_aarch64.manylinux_2_17_aarch64.manylinux_2_28_aarch64")) == {
        PythonPlatform("cp313", "manylinux2014_aarch64")
    }
    assert places_of(name("cp313-cp313-macosx_11_0_arm64")) == {PythonPlatform("cp313", "macosx_arm64")}
    assert places_of(name("pp310-pypy310_pp73-win_amd64")) == {PythonPlatform("pp310", "win_amd64")}
    assert places_of("tiny-1.0.tar.gz") == frozenset()


def test_the_stable_abi_reaches_every_python_after_it() -> None:
    pythons = {place.python for place in places_of(name(f"cp312-abi3-{ARM}"))}
    assert {"cp312", "cp313", "cp314"} <= pythons
    assert not pythons & {"cp311", "cp313t"}


@pytest.mark.parametrize(
    ("tag", "place", "there"),
    [
        (f"cp313-cp313-{ARM}", PythonPlatform("cp313", "manylinux_2_28_aarch64"), True),
        ("cp313-cp313-manylinux_2_28_aarch64", PythonPlatform("cp313", "manylinux2014_aarch64"), False),
        ("cp313-cp313-manylinux_2_17_x86_64", PythonPlatform("cp313", "manylinux2014_aarch64"), False),
        (f"cp39-abi3-{ARM}", PythonPlatform("cp313", "manylinux2014_aarch64"), True),
        ("py3-none-any", PythonPlatform("cp313", "win_amd64"), True),
        ("cp313-cp313-macosx_11_0_universal2", PythonPlatform("cp313", "macosx_arm64"), True),
        ("cp313-cp313-macosx_11_0_x86_64", PythonPlatform("cp313", "macosx_arm64"), False),
        ("pp310-pypy310_pp73-win_amd64", PythonPlatform("pp310", "win_amd64"), True),
    ],
)
def test_who_is_reached(tag: str, place: PythonPlatform, there: bool) -> None:
    assert reaches(name(tag), place) is there


@pytest.mark.parametrize(
    ("python", "requires", "allowed"),
    [("cp38", ">=3.9", False), ("cp39", ">=3.9", True), ("cp39", ">=3.9.2", True), ("cp313t", "", True),
     ("pp39", ">=3.10", False), ("cp38", "nonsense", True)],
)  # fmt: skip
def test_pythons_that_a_project_gave_up(python: str, requires: str, allowed: bool) -> None:
    assert PythonPlatform(python, "manylinux2014_aarch64").is_allowed(requires) is allowed
