"""The packages that a wheel becomes, by its tags and its metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.conda_packages.variants import Variant, unsuitable, variants
from crosswheel.errors import CheckFailed
from crosswheel.formats.wheels import Wheel, named_wheel, read_wheel
from crosswheel.testing import tiny_wheel

MACHINES = {
    "aarch64": ("linux-aarch64", "aarch64"),
    "x86_64": ("linux-64", "x86_64"),
    "i686": ("linux-32", "x86"),
    "ppc64le": ("linux-ppc64le", "ppc64le"),
    "s390x": ("linux-s390x", "s390x"),
    "armv7l": ("linux-armv7l", "armv7l"),
    "riscv64": ("linux-riscv64", "riscv64"),
}


def wheel(folder: Path, tag: str, *fields: str) -> Wheel:
    lines = ["Metadata-Version: 2.1", "Name: tiny", "Version: 1.0", *fields]
    metadata = {"tiny-1.0.dist-info/METADATA": "".join(f"{line}\n" for line in lines).encode()}
    return read_wheel(tiny_wheel(folder, tag=tag, members=metadata))


def only(found: tuple[Variant, ...]) -> Variant:
    (variant,) = found
    return variant


@pytest.mark.parametrize("arch", MACHINES)
def test_each_architecture_has_its_subdir(arch: str, tmp_path: Path) -> None:
    variant = only(variants(wheel(tmp_path, f"cp312-cp312-manylinux_2_31_{arch}")))
    assert (variant.subdir, variant.machine) == MACHINES[arch]
    assert "__glibc >=2.31,<3.0.a0" in variant.depends


@pytest.mark.parametrize(
    ("tag", "label", "depends"),
    [
        (
            "cp312-cp312-manylinux_2_28_aarch64",
            "py312",
            ["python >=3.12,<3.13.0a0", "python_abi 3.12.* *_cp312", "__glibc >=2.28,<3.0.a0"],
        ),
        (
            "cp314-cp314t-manylinux2014_aarch64.manylinux_2_17_aarch64.manylinux_2_28_aarch64",
            "py314t",
            ["python >=3.14,<3.15.0a0", "python_abi 3.14.* *_cp314t", "__glibc >=2.17,<3.0.a0"],
        ),
        (
            "cp38-abi3-manylinux_2_28_aarch64",
            "cp38_abi3",
            ["python >=3.8", "cpython >=3.8", "python-gil", "__glibc >=2.28,<3.0.a0"],
        ),
        (
            "cp315-abi3.abi3t-manylinux_2_28_aarch64",
            "cp315_abi3",
            ["python >=3.15", "cpython >=3.15", "__glibc >=2.28,<3.0.a0"],
        ),
        ("py3-none-manylinux_2_17_aarch64", "py", ["python", "__glibc >=2.17,<3.0.a0"]),
        ("py310-none-any", "py", ["python >=3.10"]),
        ("py2.py3-none-any", "py", ["python"]),
    ],
)
def test_tags_become_pins(tag: str, label: str, depends: list[str], tmp_path: Path) -> None:
    variant = only(variants(wheel(tmp_path, tag)))
    assert (variant.label, list(variant.depends)) == (label, depends)


def test_the_layout_is_that_of_noarch_python_where_more_than_one_cpython_is_served(tmp_path: Path) -> None:
    for tag in ("py3-none-any", "cp39-abi3-manylinux_2_28_aarch64", "py3-none-manylinux_2_28_aarch64"):
        assert only(variants(wheel(tmp_path, tag))).python is None
    assert str(only(variants(wheel(tmp_path, "cp313-cp313t-manylinux_2_28_aarch64"))).python) == "cp313t"


def test_a_wheel_for_two_architectures_is_two_packages(tmp_path: Path) -> None:
    found = variants(wheel(tmp_path, "py3-none-manylinux_2_17_x86_64.manylinux_2_28_aarch64"))
    assert {variant.subdir: variant.depends[-1] for variant in found} == {
        "linux-64": "__glibc >=2.17,<3.0.a0",
        "linux-aarch64": "__glibc >=2.28,<3.0.a0",
    }


def test_markers_of_one_cpython_are_decided(tmp_path: Path) -> None:
    needs = (
        "Requires-Dist: tomli>=2; python_version < '3.11'",
        "Requires-Dist: numpy>=1.26; platform_machine == 'aarch64'",
        "Requires-Dist: colorama; sys_platform == 'win32'",
        "Requires-Dist: pytest; extra == 'test'",
    )
    variant = only(variants(wheel(tmp_path, "cp312-cp312-manylinux_2_28_aarch64", *needs)))
    assert variant.depends[3:] == ("numpy >=1.26",)
    variant = only(variants(wheel(tmp_path, "cp310-cp310-manylinux_2_28_x86_64", *needs)))
    assert variant.depends[3:] == ("tomli >=2",)


def test_requirements_that_change_with_the_cpython_make_a_package_for_each_range(tmp_path: Path) -> None:
    needs = (
        "Requires-Python: >=3.9",
        "Requires-Dist: tomli; python_version < '3.11'",
        "Requires-Dist: numpy<2; python_version < '3.13'",
    )
    found = variants(wheel(tmp_path, "py3-none-any", *needs))
    assert [(variant.label, variant.depends) for variant in found] == [
        ("pyfrom39", ("python >=3.9,<3.11.0a0", "numpy <2a0", "tomli")),
        ("pyfrom311", ("python >=3.11,<3.13.0a0", "numpy <2a0")),
        ("pyfrom313", ("python >=3.13",)),
    ]


def test_requirements_that_change_with_the_machine_make_a_package_for_each(tmp_path: Path) -> None:
    need = "Requires-Dist: fast; platform_machine == 'x86_64'"
    found = variants(wheel(tmp_path, "py3-none-any", need))
    assert {variant.subdir for variant in found} == {subdir for subdir, _ in MACHINES.values()}
    assert {variant.subdir for variant in found if "fast" in variant.depends} == {"linux-64"}
    assert all(variant.python is None for variant in found)


def test_requirements_that_change_with_the_system_are_for_linux(tmp_path: Path) -> None:
    need = "Requires-Dist: colorama; sys_platform == 'win32'"
    assert only(variants(wheel(tmp_path, "py3-none-any", need))).depends == ("python", "__linux")


def test_names_are_those_of_conda_and_extras_are_told(tmp_path: Path) -> None:
    needs = ("Requires-Dist: torch>=2", "Requires-Dist: Requests[socks]~=2.31")
    requirements = only(variants(wheel(tmp_path, "py3-none-any", *needs))).requirements
    assert requirements.depends == ("pytorch >=2", "requests >=2.31,2.*")
    assert requirements.same_name == ("requests",)
    assert requirements.extras == ("Requests[socks]",)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (
            "cp312-cp312-musllinux_1_2_aarch64",
            "it is for musl (musllinux_1_2_aarch64), and conda packages run on glibc",
        ),
        ("cp312-cp312-macosx_11_0_arm64", "it is for macosx_11_0_arm64, and not for Linux"),
        ("cp312-cp312-win_amd64", "it is for win_amd64, and not for Linux"),
        (
            "pp311-pypy311_pp73-manylinux_2_28_aarch64",
            "it is for pp311-pypy311_pp73, and only wheels for CPython 3 become conda packages",
        ),
        ("py2-none-any", "it is for py2-none, and only wheels for CPython 3 become conda packages"),
    ],
)
def test_a_wheel_for_something_else_is_refused_in_words(tag: str, reason: str, tmp_path: Path) -> None:
    assert unsuitable(named_wheel(Path(f"tiny-1.0-{tag}.whl"))) == reason
    with pytest.raises(CheckFailed) as refused:
        variants(wheel(tmp_path, tag))
    assert refused.value.message == reason


def test_a_wheel_for_both_libcs_is_taken_for_glibc(tmp_path: Path) -> None:
    variant = only(variants(wheel(tmp_path, "py3-none-manylinux_2_17_aarch64.musllinux_1_1_aarch64")))
    assert variant.depends[-1] == "__glibc >=2.17,<3.0.a0"


@pytest.mark.parametrize(
    ("tag", "field", "reason"),
    [
        ("cp312-cp312-linux_aarch64", "Summary: x", "does not say which glibc it needs"),
        ("py3-none-any", "Requires-Dist: tiny @ https://example.org/t.whl", "cannot depend on an address"),
        ("py3-none-any", "Requires-Dist: a b c", "Requires-Dist: a b c is not valid"),
        ("py3-none-any", "Requires-Python: three", "its Requires-Python is not valid: three"),
        ("py3-none-any", "Requires-Python: >=4", "allows no known CPython"),
    ],
)
def test_metadata_that_conda_cannot_express_are_refused(tag: str, field: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed) as refused:
        variants(wheel(tmp_path, tag, field))
    assert reason in refused.value.message
