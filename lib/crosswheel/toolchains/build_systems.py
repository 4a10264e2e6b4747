"""Configures CMake, Meson and autoconf for a target, independent of the compiler."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.model.targets import Target, load_table
from crosswheel.toolchains.commands import COMMANDS_OF_REQUIREMENTS, write_commands
from crosswheel.toolchains.description import Description, find_python
from crosswheel.toolchains.exe_wrapper import ExeWrapper
from crosswheel.toolchains.gcc import Gcc

_MESON_FAMILIES = {"i686": "x86", "armv7l": "arm", "ppc64le": "ppc64"}

# numpy's names for gcc's formats of long double, which it would otherwise find by running a program
# (numpy/_core/meson.build). musl has no IBM doubles.
_LONG_DOUBLES = {
    "aarch64": "IEEE_QUAD_LE",
    "x86_64": "INTEL_EXTENDED_16_BYTES_LE",
    "armv7l": "IEEE_DOUBLE_LE",
    "i686": "INTEL_EXTENDED_12_BYTES_LE",
    "ppc64le": "IBM_DOUBLE_DOUBLE_LE",
    "s390x": "IEEE_QUAD_BE",
    "riscv64": "IEEE_QUAD_LE",
}
_MUSL_LONG_DOUBLES = {**_LONG_DOUBLES, "ppc64le": "IEEE_DOUBLE_LE"}


def parallel_environ(processors: int) -> dict[str, str]:
    """Variables that limit a build to a number of parallel compilers.

    For CMake (cmake-env-variables(7)), Cargo, and MAX_JOBS, which many setup.py files read. Meson is configured
    elsewhere. make is not, because not every Makefile supports parallel builds.
    """
    return dict.fromkeys(("CMAKE_BUILD_PARALLEL_LEVEL", "CARGO_BUILD_JOBS", "MAX_JOBS"), str(processors))


@dataclass(frozen=True)
class Configuration:
    """The configuration files of one target for one interpreter, in `folder`."""

    folder: Path

    @property
    def bin(self) -> Path:
        """The folder to put first in PATH: cc, c++, ar and so on, also with the target's triple as prefix."""
        return self.folder / "bin"

    @property
    def by_path(self) -> Path:
        """The folder with programs that stand in for this machine's compilers in /usr/bin."""
        return self.folder / "by-path"

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
    def requirements(self) -> Path:
        """The folder of the target's shared libraries of build requirements, as they lie in the environment."""
        return self.folder / "requirements"

    @property
    def exe_wrapper(self) -> Path:
        """The program that runs a program of the target, if this machine can."""
        return self.folder / "exe-wrapper"

    @property
    def target_python(self) -> Path:
        """The program that runs the target's interpreter; it is there if the target's libraries have one."""
        return self.folder / "target-python"

    @property
    def pkgconfig(self) -> Path:
        """An empty folder for pkg-config, which would otherwise search this machine's libraries."""
        return self.folder / "pkgconfig"

    def program(self, name: str) -> str:
        return str(self.bin / name)

    def environ(self) -> dict[str, str]:
        """Environment variables by which build systems find the files, without those for compilers and libraries.

        Each is documented by a build system. There are none for values that a project can ask its interpreter or a
        command for, because some projects behave differently if one is set.
        """
        return {
            "CC_FOR_BUILD": self.program("build-cc"),
            "CXX_FOR_BUILD": self.program("build-c++"),
            "HOSTCC": self.program("build-cc"),
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
        long_double: str,
        sysroot: Path | None = None,
        wrapper: ExeWrapper | None = None,
    ) -> None:
        """Write every file except the compilers in `bin`; `python` is the build environment's interpreter.

        `cmake` are the toolchain file's lines for compilers and library paths; `programs` maps Meson's tool names to
        paths; `long_double` is the compiler's format by numpy's name; `wrapper` runs the target's programs, if any.
        """
        self.bin.mkdir(parents=True)
        self.pkgconfig.mkdir()
        write_commands(self.bin, target, python)
        if wrapper:
            _write_program(self.exe_wrapper, wrapper.script())
            cmake = (*cmake, f'set(CMAKE_CROSSCOMPILING_EMULATOR "{self.exe_wrapper}")')
            programs = {**programs, "exe_wrapper": str(self.exe_wrapper)}
            if target_python := find_python(target, wrapper.root):
                _write_program(self.target_python, wrapper.script(str(target_python)))
        lines = (*cmake, *_CMAKE_HOST, *_cmake_answers(target), *self._find_python(target, description, python))
        self.cmake.write_text("".join(f"{line}\n" for line in lines))
        self.cmake_python.write_text(_CMAKE_PYTHON.replace("SOABI_OF_TARGET", target.soabi))
        found = {name: self.program(name) for name in COMMANDS_OF_REQUIREMENTS}
        self.meson.write_text(_meson(target, {**programs, **found, "python": str(python)}, long_double, sysroot))
        self.config_site.write_text(_config_site(target, runs=bool(wrapper and wrapper.directly)))

    def _find_python(self, target: Target, description: Description, python: Path) -> Iterator[str]:
        """Toolchain file lines (cmake-toolchains(7)) that give FindPython the facts of the target's CPython.

        FindPythonLibs, which CMake 3.27 removes, has the prefix PYTHON, and asks no interpreter. Both look for
        libpython if a project wants Development. Extensions take its symbols from the program that loads them, and
        pypa's images have none (PEP 513): the library is an empty archive, with the version in its name.
        """
        library = self.folder / f"libpython{target.python.version}{'t' if target.python.free_threaded else ''}.a"
        library.write_bytes(b"!<arch>\n")
        hints = {"EXECUTABLE": python, "INCLUDE_DIR": description.include, "LIBRARY": library}
        for prefix, names in {"Python": hints, "Python3": hints, "PYTHON": ("INCLUDE_DIR", "LIBRARY")}.items():
            for name in names:
                yield f'set({prefix}_{name} "{hints[name]}" CACHE STRING "")'
        yield f'list(APPEND CMAKE_PROJECT_TOP_LEVEL_INCLUDES "{self.cmake_python}")'


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


# CMake asks uname for its host, but our uname answers for the target; the target's system is set above.
_CMAKE_HOST = (
    "get_property(crosswheel_checks GLOBAL PROPERTY IN_TRY_COMPILE)",
    "if(NOT crosswheel_checks)",
    "  execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=CROSSWHEEL_TARGET uname -m",
    "    OUTPUT_VARIABLE CMAKE_HOST_SYSTEM_PROCESSOR OUTPUT_STRIP_TRAILING_WHITESPACE)",
    "endif()",
)


def _cmake_answers(target: Target) -> Iterator[str]:
    """Results that CMake projects would get by running programs, and the suffix for pybind11 when cross-compiling."""
    for name, value in load_table("answers.toml")["cmake"].items():
        yield f'set({name} "{value}" CACHE STRING "")'
    yield f'set(PYTHON_MODULE_EXT_SUFFIX "{target.ext_suffix}" CACHE STRING "")'


# When cross-compiling, FindPython does not ask the interpreter for its suffix, and extensions would be named x.so. Our
# interpreter answers like the target's, so CMAKE_CROSSCOMPILING is off during that call. Without the component
# Interpreter it asks the python3-config of any Python of this machine, so SOABI is set afterwards. A dependency
# provider (cmake-commands(7), cmake_language) runs before every find_package, including nested ones.
_CMAKE_PYTHON = """\
if(CMAKE_VERSION VERSION_GREATER_EQUAL 3.24)
  macro(crosswheel_find_package method name)
    if("${name}" MATCHES "^Python3?$")
      set(CMAKE_CROSSCOMPILING FALSE)
      find_package(${name} ${ARGN} BYPASS_PROVIDER)
      set(CMAKE_CROSSCOMPILING TRUE)
      if(DEFINED ${name}_SOABI)
        set(${name}_SOABI "SOABI_OF_TARGET")
      endif()
    endif()
  endmacro()
  cmake_language(SET_DEPENDENCY_PROVIDER crosswheel_find_package SUPPORTED_METHODS FIND_PACKAGE)
endif()
"""


def gcc_long_double(target: Target, gcc: Gcc | None = None) -> str:
    """The format of long double of a gcc, else of most of them, by numpy's name."""
    if gcc and gcc.ieee_long_double:
        return "IEEE_QUAD_LE"
    formats = _MUSL_LONG_DOUBLES if target.policy.libc == "musl" else _LONG_DOUBLES
    return formats[target.arch.name]


def _meson(target: Target, programs: Mapping[str, str], long_double: str, sysroot: Path | None) -> str:
    """A cross file (Meson manual, "Cross compilation")."""
    family = _MESON_FAMILIES.get(target.arch.name, target.arch.name)
    binaries = {**programs, "pkg-config": "pkg-config", "cmake": "cmake"}
    lines = [
        "[binaries]",
        *(f"{name} = '{program}'" for name, program in binaries.items()),
        "[properties]",
        "needs_exe_wrapper = true",
        f"longdouble_format = '{long_double}'",
        *([f"sys_root = '{sysroot}'"] if sysroot else []),
        "[host_machine]",
        "system = 'linux'",
        f"cpu_family = '{family}'",
        f"cpu = '{target.arch}'",
        f"endian = '{target.arch.byteorder}'",
    ]
    return "".join(f"{line}\n" for line in lines)


_BIG = {"little": "no", "big": "yes"}


def _config_site(target: Target, *, runs: bool) -> str:
    """A file that every configure script reads (Autoconf manual, "Site Defaults"): sets --host if it was not given.

    A setup.py that runs ./configure does not know the target. Configure has parsed its options before it reads this
    file, so the variables that --host sets are set too. If programs of the target run here, configure tries one
    ("maybe"), and then runs those of the project's own tests; the answers below are the same on every machine.
    """
    told = load_table("answers.toml")["autoconf"]
    answers = {**told["any"], **told[target.policy.libc], "ac_cv_c_bigendian": _BIG[target.arch.byteorder]}
    return (
        'test -n "$build_alias" || build_alias=$(CROSSWHEEL_TARGET= uname -m)-build-linux-gnu\n'
        f'if test -z "$host_alias"; then\n'
        f"  host_alias={target.multiarch}\n"
        f"  ac_tool_prefix={target.multiarch}-\n"
        f"fi\n"
        f"host=$host_alias build=$build_alias cross_compiling={'maybe' if runs else 'yes'}\n"
        + "".join(f"{name}=${{{name}={value}}}\n" for name, value in answers.items())
    )
