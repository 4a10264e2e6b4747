"""Real projects from the index, one or more per build backend, become wheels that are right for aarch64."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from builds import FIRST, PYTHONS, Build, Builder, marks_for, pythons_for
from crosswheel.formats.wheels import read_wheel
from crosswheel.model.targets import parse_target

pytestmark = pytest.mark.index


# What to build, and why it stands here.
COMPILED = {
    "kiwisolver==1.4.9": "setuptools, C++ with cppy",
    "markupsafe==3.0.3": "setuptools, C",
    "msgpack==1.1.2": "setuptools, Cython's C",
    "contourpy==1.3.3": "meson-python, pybind11",
    "levenshtein==0.27.1": "scikit-build-core, CMake, Cython and C++",
}
SOURCES = [pytest.param(source, marks=marks_for(source), id=source) for source in COMPILED]


@pytest.mark.parametrize("source", SOURCES)
def test_every_extension_is_what_its_name_says(built: Builder, source: str) -> None:
    build = built(source)
    assert build.code == 0, build.printed
    targets = [f"{python}-manylinux2014_aarch64" for python in pythons_for(source)]
    assert {job["target"]: job["status"] for job in build.report["jobs"]} == dict.fromkeys(targets, "built")
    for path in build.wheels:
        wheel = read_wheel(path)
        (target,) = (parse_target(text) for text in targets if wheel.tag.startswith(text.partition("-")[0]))
        assert wheel.tag == f"{target.python}-{target.python}-manylinux2014_aarch64.manylinux_2_17_aarch64"
        assert wheel.elves
        for member, elf in wheel.elves.items():
            assert member.endswith(target.ext_suffix)
            assert not isinstance(elf, Exception)
            assert (elf.machine, elf.bits, elf.byteorder) == ("EM_AARCH64", 64, "little")
            assert not elf.rpath
            assert not elf.runpath
            assert not [symbol.name for symbol in elf.undefined if symbol.name.startswith(("__ubsan", "__asan"))]


@pytest.mark.parametrize("source", SOURCES)
def test_auditwheel_finds_the_same_policy(built: Builder, source: str) -> None:
    for path in built(source).wheels:
        command = [sys.executable, "-m", "auditwheel", "show", "--json", str(path)]
        shown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        assert shown["overall_tag"] == "manylinux_2_17_aarch64"
        assert shown["external_libs"] == {} or set(shown["external_libs"]) <= {"libc.so.6"}


@pytest.mark.parametrize("source", ["packaging==25.0"])
def test_a_pure_project_is_built_once(built: Builder, source: str) -> None:
    build = built(source)
    assert build.code == 0
    assert [path.name for path in build.wheels] == ["packaging-25.0-py3-none-any.whl"]
    assert [job["status"] for job in build.report["jobs"]] == ["pure", "pure"]


@pytest.mark.slow
@pytest.mark.parametrize("source", ["pyyaml==6.0.3"])
def test_pyyaml_without_libyaml_is_named_and_kept_out(built: Builder, source: str) -> None:
    build = built(source)
    assert build.code == 9
    assert build.wheels == []
    for job in build.report["jobs"]:
        assert job["failure"]["kind"] == "AuditFailed"
        assert job["failure"]["message"].startswith("W601")
        assert "its extension is optional and was not compiled" in job["failure"]["message"]
    assert len(list((build.folder / "rejected").glob("*.whl"))) == len(PYTHONS)


@pytest.mark.parametrize("source", [FIRST])
def test_the_report_says_what_lies_there(built: Builder, source: str) -> None:
    build: Build = built(source)
    for job in build.report["jobs"]:
        wheel = job["wheel"]
        path = Path(build.folder, wheel["file"])
        assert (wheel["size"], wheel["sha256"]) == (path.stat().st_size, read_wheel(path).sha256)
        assert [step["step"] for step in job["steps"]] == ["build", "repair", "audit"]
