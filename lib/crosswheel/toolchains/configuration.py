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

    def environ(self, sysroot: Path | None) -> dict[str, str]:
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
    soabi = target.ext_suffix.removeprefix(".").removesuffix(".so")
    hints = "".join(
        f'set({prefix}_{name} "{value}" CACHE STRING "")\n'
        for prefix in ("Python", "Python3")
        for name, value in (
            ("EXECUTABLE", python),
            ("INCLUDE_DIR", description.include),
            ("SOABI", soabi),
            ("SOSABI", "abi3"),
        )
    )
    root = f'list(APPEND CMAKE_FIND_ROOT_PATH "{sysroot}")\n' if sysroot else ""
    return (
        "set(CMAKE_SYSTEM_NAME Linux)\n"
        f"set(CMAKE_SYSTEM_PROCESSOR {target.arch})\n"
        f'set(CMAKE_C_COMPILER "{made.program("cc")}")\n'
        f'set(CMAKE_CXX_COMPILER "{made.program("c++")}")\n'
        f'set(CMAKE_ASM_COMPILER "{made.program("cc")}")\n'
        f'set(CMAKE_AR "{made.program("ar")}" CACHE FILEPATH "")\n'
        f'set(CMAKE_RANLIB "{made.program("ranlib")}" CACHE FILEPATH "")\n'
        f'set(CMAKE_STRIP "{made.program("strip")}" CACHE FILEPATH "")\n'
        f'list(APPEND CMAKE_FIND_ROOT_PATH "{python.parent.parent}")\n'
        f"{root}"
        "set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)\n"
        "set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)\n"
        "set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)\n"
        "set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)\n"
        "set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH FALSE)\n"
        "set(CMAKE_SKIP_RPATH TRUE)\n"
        f"{hints}"
    )


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
