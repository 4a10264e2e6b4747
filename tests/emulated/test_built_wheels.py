"""Wheels of real projects, built here for aarch64, do there what they are for."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from arm import ArmPython
from crosswheel import commands

pytestmark = [pytest.mark.index, pytest.mark.emulator]

# In C and in C++: what to build, and the extension module that shows that it was compiled.
PROJECTS = [
    ("markupsafe==3.0.3", "markupsafe._speedups"),
    ("kiwisolver==1.4.9", "kiwisolver._cext"),
]


@pytest.mark.parametrize(("source", "extension"), PROJECTS, ids=[source for source, _ in PROJECTS])
def test_extensions_can_be_imported(arm_python: ArmPython, source: str, extension: str, tmp_path: Path) -> None:
    tags = sorted(map(str, arm_python.tags))
    options = {"source": source, "arch": ["aarch64"], "python": tags, "output": "wheelhouse"}
    printed = io.StringIO()
    assert commands.wheels(tmp_path, options, printed) == 0, printed.getvalue()
    wheels = sorted((tmp_path / "wheelhouse").glob("*.whl"))
    assert len(wheels) == len(tags)
    for wheel, tag in zip(wheels, arm_python.tags, strict=True):
        file = arm_python.import_wheel(wheel, [extension])[extension]
        assert file == f"{extension.replace('.', '/')}.cpython-3{tag.minor}-aarch64-linux-gnu.so"
