"""The target in the words of each build system: zigcc, CMake, Meson, autoconf and pkg-config."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from crosswheel.targets import Target
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.zig import Zig, build_target, zig_target

_PROGRAMS = ("cc", "c++", "gcc", "g++", "clang", "clang++", "ar", "ranlib", "ld", "strip")

# Folders of this machine that hold headers and libraries of this machine.
_HOST_FOLDERS = ("/usr/include", "/usr/local/include", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")

_MESON_FAMILIES = {"i686": "x86", "armv7l": "arm", "ppc64le": "ppc64"}


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
        return self.folder / "pkgconfig"

    def program(self, name: str) -> str:
        return str(self.bin / name)

    def environ(self, target: Target, sysroot: Path | None) -> dict[str, str]:
        """The variables that make build systems find all this."""
        libraries = [self.pkgconfig, *(sysroot_pkgconfig(sysroot) if sysroot else ())]
        return {
            "CC": self.program("cc"),
            "CXX": self.program("c++"),
            "AR": self.program("ar"),
            "RANLIB": self.program("ranlib"),
            "STRIP": self.program("strip"),
            "CC_FOR_BUILD": self.program("build-cc"),
            "CXX_FOR_BUILD": self.program("build-c++"),
            "HOSTCC": self.program("build-cc"),
            # What setuptools, scikit-build-core and pybind11's CMake files read before they ask an interpreter.
            "SETUPTOOLS_EXT_SUFFIX": target.ext_suffix,
            "CMAKE_TOOLCHAIN_FILE": str(self.cmake),
            "CONFIG_SITE": str(self.config_site),
            # Nothing of this machine: its libraries are for another processor.
            "PKG_CONFIG_LIBDIR": ":".join(map(str, libraries)),
            "PKG_CONFIG_PATH": "",
            **({"PKG_CONFIG_SYSROOT_DIR": str(sysroot)} if sysroot else {}),
        }


def sysroot_pkgconfig(sysroot: Path) -> list[Path]:
    patterns = (
        "usr/lib/*/pkgconfig",
        "usr/lib64/pkgconfig",
        "usr/lib/pkgconfig",
        "usr/local/lib*/pkgconfig",
        "usr/share/pkgconfig",
    )
    return [path for pattern in patterns for path in sorted(sysroot.glob(pattern))]


def sysroot_includes(sysroot: Path, target: Target) -> list[Path]:
    folders = ("usr/local/include", f"usr/include/{target.multiarch}", "usr/include", "include")
    return [sysroot / folder for folder in folders if (sysroot / folder).is_dir()]


def sysroot_libraries(sysroot: Path, target: Target) -> list[Path]:
    bases = (
        "usr/local/lib",
        "usr/local/lib64",
        f"usr/lib/{target.multiarch}",
        f"lib/{target.multiarch}",
        "usr/lib64",
        "usr/lib",
        "lib64",
        "lib",
    )
    return [sysroot / base for base in bases if (sysroot / base).is_dir()]


def configure(
    folder: Path, zig: Zig, target: Target, description: Description, sysroot: Path | None, python: Path, *, debug: bool
) -> Configuration:
    """Write every file; `python` is the build environment's interpreter."""
    made = Configuration(folder)
    made.bin.mkdir(parents=True)
    made.pkgconfig.mkdir()
    shutil.copy2(zig.driver, made.bin / "zigcc")
    prefixes = ("", f"{target.multiarch}-")
    for name in (*(prefix + name for prefix in prefixes for name in _PROGRAMS), "build-cc", "build-c++"):
        (made.bin / name).symlink_to("zigcc")
    (folder / "zigcc.conf").write_text(_zigcc_conf(zig, target, description, sysroot, debug=debug))
    made.cmake.write_text(_cmake(made, target, description, sysroot, python))
    made.cmake_python.write_text(_CMAKE_PYTHON)
    made.meson.write_text(_meson(made, target, python, sysroot))
    made.config_site.write_text(_config_site(target))
    return made


def _zigcc_conf(zig: Zig, target: Target, description: Description, sysroot: Path | None, *, debug: bool) -> str:
    lines = [
        f"zig {zig.program}",
        f"cache {zig.cache}",
        f"target {zig_target(target)}",
        f"build-target {build_target()}",
        f"multiarch {target.multiarch}",
        f"debug {'yes' if debug else 'no'}",
        *(f"map {old} {description.include}" for old in description.replaced),
        *(f"hide {host}" for host in _HOST_FOLDERS),
    ]
    if sysroot:
        lines += [f"include {path}" for path in sysroot_includes(sysroot, target)]
        lines += [f"lib {path}" for path in sysroot_libraries(sysroot, target)]
    return "\n".join(lines) + "\n"


def _cmake(made: Configuration, target: Target, description: Description, sysroot: Path | None, python: Path) -> str:
    """A toolchain file (cmake-toolchains(7)); packages of the build environment are found, the machine's are not."""
    roots = (python.parent.parent, *([sysroot] if sysroot else ()))
    compilers = {"C": "cc", "CXX": "c++", "ASM": "cc"}
    tools = {"AR": "ar", "RANLIB": "ranlib", "STRIP": "strip"}
    hints = {"EXECUTABLE": python, "INCLUDE_DIR": description.include}
    lines = [
        "set(CMAKE_SYSTEM_NAME Linux)",
        f"set(CMAKE_SYSTEM_PROCESSOR {target.arch})",
        *(f'set(CMAKE_{language}_COMPILER "{made.program(name)}")' for language, name in compilers.items()),
        *(f'set(CMAKE_{tool} "{made.program(name)}" CACHE FILEPATH "")' for tool, name in tools.items()),
        *(f'list(APPEND CMAKE_FIND_ROOT_PATH "{root}")' for root in roots),
        "set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)",
        "set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)",
        "set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)",
        "set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)",
        "set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH FALSE)",
        # The driver keeps only run paths inside the wheel; an install step that edits others would miss them.
        "set(CMAKE_BUILD_WITH_INSTALL_RPATH TRUE)",
        *(
            f'set({prefix}_{name} "{value}" CACHE STRING "")'
            for prefix in ("Python", "Python3")
            for name, value in hints.items()
        ),
        f'list(APPEND CMAKE_PROJECT_TOP_LEVEL_INCLUDES "{made.cmake_python}")',
    ]
    return "\n".join(lines) + "\n"


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


def _meson(made: Configuration, target: Target, python: Path, sysroot: Path | None) -> str:
    """A cross file (Meson manual, "Cross compilation")."""
    family = _MESON_FAMILIES.get(target.arch.name, target.arch.name)
    root = f"sys_root = '{sysroot}'\n" if sysroot else ""
    return (
        "[binaries]\n"
        f"c = '{made.program('cc')}'\n"
        f"cpp = '{made.program('c++')}'\n"
        f"ar = '{made.program('ar')}'\n"
        f"strip = '{made.program('strip')}'\n"
        f"python = '{python}'\n"
        "pkg-config = 'pkg-config'\n"
        "cmake = 'cmake'\n"
        "[properties]\n"
        "needs_exe_wrapper = true\n"
        f"{root}"
        "[host_machine]\n"
        "system = 'linux'\n"
        f"cpu_family = '{family}'\n"
        f"cpu = '{target.arch}'\n"
        f"endian = '{target.arch.byteorder}'\n"
    )


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
