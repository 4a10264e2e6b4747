"""The target in the words of each build system, whatever compiles: CMake, Meson, autoconf."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.targets import Target
from crosswheel.toolchains.description import Description

_MESON_FAMILIES = {"i686": "x86", "armv7l": "arm", "ppc64le": "ppc64"}


def parallel_environ(processors: int) -> dict[str, str]:
    """How many compilers a build may run at a time, in the words of those who would otherwise take them all, or one.

    CMake (cmake-env-variables(7)), Cargo, and what setup.py files that call ninja have come to ask. Meson is told
    another way. make is not: not every Makefile bears it.
    """
    return dict.fromkeys(("CMAKE_BUILD_PARALLEL_LEVEL", "CARGO_BUILD_JOBS", "MAX_JOBS"), str(processors))


@dataclass(frozen=True)
class Configuration:
    """The files of one target for one interpreter, in `folder`."""

    folder: Path

    @property
    def bin(self) -> Path:
        """To stand first in PATH: cc, c++, ar and so on, also under names that begin with the target's triple."""
        return self.folder / "bin"

    @property
    def cmake(self) -> Path:
        return self.folder / "toolchain.cmake"

    @property
    def cmake_python(self) -> Path:
        return self.folder / "python.cmake"

    @property
    def meson(self) -> Path:
        return self.folder / "meson-cross.ini"

    @property
    def config_site(self) -> Path:
        return self.folder / "config.site"

    @property
    def pkgconfig(self) -> Path:
        """An empty folder: where nothing else is named, pkg-config would look among this machine's libraries."""
        return self.folder / "pkgconfig"

    def program(self, name: str) -> str:
        return str(self.bin / name)

    def environ(self, target: Target) -> dict[str, str]:
        """The variables that make build systems find the files; compilers and libraries have their own."""
        return {
            "CC_FOR_BUILD": self.program("build-cc"),
            "CXX_FOR_BUILD": self.program("build-c++"),
            "HOSTCC": self.program("build-cc"),
            # What setuptools, scikit-build-core and pybind11's CMake files read before they ask an interpreter.
            "SETUPTOOLS_EXT_SUFFIX": target.ext_suffix,
            "CMAKE_TOOLCHAIN_FILE": str(self.cmake),
            "CONFIG_SITE": str(self.config_site),
        }

    def write(
        self,
        target: Target,
        description: Description,
        python: Path,
        *,
        cmake: Iterable[str],
        programs: Mapping[str, str],
        sysroot: Path | None = None,
    ) -> None:
        """Every file, with `bin` still empty; `python` is the build environment's interpreter.

        `cmake` are the lines of the toolchain file that say what compiles and where libraries are found; `programs`
        maps Meson's names of tools to paths.
        """
        self.bin.mkdir(parents=True)
        self.pkgconfig.mkdir()
        lines = (*cmake, *_find_python(self.cmake_python, description, python))
        self.cmake.write_text("".join(f"{line}\n" for line in lines))
        self.cmake_python.write_text(_CMAKE_PYTHON)
        self.meson.write_text(_meson(target, {**programs, "python": str(python)}, sysroot))
        self.config_site.write_text(_config_site(target))


def _find_python(provider: Path, description: Description, python: Path) -> Iterator[str]:
    """In a toolchain file (cmake-toolchains(7)): where FindPython finds what it would ask the target's own CPython."""
    hints = {"EXECUTABLE": python, "INCLUDE_DIR": description.include}
    for prefix in ("Python", "Python3"):
        for name, value in hints.items():
            yield f'set({prefix}_{name} "{value}" CACHE STRING "")'
    yield f'list(APPEND CMAKE_PROJECT_TOP_LEVEL_INCLUDES "{provider}")'


# FindPython does not ask an interpreter for its suffix when CMake says that it is cross-compiling, and extensions
# would be called x.so. Ours answers as the target's: for that one question CMake may believe that it is at home.
# A dependency provider (cmake-commands(7), cmake_language) stands before every find_package, also nested ones.
_CMAKE_PYTHON = """\
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.24)
  macro(crosswheel_find_package method name)
    if("${name}" MATCHES "^Python3?$")
      set(CMAKE_CROSSCOMPILING FALSE)
      find_package(${name} ${ARGN} BYPASS_PROVIDER)
      set(CMAKE_CROSSCOMPILING TRUE)
    endif()
  endmacro()
  cmake_language(SET_DEPENDENCY_PROVIDER crosswheel_find_package SUPPORTED_METHODS FIND_PACKAGE)
endif()
"""


def _meson(target: Target, programs: Mapping[str, str], sysroot: Path | None) -> str:
    """A cross file (Meson manual, "Cross compilation")."""
    family = _MESON_FAMILIES.get(target.arch.name, target.arch.name)
    binaries = {**programs, "pkg-config": "pkg-config", "cmake": "cmake"}
    lines = [
        "[binaries]",
        *(f"{name} = '{program}'" for name, program in binaries.items()),
        "[properties]",
        "needs_exe_wrapper = true",
        *([f"sys_root = '{sysroot}'"] if sysroot else []),
        "[host_machine]",
        "system = 'linux'",
        f"cpu_family = '{family}'",
        f"cpu = '{target.arch}'",
        f"endian = '{target.arch.byteorder}'",
    ]
    return "".join(f"{line}\n" for line in lines)


def _config_site(target: Target) -> str:
    """Read by every configure script (Autoconf manual, "Site Defaults"): --host for those who did not give it.

    A setup.py that runs ./configure knows nothing of the target; this says it in its stead. Configure has already
    looked at its own options here, so what --host would have set is set as well.
    """
    return (
        f'test -n "$build_alias" || build_alias=$(uname -m)-build-linux-gnu\n'
        f'if test -z "$host_alias"; then\n'
        f"  host_alias={target.multiarch}\n"
        f"  ac_tool_prefix={target.multiarch}-\n"
        f"fi\n"
        "host=$host_alias build=$build_alias cross_compiling=yes\n"
    )
