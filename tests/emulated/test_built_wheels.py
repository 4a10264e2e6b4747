"""Wheels of real projects, built here for aarch64, can be imported there."""

from __future__ import annotations

import pytest

from arm import ArmPython
from builds import Builder, marks_for, pythons_for

pytestmark = [pytest.mark.index, pytest.mark.emulator]

# What to build, the extension module that shows that it was compiled, and what it needs beside it.
PROJECTS = [
    ("kiwisolver==1.4.9", "kiwisolver._cext", ()),
    ("markupsafe==3.0.3", "markupsafe._speedups", ()),
    ("msgpack==1.1.2", "msgpack._cmsgpack", ()),
    ("contourpy==1.3.3", "contourpy._contourpy", ("numpy==2.3.4",)),
    ("levenshtein==0.27.1", "Levenshtein.levenshtein_cpp", ("rapidfuzz==3.14.3",)),
]
CASES = [pytest.param(*row, marks=marks_for(row[0]), id=row[0]) for row in PROJECTS]


@pytest.mark.parametrize(("source", "extension", "needs"), CASES)
def test_extensions_can_be_imported(
    arm_python: ArmPython, built: Builder, source: str, extension: str, needs: tuple[str, ...]
) -> None:
    wheels = built(source).wheels
    tags = [tag for tag in arm_python.tags if str(tag) in pythons_for(source)]
    assert len(wheels) == len(tags)
    for wheel, tag in zip(wheels, tags, strict=True):
        beside = [arm_python.package(need, tag.minor) for need in needs]
        file = arm_python.import_wheel(wheel, [extension], python_minor=tag.minor, beside=beside)[extension]
        assert file == f"{extension.replace('.', '/')}.cpython-3{tag.minor}-aarch64-linux-gnu.so"
