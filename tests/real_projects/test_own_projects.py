"""Projects that ask where they are, with the real engine: they must get the target's answer."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from builds import WITHOUT_CONTAINERS
from crosswheel.commands import run_verb
from crosswheel.errors import NothingToDo
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import read_wheel
from crosswheel.model.job import deaf
from crosswheel.model.targets import parse_target
from crosswheel.system.hashes import sha256_of
from crosswheel.system.local_host import local_host
from crosswheel.toolchains.exe_wrapper import has_loader

pytestmark = [pytest.mark.slow, pytest.mark.index]

PROJECTS = Path(__file__).parents[1] / "projects"
TARGET = parse_target("cp311-manylinux2014_aarch64")

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


@pytest.mark.daily(3, of="own projects")
def test_an_extension_for_the_target_only_is_not_missed(tmp_path: Path) -> None:
    code, printed, wheels = build(tmp_path, "aarch64")
    assert code == 0, printed
    (wheel,) = wheels
    assert list(read_wheel(wheel).elves) == ["fast.cpython-311-aarch64-linux-gnu.so"]


@pytest.mark.daily(3, of="own projects")
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


@pytest.mark.daily(3, of="own projects")
def test_commands_answer_as_the_targets_do(tmp_path: Path) -> None:
    """A Makefile asks no interpreter; and the environment has nothing that sends a project down another path."""
    (tmp_path / "asking").mkdir()
    (tmp_path / "asking" / "__init__.py").touch()
    (tmp_path / "MANIFEST.in").write_text("include Makefile fast.c\n")
    (tmp_path / "Makefile").write_text(_MAKEFILE)
    (tmp_path / "setup.py").write_text(_ASKING)
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = ["setuptools", "pybind11"]\n')
    wheel = built(tmp_path)
    with zipfile.ZipFile(wheel) as archive:
        answers = json.loads(archive.read("asking/answers.json"))
        suffix = ".cpython-311-aarch64-linux-gnu.so"
        assert answers == {"uname": "aarch64", "arch": "aarch64", "suffix": suffix, "variables": []}
        assert {f"asking/made{suffix}", f"asking/helped{suffix}"} < set(archive.namelist())


@pytest.mark.daily(3, of="own projects")
def test_cmakes_find_python_takes_no_suffix_of_another_python(tmp_path: Path) -> None:
    shutil.copytree(PROJECTS / "asks_by_cmake", tmp_path, dirs_exist_ok=True)
    assert list(read_wheel(built(tmp_path)).elves) == ["asks_by_cmake.cpython-311-aarch64-linux-gnu.so"]


@pytest.mark.daily(3, of="own projects")
def test_meson_finds_numpy_and_pybind11_of_the_build_requirements(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git, which meson-python needs for an sdist")
    shutil.copytree(PROJECTS / "asks_by_meson", tmp_path, dirs_exist_ok=True)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=all"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True, timeout=60)
    suffix = "cpython-311-aarch64-linux-gnu.so"
    assert sorted(read_wheel(built(tmp_path)).elves) == [f"asks_numpy.{suffix}", f"asks_pybind11.{suffix}"]


def built(folder: Path) -> Path:
    printed = io.StringIO()
    options = {"source": str(folder), "python": ["cp311"], **WITHOUT_CONTAINERS}
    assert run_verb("wheels", folder, options, printed) == 0, printed.getvalue()
    (wheel,) = (folder / "wheelhouse").glob("*.whl")
    return wheel


_MAKEFILE = """\
all:
\tprintf '{"uname": "%s", "arch": "%s", "suffix": "%s", "variables": [%s]}' \\
\t  $$(uname -m) $$(arch) $$(python3-config --extension-suffix) "$${SETUPTOOLS_EXT_SUFFIX:+1}" > asking/answers.json
\t$(CC) -shared -fPIC $$(python3-config --includes) fast.c -o asking/made$$(python3-config --extension-suffix) \\
\t  $$(python3-config --ldflags)
"""
_ASKING = """\
import pathlib, subprocess
from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup
from setuptools.command.build_py import build_py

class Make(build_py):
    def run(self):
        subprocess.run(["make"], check=True)
        super().run()

pathlib.Path("fast.c").write_text("#include <Python.h>\\nPyMODINIT_FUNC PyInit_made(void) { return NULL; }\\n")
pathlib.Path("helped.cpp").write_text("#include <pybind11/pybind11.h>\\nPYBIND11_MODULE(helped, module) {}\\n")
setup(
    name="asking", version="1.0", packages=["asking"], package_data={"asking": ["*.json", "*.so"]},
    cmdclass={"build_py": Make}, ext_modules=[Pybind11Extension("asking.helped", ["helped.cpp"])],
)
"""


@pytest.mark.daily(3, of="own projects")
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


@pytest.mark.daily(3, of="own projects")
def test_an_optional_extension_that_was_not_compiled_is_named_everywhere(tmp_path: Path) -> None:
    project = shutil.copytree(PROJECTS / "optional", tmp_path / "optional")
    printed = io.StringIO()
    options = {"source": str(project), "python": ["cp311"], "arch": ["aarch64"], **WITHOUT_CONTAINERS}
    assert run_verb("wheels", project, options, printed) == 0, printed.getvalue()
    report = json.loads((project / "wheelhouse" / "report.json").read_text())
    (finding,) = report["jobs"][0]["findings"]
    assert (finding["rule"], finding["level"], finding["member"]) == ("W605", "warning", "faster")
    assert "warning W605" in printed.getvalue()
    audited = io.StringIO()
    assert run_verb("audit", project, {"wheels": [str(project / "wheelhouse")], "jobs": 1}, audited) == 0
    assert "warning W605" in audited.getvalue()


_CARGO = """
[package]
name = "rusty"
version = "1.0.0"
edition = "2021"
"""
_MATURIN = """
[build-system]
requires = ["maturin>=1,<2"]
build-backend = "maturin"
[project]
name = "rusty"
version = "1.0.0"
[tool.maturin]
bindings = "bin"
"""


def test_a_project_in_rust_says_at_once_what_its_wheel_needs(tmp_path: Path) -> None:
    rustup = shutil.which("rustup")
    if rustup is None:
        pytest.skip("this machine has no rustup")
    there = subprocess.run([rustup, "target", "list", "--installed"], capture_output=True, text=True, check=True)
    if "aarch64-unknown-linux-gnu" in there.stdout.split():
        pytest.skip("this machine's Rust has the target's standard library")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.rs").write_text("fn main() {}\n")
    (tmp_path / "Cargo.toml").write_text(_CARGO)
    (tmp_path / "pyproject.toml").write_text(_MATURIN)
    printed = io.StringIO()
    options = {"source": str(tmp_path), "python": ["cp311"], "arch": ["aarch64"], **WITHOUT_CONTAINERS}
    with pytest.raises(NothingToDo) as caught:
        run_verb("wheels", tmp_path, {**options, "download-rust": "never"}, printed)
    assert 'the project needs Rust (pyproject.toml: requires = ["maturin>=1,<2"])' in caught.value.message
    assert "is not installed" in caught.value.message
    assert caught.value.message.endswith("\n    try: rustup target add aarch64-unknown-linux-gnu")


_BY_PATH = """\
import subprocess
from setuptools import Extension, setup

subprocess.check_call(["/usr/bin/gcc", "-fPIC", "-c", "add.c", "-o", "add.o"])
with open("sniff.c", "w") as file:
    file.write("int main(void) { return 42; }")
subprocess.check_call(["/usr/bin/gcc", "sniff.c", "-o", "sniff"])
try:
    subprocess.call(["./sniff"])
except OSError:
    pass
setup(name="flat", version="1.0", ext_modules=[Extension("fast", ["fast.c"], extra_objects=["add.o"])])
"""


@pytest.mark.daily(3, of="own projects")
def test_a_compiler_by_its_path_is_the_targets_and_what_cannot_run_is_told(tmp_path: Path) -> None:
    if refusal := local_host(offline=False, listener=deaf).allowed.overlay:
        pytest.skip(str(refusal))
    calls = "int add(void);\n" + _MODULE.replace("return PyModuleDef", "add(); return PyModuleDef")
    (tmp_path / "fast.c").write_text(calls)
    (tmp_path / "add.c").write_text("int add(void) { return 3; }\n")
    (tmp_path / "MANIFEST.in").write_text("include add.c\n")
    (tmp_path / "setup.py").write_text(_BY_PATH)
    printed = io.StringIO()
    options = {"source": str(tmp_path), "python": ["cp311"], "arch": ["aarch64"]}
    assert run_verb("wheels", tmp_path, {**options, **WITHOUT_CONTAINERS}, printed) == 0, printed.getvalue()
    report = json.loads((tmp_path / "wheelhouse" / "report.json").read_text())
    told = [finding["member"] for finding in report["jobs"][0]["findings"] if finding["rule"] == "W607"]
    packaged = any(has_loader(root, TARGET) for root in (Path("/usr/aarch64-linux-gnu"), Path("/")))
    assert told == ([] if packaged else ["sniff"])


_PROBING = """\
import os
import subprocess
from setuptools import Extension, setup

def finds(source, *words):
    with open("probe.c", "w") as file:
        file.write(source)
    command = [os.environ.get("CC", "cc"), "probe.c", *words, "-o", "probe"]
    return not subprocess.call(command, stderr=subprocess.DEVNULL)

macros = [("ZLIB", "1")] if finds("#include <zlib.h>\\nint main(void) { return 0; }") else []
macros += [("Z", "1")] if finds("char inflate(); int main(void) { return inflate(); }", "-lz") else []
setup(name="flat", version="1.0", ext_modules=[Extension("fast", ["fast.c"], define_macros=macros)])
"""


@pytest.mark.daily(3)
def test_a_library_that_a_probe_finds_on_this_machine_alone_is_told(tmp_path: Path) -> None:
    here = {"zlib.h": Path("/usr/include/zlib.h"), "z": Path("/usr/lib/x86_64-linux-gnu/libz.so")}
    (tmp_path / "fast.c").write_text(_MODULE)
    (tmp_path / "setup.py").write_text(_PROBING)
    printed = io.StringIO()
    options = {"source": str(tmp_path), "python": ["cp311"], "arch": ["aarch64"]}
    assert run_verb("wheels", tmp_path, {**options, **WITHOUT_CONTAINERS}, printed) == 0, printed.getvalue()
    report = json.loads((tmp_path / "wheelhouse" / "report.json").read_text())
    told = [finding["member"] for finding in report["jobs"][0]["findings"] if finding["rule"] == "W608"]
    assert told == [name for name, path in here.items() if path.exists()]
    assert ("W608" in printed.getvalue()) == bool(told)


@pytest.mark.daily(3, of="own projects")
def test_compilers_under_other_names_and_the_assembler_are_the_targets(tmp_path: Path) -> None:
    project = shutil.copytree(PROJECTS / "by_other_names", tmp_path / "project")
    printed = io.StringIO()
    options = {"source": str(project), "python": ["cp311"], "arch": ["aarch64"]}
    code = run_verb("wheels", project, {**options, **WITHOUT_CONTAINERS}, printed)
    assert code == 0, printed.getvalue()
    (wheel,) = (project / "wheelhouse").glob("*.whl")
    (elf,) = read_wheel(wheel).elves.values()
    assert isinstance(elf, Elf)
    assert elf.machine == "EM_AARCH64"
    assert not {symbol.name for symbol in elf.undefined} & {"assembled", "preprocessed", "standard"}
