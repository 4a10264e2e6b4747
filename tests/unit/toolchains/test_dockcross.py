"""The engine dockcross without an engine: what an image says of itself, and the files that are made of it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.containers.images import Image
from crosswheel.errors import MissingTool, UsageError
from crosswheel.model.config_reader import load_config
from crosswheel.model.targets import Target, architectures, parse_target
from crosswheel.toolchains.build_systems import Configuration
from crosswheel.toolchains.description import Description, Layout, derive, read_layout
from crosswheel.toolchains.dockcross import CrossTools, configure, environ_of, find_tools

TARGET = parse_target("cp313-manylinux_2_28_aarch64")
TRIPLE = "aarch64-unknown-linux-gnu"
PREFIX = f"/usr/xcc/{TRIPLE}/bin/{TRIPLE}-"
VARIABLES = {
    "AR": f"{PREFIX}ar",
    "CC": f"{PREFIX}gcc",
    "CMAKE_TOOLCHAIN_FILE": f"/usr/xcc/{TRIPLE}/Toolchain.cmake",
    "CROSS_ROOT": f"/usr/xcc/{TRIPLE}",
    "CROSS_TRIPLE": TRIPLE,
    "CXX": f"{PREFIX}g++",
    "PATH": "/opt/rh/gcc-toolset-14/root/usr/bin:/usr/bin",
    "PKG_CONFIG_PATH": "/usr/lib/aarch64-linux-gnu/pkgconfig",
    "QEMU_LD_PREFIX": f"/usr/xcc/{TRIPLE}/{TRIPLE}/sysroot",
}


def image(**variables: str) -> Image:
    environ = {**VARIABLES, **variables}
    return Image("sha256:1", "dockcross/it:1", "", architectures()["x86_64"], environ, (), 1)


@pytest.fixture
def tools() -> CrossTools:
    return find_tools(image(), TARGET)


@pytest.fixture
def description(tools: CrossTools, tmp_path: Path) -> Description:
    headers = tmp_path / "headers"
    headers.mkdir()
    (headers / "Python.h").touch()
    (headers / "pyconfig.h").write_text("#define HAVE_GCC_ASM_FOR_X64 1\n#define SIZEOF_LONG 8\n")
    include, stdlib = Path("/opt/x/include/python3.13"), Path("/opt/x/lib/python3.13")
    return derive(TARGET, Layout(include, include, stdlib, ""), headers, tools.compilers, tmp_path / "python")


@pytest.fixture
def made(tools: CrossTools, description: Description, tmp_path: Path) -> Configuration:
    return configure(tmp_path / "toolchain", tools, TARGET, description, tmp_path / "environment" / "bin" / "python")


# ---- the image ------------------------------------------------------------------------------------------------


def test_tools_have_one_prefix(tools: CrossTools) -> None:
    assert tools.compilers == {
        "CC": f"{PREFIX}gcc", "CXX": f"{PREFIX}g++", "AR": f"{PREFIX}ar", "RANLIB": f"{PREFIX}ranlib",
    }  # fmt: skip


def test_build_requirements_get_the_plain_tools_and_nothing_that_leads_to_the_target(tools: CrossTools) -> None:
    assert tools.plain == {"AR": "ar", "CC": "gcc", "CXX": "g++", "CMAKE_TOOLCHAIN_FILE": "", "PKG_CONFIG_PATH": ""}


@pytest.mark.parametrize(
    ("variables", "target", "reason"),
    [
        ({"CC": "", "CROSS_TRIPLE": ""}, TARGET, "is not a dockcross image: it does not set CC, CROSS_TRIPLE"),
        ({}, parse_target("cp313-manylinux_2_39_riscv64"), f"compiles for {TRIPLE}, not for riscv64-linux-gnu"),
        ({"CROSS_TRIPLE": "aarch64-linux-musl"}, TARGET, "compiles for aarch64-linux-musl, not for"),
        ({"CC": "clang"}, TARGET, f"compiles with clang, which is not {TRIPLE}-gcc"),
    ],
)
def test_an_image_that_compiles_for_something_else_is_refused(
    variables: Mapping[str, str], target: Target, reason: str
) -> None:
    with pytest.raises(MissingTool, match=r"^dockcross/it:1 ") as caught:
        find_tools(image(**variables), target)
    assert reason in str(caught.value)
    assert "--image" in caught.value.hint


def test_a_triple_may_name_a_vendor_or_none(tools: CrossTools) -> None:
    triple = "aarch64-linux-gnu"
    assert find_tools(image(CROSS_TRIPLE=triple, CC=f"/usr/bin/{triple}-gcc"), TARGET).path("ld") == (
        f"/usr/bin/{triple}-ld"
    )


# ---- the target's CPython -------------------------------------------------------------------------------------


def test_an_answer_of_an_interpreter_is_read() -> None:
    answer = '{"include": "/i", "platinclude": "/p", "stdlib": "/s", "multiarch": "x86_64-linux-gnu"}\n'
    assert read_layout(answer) == Layout(Path("/i"), Path("/p"), Path("/s"), "x86_64-linux-gnu")


def test_a_copy_of_its_headers_serves_without_what_is_of_x86(description: Description) -> None:
    text = (description.include / "pyconfig.h").read_text()
    assert text == "/* #undef HAVE_GCC_ASM_FOR_X64 */\n#define SIZEOF_LONG 8\n"
    assert f'"LDSHARED": "{PREFIX}gcc -shared"' in description.path.read_text()
    # On this machine it leads nowhere: it is the image's.
    stdlib = description.path.parent / "lib" / "python3.13"
    assert stdlib.readlink() == Path("/opt/x/lib/python3.13")


# ---- build systems --------------------------------------------------------------------------------------------


def test_cmake_reads_the_images_own_file_first(made: Configuration, description: Description, tmp_path: Path) -> None:
    first, second, *rest = made.cmake.read_text().splitlines()
    assert first == f'include("/usr/xcc/{TRIPLE}/Toolchain.cmake")'
    assert second == f'list(APPEND CMAKE_FIND_ROOT_PATH "{tmp_path}/environment")'
    assert f'set(Python_INCLUDE_DIR "{description.include}" CACHE STRING "")' in rest
    assert rest[-1] == f'list(APPEND CMAKE_PROJECT_TOP_LEVEL_INCLUDES "{made.cmake_python}")'
    assert not any("COMPILER" in line for line in rest)


def test_meson_has_fortran_where_the_image_has(made: Configuration, description: Description, tmp_path: Path) -> None:
    assert "fortran =" not in made.meson.read_text()
    tools = find_tools(image(FC=f"{PREFIX}gfortran"), TARGET)
    other = configure(tmp_path / "other", tools, TARGET, description, tmp_path / "python")
    assert f"fortran = '{PREFIX}gfortran'" in other.meson.read_text()


def test_names_that_builds_call_lead_to_the_cross_tools(made: Configuration) -> None:
    assert (made.bin / "gcc").readlink() == (made.bin / "aarch64-linux-gnu-cc").readlink() == Path(f"{PREFIX}gcc")
    plain = (made.bin / "build-c++").read_text().splitlines()
    assert plain == ["#!/bin/sh", f'PATH="{VARIABLES["PATH"]}"', "export PATH", 'exec g++ "$@"']


def test_compilers_have_a_program_in_front_that_looks_into_the_cache(
    tools: CrossTools, description: Description, tmp_path: Path
) -> None:
    wrapped = replace(tools, wrappers=tmp_path / "wrapped" / "compilers")
    made = configure(tmp_path / "wrapped", wrapped, TARGET, description, tmp_path / "python")
    wrapper = made.folder / "compilers" / f"{TRIPLE}-g++"
    assert wrapped.compilers["CXX"] == environ_of(made, wrapped)["CXX"] == str(wrapper)
    assert (made.bin / "c++").readlink() == wrapper
    assert f"cpp = '{wrapper}'" in made.meson.read_text()
    # What is no compiler has nothing in front.
    assert (made.bin / "ar").readlink() == Path(wrapped.compilers["AR"]) == Path(f"{PREFIX}ar")


def test_a_compiler_is_started_where_no_cache_is(tools: CrossTools, description: Description, tmp_path: Path) -> None:
    compiler = tmp_path / f"{TRIPLE}-gcc"
    compiler.write_text('#!/bin/sh\necho compiler "$@"\n')
    compiler.chmod(0o755)
    wrapped = replace(tools, prefix=f"{tmp_path}/{TRIPLE}-", wrappers=tmp_path / "wrapped" / "compilers")
    made = configure(tmp_path / "wrapped", wrapped, TARGET, description, tmp_path / "python")
    launcher = environ_of(made, wrapped)["CMAKE_C_COMPILER_LAUNCHER"]
    for command in ([str(made.bin / "cc")], [launcher, str(compiler)]):
        printed = subprocess.run([*command, "-c", "a b.c"], check=True, capture_output=True, text=True).stdout
        assert printed == "compiler -c a b.c\n"


def test_pkg_config_looks_below_the_sysroot(made: Configuration, tools: CrossTools) -> None:
    environ = environ_of(made, tools)
    folders = environ["PKG_CONFIG_LIBDIR"].split(":")
    assert folders[0] == str(made.pkgconfig)
    assert all(folder.startswith(f"/usr/xcc/{TRIPLE}/") for folder in folders[1:])
    # The image's own says where the target's are.
    assert "PKG_CONFIG_PATH" not in environ
    assert "SETUPTOOLS_EXT_SUFFIX" not in environ


# ---- which image ----------------------------------------------------------------------------------------------


def written(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(f"[tool.crosswheel.images]\n{text}\n")
    return folder


def test_images_of_both_families_stand_side_by_side(tmp_path: Path) -> None:
    lines = 'manylinux_2_28_aarch64 = "pypa:1"\ndockcross.manylinux_2_28_aarch64 = "dockcross:1"'
    config = load_config(written(tmp_path, lines), {"engine": "dockcross"})
    assert (config.image_for(TARGET, "pypa"), config.image_for(TARGET, "dockcross")) == ("pypa:1", "dockcross:1")


@pytest.mark.parametrize(
    ("engine", "images"), [("dockcross", ("pypa:1", "flag:1")), ("auto", ("flag:1", "")), ("cross", ("flag:1", ""))]
)
def test_the_flag_names_an_image_of_the_engine_that_was_asked_for(
    engine: str, images: tuple[str, str], tmp_path: Path
) -> None:
    folder = written(tmp_path, 'manylinux_2_28_aarch64 = "pypa:1"')
    config = load_config(folder, {"engine": engine, "image": "flag:1"})
    assert (config.image_for(TARGET, "pypa"), config.image_for(TARGET, "dockcross")) == images


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ('dockcross = "it:1"', "images.dockcross: unknown platform 'dockcross'"),
        ("dockcross.manylinux_2_28_aarch64 = 1", "images.dockcross.manylinux_2_28_aarch64: must be a text, not 1"),
        ('dockcross.manylinux_2_28 = "it:1"', "images.dockcross.manylinux_2_28: unknown platform 'manylinux_2_28'"),
        ('pypa.manylinux_2_28_aarch64 = "it:1"', "images.pypa: must be a text"),
    ],
)
def test_mistakes_in_the_table_of_dockcross_have_their_keys(line: str, mistake: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_config(written(tmp_path, line), {})
    assert any(text.startswith(mistake) for text in caught.value.mistakes)
