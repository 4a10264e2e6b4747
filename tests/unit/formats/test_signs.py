"""What a source's build files say of the compilers that it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.formats.signs import compiles_nothing, needs_in, needs_of_folder
from crosswheel.model.job import Need
from crosswheel.model.targets import load_table

_SURE = {
    "maturin": ("rust", "pyproject.toml", '[build-system]\nrequires = [\n  "maturin>=1.7,<2",\n]\n'),
    "setuptools-rust": ("rust", "pyproject.toml", '[[tool.setuptools-rust.ext-modules]]\ntarget = "a.b"\n'),
    "RustExtension": ("rust", "setup.py", 'setup(rust_extensions=[RustExtension("a.b")])\n'),
    "Meson's project": ("fortran", "meson.build", "project('x',\n  'c', 'fortran',\n  version: '1')\n"),
    "Meson, later": ("fortran", "x/meson.build", "add_languages('fortran', native: false)\n"),
    "CMake's project": ("fortran", "CMakeLists.txt", "project(x\n  VERSION 1.0\n  LANGUAGES C Fortran)\n"),
    "CMake, later": ("fortran", "CMakeLists.txt", "enable_language(Fortran)\n"),
    "nanobind's stubs": ("interpreter", "CMakeLists.txt", "nanobind_add_stub(\n  stubs\n  MODULE _core\n)\n"),
    "make check": (
        "program",
        "setup.py",
        'subprocess.check_call(\n    [make_command, "check"] + make_args, cwd=temp)\n',
    ),
    "CMake's generator": (
        "program",
        "CMakeLists.txt",
        "add_executable(gen gen.c)\nadd_custom_command(\n  OUTPUT ${D}/a.h\n  COMMAND gen ${D}/a.h\n  DEPENDS gen)\n",
    ),
    "CMake's generator by its file": (
        "program",
        "CMakeLists.txt",
        (
            "ADD_EXECUTABLE( make-tables EXCLUDE_FROM_ALL t.c )\nx()\n"
            "add_custom_command(OUTPUT t.h COMMAND $<TARGET_FILE:make-tables> > t.h)\n"
        ),
    ),
    "Meson's generator": (
        "program",
        "src/meson.build",
        (
            "gen = executable('gen', files('gen.c'))\nx = 1\n"
            "h = custom_target('h',\n  input: files('a.in'),\n  output: 'a.h',\n  command: [gen, '@OUTPUT@'])\n"
        ),
    ),
    "Meson's generator()": ("program", "meson.build", "e = executable('e', 'e.c')\ng = generator(e, output: 'a')\n"),
    "CMake's OpenMP": ("openmp", "CMakeLists.txt", "find_package(OpenMP COMPONENTS CXX REQUIRED)\n"),
    "Meson's OpenMP": ("openmp", "meson.build", "omp = dependency('openmp')\n"),
    "pyproject.toml's OpenMP": (
        "openmp",
        "pyproject.toml",
        '[tool.setuptools]\next-modules = [\n  {name = "a", sources = ["a.c"], extra-compile-args = ["-fopenmp"]}\n]\n',
    ),
    "setup.py's OpenMP": (
        "openmp",
        "setup.py",
        'setup(ext_modules=[Extension("a", extra_compile_args=["-fopenmp"])])\n',
    ),
}

_UNSURE = {
    "a source in Fortran": ("fortran", "src/solve.f90", ""),
    "a source in FORTRAN 77": ("fortran", "SOLVE.F", ""),
    "OpenMP of a part": ("openmp", "core/CMakeLists.txt", "find_package(OpenMP REQUIRED)\n"),
    "a crate somewhere": ("rust", "rust/Cargo.toml", ""),
    "an optional extension": ("rust", "Cargo.toml", ""),
    "Meson may do without": ("fortran", "meson.build", "add_languages('fortran', required: false)\n"),
    "only under a condition": ("fortran", "CMakeLists.txt", "if(WITH_LAPACK)\n  enable_language(Fortran)\nendif()\n"),
    "CMake may do without": ("openmp", "CMakeLists.txt", "find_package(OpenMP)\n"),
    "CMake, under a condition": ("openmp", "CMakeLists.txt", "if(OMP)\n  find_package(OpenMP REQUIRED)\nendif()\n"),
    "Meson may do without OpenMP": ("openmp", "meson.build", "omp = dependency('openmp', required: false)\n"),
    "a probe": ("openmp", "setup.py", 'if probe():\n    extra_compile_args = ["-fopenmp"]\n'),
}

_NONE = {
    "a program that no rule runs": (
        "CMakeLists.txt",
        "add_executable(gen gen.c)\nadd_custom_command(OUTPUT a.h COMMAND generate a.h DEPENDS gen)\n",
    ),
    "a generator only of builds on the target": (
        "CMakeLists.txt",
        (
            "if(NOT CMAKE_CROSSCOMPILING)\nadd_executable(gen gen.c)\nendif()\n"
            "add_custom_command(OUTPUT a.h COMMAND gen a.h)\n"
        ),
    ),
    "a generator for this machine": (
        "meson.build",
        (
            "gen = executable('gen', 'gen.c',\n  native: true)\n"
            "custom_target('h', output: 'a.h', command: [gen, '@OUTPUT@'])\n"
        ),
    ),
    "an optional generator": (
        "meson.build",
        (
            "if get_option('tables')\n  gen = executable('gen', 'gen.c')\n"
            "  custom_target('h', output: 'a.h', command: [gen, '@OUTPUT@'])\nendif\n"
        ),
    ),
    "maturin only for developers": ("pyproject.toml", '[build-system]\nrequires = ["flit"]\n[x]\ndev = ["maturin"]\n'),
    "another backend": ("pyproject.toml", '[build-system]\nrequires = ["maturing"]\n'),
    "a source of a test": ("tests/a.f90", ""),
    "Fortran only in a test": ("x/f2py/tests/src/a.f90", ""),
    "a build file of a test": ("x/tests/a/meson.build", "add_languages('fortran')\n"),
    "a comment": ("CMakeLists.txt", "# project(x Fortran)\n"),
    "a name": ("CMakeLists.txt", "project(FortranReader LANGUAGES C)\n"),
}


def _needs(path: str, text: str) -> tuple[Need, ...]:
    return needs_in([f"x-1.0/{path}"], {f"x-1.0/{path}": text})


@pytest.mark.parametrize(("name", "path", "text"), _SURE.values(), ids=_SURE)
def test_what_a_build_cannot_do_without_is_sure(name: str, path: str, text: str) -> None:
    ((need),) = _needs(path, text)
    assert (need.name, need.sure) == (name, True)
    assert need.evidence.startswith(f"{path}: ")


@pytest.mark.parametrize(("name", "path", "text"), _UNSURE.values(), ids=_UNSURE)
def test_what_a_build_may_do_without_is_not(name: str, path: str, text: str) -> None:
    ((need),) = _needs(path, text)
    assert (need.name, need.sure) == (name, False)


@pytest.mark.parametrize(("path", "text"), _NONE.values(), ids=_NONE)
def test_what_only_looks_like_a_sign_is_none(path: str, text: str) -> None:
    assert _needs(path, text) == ()


def test_an_optional_extension_in_rust_needs_none() -> None:
    text = '[[tool.setuptools-rust.ext-modules]]\ntarget = "a.b"\noptional = true\n'
    assert _needs("pyproject.toml", text) == ()


def test_a_sure_sign_counts_more_than_one_that_is_not() -> None:
    texts = {"x-1.0/Cargo.toml": "", "x-1.0/pyproject.toml": '[build-system]\nrequires = ["maturin"]\n'}
    assert needs_in(texts.keys(), texts) == (Need("rust", 'pyproject.toml: requires = ["maturin"]', sure=True),)


def test_a_folder_says_the_same_as_its_sdist(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[build-system]\nrequires = ["maturin"]\n')
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "meson.build").write_text("add_languages('fortran')\n")
    assert [(need.name, need.sure) for need in needs_of_folder(tmp_path)] == [("rust", True), ("fortran", True)]


def test_every_row_says_what_it_is_a_sign_of() -> None:
    for row in load_table("signs.toml")["sign"]:
        assert row["need"] in {"rust", "openmp", "fortran", "interpreter", "program"}
        assert row.keys() <= {"need", "path", "pattern", "unless", "sure"}


_HATCHLING = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
_SETUPTOOLS = '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'


@pytest.mark.parametrize(
    "text",
    [
        f'{_HATCHLING}[project]\ndependencies = [\n    "pyproject-hooks",\n]\n',
        _SETUPTOOLS,
        "[build-system]\nbuild-backend = 'flit_core.buildapi'\n",
    ],
)
def test_source_code_in_c_may_be_data(text: str) -> None:
    names = {"tiny-1.0/tiny/template.c", "tiny-1.0/pyproject.toml", "tiny-1.0/tiny/setup.py"}
    assert compiles_nothing(names, {"tiny-1.0/pyproject.toml": text})


@pytest.mark.parametrize(
    ("text", "beside"),
    [
        ("", "README.md"),
        ('[build-system]\nbuild-backend = "mesonpy"\n', "meson.build"),
        ('[build-system]\nbuild-backend = "backend"\nbackend-path = ["."]\n', "backend.py"),
        (f"{_HATCHLING}[tool.hatch.build.hooks.mypyc]\n", "README.md"),
        (f"{_HATCHLING}[tool.hatch.build.targets.wheel.hooks.custom]\n", "README.md"),
        (_HATCHLING, "hatch_build.py"),
        (_HATCHLING, "hatch.toml"),
        (_SETUPTOOLS, "setup.py"),
        (f'{_SETUPTOOLS}[tool.setuptools]\next-modules = [{{name = "a", sources = ["a.c"]}}]\n', "README.md"),
        (_SETUPTOOLS.replace('"]', '", "Cython"]'), "README.md"),
        ('[tool.poetry]\nbuild = "build.py"\n[build-system]\nbuild-backend = "poetry.core.masonry.api"\n', "build.py"),
    ],
)
def test_what_may_compile_does_so(text: str, beside: str) -> None:
    names = {"tiny-1.0/tiny/fast.c", "tiny-1.0/pyproject.toml", f"tiny-1.0/{beside}"}
    assert not compiles_nothing(names, {"tiny-1.0/pyproject.toml": text})
