"""The flags with which the target's CPython has extensions compiled."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crosswheel.model.targets import PythonTag, Target, parse_platform
from crosswheel.toolchains.description import Layout, derive

COMPILERS = {"CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib"}
LEAF = "-mno-omit-leaf-frame-pointer"


def flags(minor: int, platform: str, folder: Path) -> dict[str, list[str]]:
    """The flags by the name of their variable."""
    headers = folder / "headers"
    headers.mkdir()
    (headers / "Python.h").touch()
    (headers / "pyconfig.h").write_text("#define SIZEOF_LONG 8\n")
    policy, arch = parse_platform(platform)
    layout = Layout(headers, headers, folder, "")
    made = derive(Target(PythonTag(minor), arch, policy), layout, headers, COMPILERS, folder / "made")
    told = json.loads(made.path.read_text())["vars"]
    return {name: told[name].split() for name in ("BASECFLAGS", "CFLAGS", "PY_CFLAGS")}


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        ("manylinux_2_28_aarch64", {"-fno-omit-frame-pointer", LEAF}),
        ("musllinux_1_2_x86_64", {"-fno-omit-frame-pointer", LEAF}),
        ("manylinux_2_31_armv7l", {"-fno-omit-frame-pointer", "-marm"}),
        ("manylinux_2_39_riscv64", {"-fno-omit-frame-pointer"}),
        ("manylinux_2_28_s390x", {"-mbackchain"}),
    ],
)
def test_since_3_15_the_stack_can_be_walked(platform: str, expected: set[str], tmp_path: Path) -> None:
    found = flags(15, platform, tmp_path)
    usual = {"-fno-strict-overflow", "-Wsign-compare"}
    assert set(found["BASECFLAGS"]) == usual | expected
    assert found["CFLAGS"] == found["PY_CFLAGS"] == [*found["BASECFLAGS"], "-DNDEBUG", "-O3", "-Wall"]


def test_before_3_15_frame_pointers_are_the_compilers_own_choice(tmp_path: Path) -> None:
    assert flags(14, "manylinux_2_28_aarch64", tmp_path)["BASECFLAGS"] == ["-fno-strict-overflow", "-Wsign-compare"]
