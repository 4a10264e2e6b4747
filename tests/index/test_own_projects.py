"""Projects that ask where they are, with the real engine: they must get the target's answer."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from crosswheel.formats.wheels import read_wheel
from crosswheel.index import sha256_of

pytestmark = pytest.mark.index

# No file of it is C before it is built: it looks as if there were nothing to compile.
_SETUP = """
import pathlib, platform
from setuptools import Extension, setup

extensions = []
if platform.machine() == "MACHINE":
    pathlib.Path("fast.txt").write_text("")
    source = pathlib.Path("fast" + "." + "c")
    source.write_text(
        "#include <Python.h>\\n"
        "static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, \\"fast\\"};\\n"
        "PyMODINIT_FUNC PyInit_fast(void) { return PyModuleDef_Init(&module); }\\n"
    )
    extensions = [Extension("fast", [str(source)])]
setup(name="asks", version="1.0", ext_modules=extensions, py_modules=["asks"])
"""


def build(folder: Path, machine: str) -> tuple[int, str, list[Path]]:
    (folder / "asks.py").write_text("")
    (folder / "setup.py").write_text(_SETUP.replace("MACHINE", machine))
    printed = io.StringIO()
    options = {"source": str(folder), "python": ["cp311"], **WITHOUT_CONTAINERS}
    code = run_verb("wheels", folder, options, printed)
    return code, printed.getvalue(), sorted((folder / "wheelhouse").glob("*.whl"))


def test_an_extension_for_the_target_only_is_not_missed(tmp_path: Path) -> None:
    code, printed, wheels = build(tmp_path, "aarch64")
    assert code == 0, printed
    (wheel,) = wheels
    assert list(read_wheel(wheel).elves) == ["fast.cpython-311-aarch64-linux-gnu.so"]


def test_a_release_finds_the_sdist_that_its_wheels_were_made_of(tmp_path: Path) -> None:
    build(tmp_path, "aarch64")
    folder = tmp_path / "wheelhouse"
    (sdist,) = folder.glob("*.tar.gz")
    report = json.loads((folder / "report.json").read_text())
    assert (sdist.name, sha256_of(sdist)) == ("asks-1.0.tar.gz", report["sdist"]["sha256"])


def test_an_extension_for_this_machine_only_is_not_made(tmp_path: Path) -> None:
    code, printed, wheels = build(tmp_path, "x86_64")
    assert code == 0, printed
    assert [wheel.name for wheel in wheels] == ["asks-1.0-py3-none-any.whl"]


def test_the_folder_of_wheels_is_no_package_of_the_next_build(tmp_path: Path) -> None:
    """setuptools finds packages of a flat project by itself, and gives up where there are two."""
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "__init__.py").write_text("")
    (tmp_path / "fast.c").write_text(_MODULE)
    (tmp_path / "setup.py").write_text(_FLAT)
    options = {"source": str(tmp_path), "python": ["cp311"], **WITHOUT_CONTAINERS}
    for _ in range(2):
        printed = io.StringIO()
        assert run_verb("wheels", tmp_path, options, printed) == 0, printed.getvalue()
        (wheel,) = (tmp_path / "wheelhouse").glob("*.whl")
        assert "wheelhouse" not in zipfile.ZipFile(wheel).read("flat-1.0.dist-info/top_level.txt").decode()


_FLAT = """\
from setuptools import Extension, setup

setup(name="flat", version="1.0", ext_modules=[Extension("flat.fast", ["fast.c"])])
"""
_MODULE = """\
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast"};
PyMODINIT_FUNC PyInit_fast(void) { return PyModuleDef_Init(&module); }
"""
