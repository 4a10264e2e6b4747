"""C++ exceptions and types between shared objects, run under QEMU: what a build with gcc on the target answers."""

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

pytestmark = [pytest.mark.index, pytest.mark.emulator]

PROJECTS = Path(__file__).parents[1] / "projects"

_TRANSLATED = """
import importlib, json, sys

def raised(function, *arguments):
    try:
        function(*arguments)
    except BaseException as error:
        return type(error).__name__

modules = [importlib.import_module(name) for name in sys.argv[1:]]
print(json.dumps({
    f"{one.__name__} {other.__name__}": [raised(one.standard), raised(one.python), raised(one.through, other.standard)]
    for one in modules for other in modules
}))
"""


def unpacked(project: str, folder: Path, name: str = "") -> Path:
    """A folder with what its wheel has, importable; `name` is written for PROJECT."""
    source = folder / f"{project}{name}-project"
    shutil.copytree(PROJECTS / project, source)
    pyproject = source / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace("PROJECT", name))
    printed = io.StringIO()
    code = run_verb("wheels", source, {"source": str(source), "python": ["cp311"], **WITHOUT_CONTAINERS}, printed)
    assert code == 0, printed.getvalue()
    (wheel,) = (source / "wheelhouse").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / f"{project}{name}")
    return folder / f"{project}{name}"


def answer(arm_python: ArmPython, code: str, *arguments: str, paths: list[Path]) -> object:
    done = arm_python.run(11, code, *arguments, paths=paths)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_extension_and_a_library_beside_it_have_the_same_types(arm_python: ArmPython, tmp_path: Path) -> None:
    folder = unpacked("cxx_beside", tmp_path)
    code = "import json; from cxx_beside.asks import answers; print(json.dumps(answers()))"
    assert answer(arm_python, code, paths=[folder]) == {
        "standard": "invalid_argument",
        "own": "ShapeError",
        "template": "Shape",
        "number": "int",
        "text": "text",
        "hidden": "told apart",
        "casts": True,
        "holds": True,
        "equal": True,
    }


def test_pybind11_translates_in_every_module_of_two_wheels(arm_python: ArmPython, tmp_path: Path) -> None:
    folders = [unpacked("cxx_pybind11", tmp_path, name) for name in ("left", "right")]
    names = [f"{name}_{number}" for name in ("left", "right") for number in ("one", "two")]
    translated = answer(arm_python, _TRANSLATED, *names, paths=folders)
    assert translated == {
        f"{one} {other}": ["ValueError", "KeyError", "ValueError"] for one in names for other in names
    }


def test_nanobind_translates_in_every_module(arm_python: ArmPython, tmp_path: Path) -> None:
    names = ["nano_one", "nano_two"]
    translated = answer(arm_python, _TRANSLATED, *names, paths=[unpacked("cxx_nanobind", tmp_path)])
    assert translated == {
        f"{one} {other}": ["ValueError", "KeyError", "ValueError"] for one in names for other in names
    }
