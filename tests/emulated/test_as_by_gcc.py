"""A project that counts on what gcc takes without a word becomes what gcc would make of it."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from arm import ArmPython
from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from tiny_projects import PROJECTS

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.emulator]

_CODE = """
import json
import as_by_gcc as made
values = {name: value for name, value in vars(made).items() if not name.startswith("_") and name != "answer"}
print(json.dumps({**values, "answer": made.answer()}))
"""


@pytest.mark.daily(1)
@pytest.mark.parametrize("debug_info", [False, True])
def test_the_compiler_makes_of_it_what_gcc_does(arm_python: ArmPython, tmp_path: Path, debug_info: bool) -> None:
    folder = tmp_path / "project"
    shutil.copytree(PROJECTS / "as_by_gcc", folder)
    (folder / "pyproject.toml").write_text(f"[tool.crosswheel]\ndebug-info = {str(debug_info).lower()}\n")
    printed = io.StringIO()
    options = {"source": str(folder), "python": ["cp311"], "arch": ["aarch64"]}
    code = run_verb("wheels", folder, {**options, **WITHOUT_CONTAINERS, "fresh": False}, printed)
    assert code == 0, printed.getvalue()
    (wheel,) = (folder / "wheelhouse").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
    done = arm_python.run(11, _CODE, paths=[tmp_path / "unpacked"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "from_settings": 7,
        "include_level": 0,
        "base_file": "as_by_gcc.c",
        "file": "as_by_gcc.c",
        "has_semtimedop": 1,
        "has_nonsense": 0,
        "answer": 42,
    }
