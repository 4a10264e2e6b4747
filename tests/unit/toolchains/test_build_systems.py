"""What CMake, Meson and configure scripts are told of the target, whatever compiles."""

from __future__ import annotations

import configparser
import platform
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from crosswheel.containers.emulation import Running
from crosswheel.model.targets import PythonTag, Target, architectures, oldest_policy, parse_architecture, parse_policy
from crosswheel.toolchains.build_systems import Configuration, gcc_long_double
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.exe_wrapper import ExeWrapper
from crosswheel.toolchains.gcc import Gcc

ARCHITECTURES = list(architectures())


def target_of(arch: str, policy: str = "") -> Target:
    architecture = parse_architecture(arch)
    return Target(PythonTag(13), architecture, parse_policy(policy) if policy else oldest_policy(architecture))


def configured(folder: Path, target: Target, wrapper: ExeWrapper | None = None) -> Configuration:
    made = Configuration(folder / "toolchain")
    python = folder / "environment" / "bin" / "python"
    description = Description(folder / "target.json", folder / "include", ())
    made.write(
        target,
        description,
        python,
        cmake=["set(CMAKE_SYSTEM_NAME Linux)"],
        programs={"c": "cc"},
        long_double=gcc_long_double(target),
        wrapper=wrapper,
    )
    return made


def test_variables_of_the_environment_are_only_those_that_build_systems_document(tmp_path: Path) -> None:
    """SETUPTOOLS_EXT_SUFFIX, for one, sends real projects down another path."""
    assert set(configured(tmp_path, target_of("aarch64")).environ()) == {
        "CC_FOR_BUILD", "CXX_FOR_BUILD", "HOSTCC", "CMAKE_TOOLCHAIN_FILE", "CONFIG_SITE",
    }  # fmt: skip


# ---- Meson ----------------------------------------------------------------------------------------------------


def meson(made: Configuration) -> Mapping[str, Mapping[str, str]]:
    read = configparser.ConfigParser()
    read.read(made.meson)
    return {name: {key: value.strip("'") for key, value in read[name].items()} for name in read.sections()}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_meson_knows_long_double_of_every_architecture(tmp_path: Path, arch: str) -> None:
    told = meson(configured(tmp_path, target_of(arch)))["properties"]["longdouble_format"]
    assert told.endswith("_BE") == (architectures()[arch].byteorder == "big")


def test_a_gcc_may_have_another_long_double_on_power() -> None:
    gcc = Gcc("ppc64le-redhat-linux", PurePosixPath("/gcc"), ieee_long_double=True)
    assert gcc_long_double(target_of("ppc64le"), gcc) == "IEEE_QUAD_LE"


def test_musl_has_another_long_double_on_power(tmp_path: Path) -> None:
    told = meson(configured(tmp_path, target_of("ppc64le", "musllinux_1_2")))
    assert told["properties"]["longdouble_format"] == "IEEE_DOUBLE_LE"


def test_meson_finds_what_build_requirements_bring(tmp_path: Path) -> None:
    made = configured(tmp_path, target_of("aarch64"))
    own = tmp_path / "environment" / "bin"
    own.mkdir(parents=True)
    (own / "numpy-config").touch()
    binaries = meson(made)["binaries"]
    assert Path(binaries["numpy-config"]).resolve() == own / "numpy-config"
    assert not Path(binaries["pybind11-config"]).exists()


# ---- programs of the target -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("directly", "cross_compiling"), [(True, "maybe"), (False, "yes")])
def test_each_build_system_is_told_how_programs_of_the_target_run(
    tmp_path: Path, directly: bool, cross_compiling: str
) -> None:
    target = target_of("aarch64")
    running = Running(target.arch, natively=False, cpu="max")
    wrapper = ExeWrapper(running, Path("/usr/bin/qemu"), tmp_path / "root", directly=directly)
    made = configured(tmp_path, target, wrapper)
    assert meson(made)["binaries"]["exe_wrapper"] == str(made.exe_wrapper)
    assert f'set(CMAKE_CROSSCOMPILING_EMULATOR "{made.exe_wrapper}")' in made.cmake.read_text()
    assert f"cross_compiling={cross_compiling}\n" in made.config_site.read_text()
    assert not made.target_python.exists()


def test_without_a_way_to_run_them_none_is_told_of(tmp_path: Path) -> None:
    made = configured(tmp_path, target_of("aarch64"))
    assert "exe_wrapper" not in meson(made)["binaries"]
    assert "CROSSCOMPILING_EMULATOR" not in made.cmake.read_text()
    assert "cross_compiling=yes\n" in made.config_site.read_text()


# ---- configure scripts ----------------------------------------------------------------------------------------


def after_site(made: Configuration, *asked: str, **environ: str) -> dict[str, str]:
    """Variables of a configure script that has read the site file."""
    command = f'. "{made.config_site}"; ' + "; ".join(f'echo "${name}"' for name in asked)
    path = f"{made.bin}:/usr/bin:/bin"
    done = subprocess.run(
        ["/bin/sh", "-ec", command],
        env={"PATH": path, "CROSSWHEEL_TARGET": "/target.json", **environ},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return dict(zip(asked, done.stdout.splitlines(), strict=True))


def test_a_script_builds_here_for_the_target(tmp_path: Path) -> None:
    told = after_site(configured(tmp_path, target_of("s390x")), "build", "host", "cross_compiling")
    assert told == {
        "build": f"{platform.machine()}-build-linux-gnu",
        "host": "s390x-linux-gnu",
        "cross_compiling": "yes",
    }


@pytest.mark.parametrize(
    ("arch", "policy", "answers"),
    [
        ("aarch64", "manylinux2014", {"ac_cv_func_malloc_0_nonnull": "yes", "ac_cv_func_fnmatch_gnu": "yes"}),
        ("aarch64", "musllinux_1_2", {"ac_cv_func_malloc_0_nonnull": "yes", "ac_cv_func_fnmatch_gnu": "no"}),
        ("s390x", "", {"ac_cv_c_bigendian": "yes", "ac_cv_func_lstat_empty_string_bug": "no"}),
        ("ppc64le", "", {"ac_cv_c_bigendian": "no", "ac_cv_type_getgroups": "gid_t"}),
    ],
)
def test_a_script_need_not_run_what_it_has_compiled(
    tmp_path: Path, arch: str, policy: str, answers: dict[str, str]
) -> None:
    assert after_site(configured(tmp_path, target_of(arch, policy)), *answers) == answers


def test_what_the_user_knows_better_stays(tmp_path: Path) -> None:
    made = configured(tmp_path, target_of("aarch64"))
    told = after_site(made, "ac_cv_func_malloc_0_nonnull", ac_cv_func_malloc_0_nonnull="no")
    assert told == {"ac_cv_func_malloc_0_nonnull": "no"}


# ---- CMake ----------------------------------------------------------------------------------------------------

_CMAKE = """\
cmake_minimum_required(VERSION 3.18)
project(asks LANGUAGES NONE)
set(answers ${CMAKE_HOST_SYSTEM_PROCESSOR} ${HAVE_POLL_FINE_EXITCODE} ${PYTHON_MODULE_EXT_SUFFIX})
file(WRITE ${CMAKE_BINARY_DIR}/answers "${answers}")
"""


def test_cmake_knows_on_what_it_runs_and_what_cannot(tmp_path: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("no cmake on this machine")
    made = configured(tmp_path, target_of("ppc64le"))
    (tmp_path / "CMakeLists.txt").write_text(_CMAKE)
    command = [cmake, "-S", str(tmp_path), "-B", str(tmp_path / "build"), "--toolchain", str(made.cmake)]
    environ = {"PATH": f"{made.bin}:/usr/bin:/bin", "CROSSWHEEL_TARGET": "/target.json"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    suffix = ".cpython-313-powerpc64le-linux-gnu.so"
    assert (tmp_path / "build" / "answers").read_text() == f"{platform.machine()};0;{suffix}"


_CMAKE_LIBRARIES = """
cmake_minimum_required(VERSION 3.18)
project(demo LANGUAGES NONE)
find_package(PythonLibs REQUIRED)
find_package(Python3 COMPONENTS Development REQUIRED)
file(WRITE ${CMAKE_BINARY_DIR}/answers "${PYTHON_LIBRARIES};${Python3_LIBRARIES};${PYTHON_INCLUDE_DIRS}")
"""


def test_projects_that_ask_cmake_for_libpython_get_an_empty_archive(tmp_path: Path) -> None:
    cmake = shutil.which("cmake")
    if cmake is None:
        pytest.skip("no cmake on this machine")
    made = configured(tmp_path, target_of("aarch64"))
    include = tmp_path / "include"
    include.mkdir()
    for name in ("Python.h", "pyconfig.h"):
        (include / name).touch()
    (include / "patchlevel.h").write_text('#define PY_VERSION "3.13.1"\n')
    (tmp_path / "CMakeLists.txt").write_text(_CMAKE_LIBRARIES)
    command = [cmake, "-S", str(tmp_path), "-B", str(tmp_path / "build"), "--toolchain", str(made.cmake)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    library = made.folder / "libpython3.13.a"
    assert (tmp_path / "build" / "answers").read_text() == f"{library};{library};{include}"
    assert library.read_bytes() == b"!<arch>\n"
