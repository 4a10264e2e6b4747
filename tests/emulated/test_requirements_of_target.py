"""Libraries and headers of build requirements are the target's, although this machine's are imported by the build."""

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

_CODE = "import links_shared, links_static; print(links_shared.answer(), links_static.answer())"


def test_extensions_are_linked_with_them(arm_python: ArmPython, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(PROJECTS / "links_requirements", folder)
    printed = io.StringIO()
    options = {"source": str(folder), "python": ["cp311"], "arch": ["aarch64"]}
    code = run_verb("wheels", folder, {**options, **WITHOUT_CONTAINERS}, printed)
    assert code == 0, printed.getvalue()
    (wheel,) = (folder / "wheelhouse").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "unpacked")
        (described,) = (json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".cdx.json"))
    done = arm_python.run(11, _CODE, paths=[tmp_path / "unpacked"])
    assert (done.returncode, done.stdout) == (0, "(32.0, 'ARMV8') 42\n"), done.stderr
    # Also the Fortran runtime that OpenBLAS brings.
    assert {component["purl"] for component in described["components"]} == {"pkg:pypi/scipy-openblas32@0.3.29.0.0"}
