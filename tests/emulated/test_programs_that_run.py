"""Builds that run what they have just compiled, cross-compiled: they learn of the target, not of this machine."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from arm import ArmPython
from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from tiny_projects import PROJECTS

pytestmark = [pytest.mark.index, pytest.mark.emulator]


def built(project: str, arm_python: ArmPython, folder: Path) -> Path:
    """A folder with what the wheel has, importable on the target."""
    source = folder / "project"
    shutil.copytree(PROJECTS / project, source)
    # meson-python makes sdists of commits only.
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["/usr/bin/git", *command], cwd=source, check=True)
    (folder / "pyproject.toml").write_text(f'[tool.crosswheel]\nsysroot = {{ aarch64 = "{arm_python.roots[11]}" }}\n')
    printed = io.StringIO()
    options = {"source": str(source), "python": ["cp311"], "arch": ["aarch64"], **WITHOUT_CONTAINERS}
    code = run_verb("wheels", folder, options, printed)
    assert code == 0, printed.getvalue()
    (wheel,) = (folder / "wheelhouse").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


_LONG = (pytest.mark.slow, pytest.mark.daily(1))


@pytest.mark.parametrize(
    "project", [pytest.param("runs_by_meson", marks=_LONG), pytest.param("runs_by_cmake", marks=_LONG), "runs_by_make"]
)
def test_they_are_answered_by_the_target(arm_python: ArmPython, tmp_path: Path, project: str) -> None:
    if 11 not in arm_python.roots:
        pytest.skip(arm_python.missing[11])
    unpacked = built(project, arm_python, tmp_path)
    done = arm_python.run(11, f"import {project}; print({project}.answer())", paths=[unpacked])
    assert (done.returncode, done.stdout) == (0, "(0, 0)\n"), done.stderr
    if project == "runs_by_cmake":
        assert (unpacked / "described.py").read_text() == (
            "ANSWER = (0, 0)\nMACHINE = 'aarch64'\nSUFFIX = '.cpython-311-aarch64-linux-gnu.so'\n"
        )
