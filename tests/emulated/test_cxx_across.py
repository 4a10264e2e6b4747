"""C++ exceptions and types between shared objects, run under QEMU: what a build with gcc on the target answers."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from arm import EMULATOR, ArmPython
from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from crosswheel.model.job import deaf
from crosswheel.system.local_host import local_host
from crosswheel.toolchains.zig import ensure_zig
from debian import DebianUnavailable, unpacked

pytestmark = [pytest.mark.slow, pytest.mark.index, pytest.mark.emulator, pytest.mark.daily(1, of="C++ across")]

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


def importable(project: str, folder: Path, name: str = "") -> Path:
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
    folder = importable("cxx_beside", tmp_path)
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
    folders = [importable("cxx_pybind11", tmp_path, name) for name in ("left", "right")]
    names = [f"{name}_{number}" for name in ("left", "right") for number in ("one", "two")]
    translated = answer(arm_python, _TRANSLATED, *names, paths=folders)
    assert translated == {
        f"{one} {other}": ["ValueError", "KeyError", "ValueError"] for one in names for other in names
    }


def test_nanobind_translates_in_every_module(arm_python: ArmPython, tmp_path: Path) -> None:
    names = ["nano_one", "nano_two"]
    translated = answer(arm_python, _TRANSLATED, *names, paths=[importable("cxx_nanobind", tmp_path)])
    assert translated == {
        f"{one} {other}": ["ValueError", "KeyError", "ValueError"] for one in names for other in names
    }


# An "extension" without Python, which Debian has not got for musl.
_ASKS = """
#include <cstdio>

#include "shapes.h"

extern "C" void ask() {
  try {
    throw_standard();
  } catch (const std::invalid_argument& error) {
    std::puts(error.what());
  } catch (...) {
    std::puts("unknown");
  }
  std::puts(catch_hidden_square());
}
"""
_LOADS = """
#include <dlfcn.h>

int main(int count, char **words) {
  void *loaded = dlopen(words[1], RTLD_NOW | RTLD_LOCAL);
  if (!loaded) return 1;
  ((void (*)(void))dlsym(loaded, "ask"))();
  return 0;
}
"""


@pytest.mark.debian
def test_shared_objects_for_musl_have_the_same_types(debian_cache: Path, tmp_path: Path) -> None:
    emulator = shutil.which(EMULATOR)
    if emulator is None:
        pytest.skip(f"{EMULATOR} is not installed")
    try:
        root = unpacked("arm64", ("musl",), "bookworm", debian_cache)
    except DebianUnavailable as error:
        pytest.skip(f"no musl for arm64: {error}")
    for name in ("shapes.h", "shapes.cpp", "squares.cpp"):
        shutil.copy(PROJECTS / "cxx_beside" / name, tmp_path)
    (tmp_path / "asks.cpp").write_text(_ASKS)
    (tmp_path / "loads.c").write_text(_LOADS)
    host = local_host(offline=False, listener=deaf)
    zig = ensure_zig(host.index, host.cache, host.processes, deaf)
    environ = {"PATH": os.defpath, "ZIG_LIB_DIR": str(zig.library), "ZIG_GLOBAL_CACHE_DIR": str(zig.cache)}

    def compile_it(mode: str, *words: str) -> None:
        command = [str(zig.program), mode, "-target", "aarch64-linux-musl", "-g0", "-O3", "-fPIC", *words]
        subprocess.run(command, cwd=tmp_path, env={**environ, "HOME": str(tmp_path)}, check=True, timeout=1800)

    compile_it("c++", "-shared", "-s", "shapes.cpp", "squares.cpp", "-o", "libshapes.so")
    compile_it("c++", "-shared", "-s", "asks.cpp", "-o", "asks.so", "-L.", "-lshapes", "-Wl,-rpath,$ORIGIN")
    compile_it("cc", "-dynamic", "loads.c", "-o", "loads")
    command = [emulator, "-L", str(root), "./loads", "./asks.so"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines() == ["no radius", "told apart"]
