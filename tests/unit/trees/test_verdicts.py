"""Verdicts on the packages of a lock, without an index."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.pylock import Pylock

from crosswheel.model.targets import parse_target
from crosswheel.trees.cells import cell_of
from crosswheel.trees.judging import judge
from crosswheel.trees.verdicts import Verdict

ARM = cell_of(parse_target("cp312-manylinux_2_34_aarch64"))
OLD_ARM = cell_of(parse_target("cp312-manylinux2014_aarch64"))
MUSL = cell_of(parse_target("cp312-musllinux_1_2_aarch64"))
OLDER = cell_of(parse_target("cp310-manylinux_2_34_aarch64"))
HASHES = {"sha256": "0" * 64}


def file(name: str) -> dict[str, Any]:
    return {"url": f"https://files.example/{name}", "hashes": HASHES}


def lock(*packages: dict[str, Any]) -> Pylock:
    return Pylock.from_dict({"lock-version": "1.0", "created-by": "test", "packages": list(packages)})


def package(
    name: str, *wheels: str, sdist: bool = True, version: str = "1.0", requires: str = "", marker: str = ""
) -> dict[str, Any]:
    files: dict[str, Any] = {"wheels": [file(f"{name}-{version}-{tag}.whl") for tag in wheels]} if wheels else {}
    if sdist:
        files["sdist"] = file(f"{name}-{version}.tar.gz")
    told = {"requires-python": requires, "marker": marker}
    return {"name": name, "version": version, **files, **{key: text for key, text in told.items() if text}}


def states(found: tuple[Verdict, ...]) -> list[tuple[str, str, str]]:
    return [(verdict.name, str(verdict.cell), verdict.state) for verdict in found]


@pytest.mark.parametrize(
    ("tags", "sdist", "state"),
    [
        (("cp312-cp312-manylinux_2_28_aarch64",), True, "wheel"),
        (("cp312-cp312-manylinux_2_28_x86_64", "py3-none-any"), True, "pure"),
        (("cp39-abi3-manylinux2014_aarch64",), True, "wheel"),
        (("cp312-cp312-manylinux_2_39_aarch64",), True, "to build"),  # needs a newer glibc
        (("cp312-cp312-manylinux_2_28_x86_64",), True, "to build"),
        (("cp312-cp312-manylinux_2_28_x86_64",), False, "impossible"),
        ((), True, "to build"),
    ],
)
def test_a_package_is_a_wheel_pure_to_build_or_impossible(tags: tuple[str, ...], sdist: bool, state: str) -> None:
    (found,) = judge(lock(package("tiny", *tags, sdist=sdist)), [ARM])
    assert found.state == state
    assert found.is_missing == (state in {"to build", "impossible"})


def test_the_c_library_of_the_cell_counts() -> None:
    tree = lock(package("tiny", "cp312-cp312-manylinux_2_28_aarch64"))
    assert states(judge(tree, [ARM, OLD_ARM, MUSL])) == [
        ("tiny", str(ARM), "wheel"),
        ("tiny", str(OLD_ARM), "to build"),
        ("tiny", str(MUSL), "to build"),
    ]


def test_markers_choose_packages_and_versions_by_cell() -> None:
    tree = lock(
        package("old", "py3-none-any", marker="python_version < '3.12'"),
        package("arm", "py3-none-any", marker="platform_machine == 'aarch64'"),
        package("intel", "py3-none-any", marker="platform_machine == 'x86_64'"),
        package("windows", "py3-none-any", marker="sys_platform == 'win32'"),
        package("patched", "py3-none-any", marker="python_full_version >= '3.12.4'"),
    )
    assert [verdict.name for verdict in judge(tree, [ARM])] == ["arm", "patched"]
    assert [verdict.name for verdict in judge(tree, [OLDER])] == ["old", "arm"]


def test_one_impossible_package_hides_none_of_the_others() -> None:
    tree = lock(
        package("first", "py3-none-any"),
        package("second", "cp312-cp312-win_amd64", sdist=False),
        package("third", "py3-none-any", requires=">=3.13"),
        package("fourth"),
    )
    found = judge(tree, [ARM])
    assert [verdict.state for verdict in found] == ["pure", "impossible", "impossible", "to build"]
    assert found[1].reason == "it has no sdist, and no wheel for this platform"
    assert found[2].reason == "it requires Python >=3.13"


@pytest.mark.parametrize(
    ("source", "state", "what"),
    [
        ({"vcs": {"type": "git", "url": "https://example/x.git", "commit-id": "0" * 40}}, "to build", "git+https://"),
        ({"directory": {"path": "vendored/x"}}, "to build", "vendored/x"),
        ({"archive": file("x-1.0.tar.gz")}, "to build", "x-1.0.tar.gz"),
        ({"archive": file("x-1.0-cp312-cp312-manylinux_2_28_aarch64.whl")}, "wheel", "manylinux_2_28_aarch64.whl"),
        ({"archive": file("x-1.0-py3-none-any.whl")}, "pure", "x-1.0-py3-none-any.whl"),
        ({"archive": file("x-1.0-cp312-cp312-manylinux_2_28_x86_64.whl")}, "impossible", "for another platform"),
        ({"archive": file("nonsense.whl")}, "impossible", "not the name of a wheel"),
    ],
)
def test_other_sources_are_named(source: dict[str, Any], state: str, what: str) -> None:
    (found,) = judge(lock({"name": "x", **source}), [ARM])
    assert found.state == state
    assert what in found.file + found.reason
