"""The target in the words of zigcc, and Zig in those of build systems and pkg-config."""

from __future__ import annotations

import shutil
from pathlib import Path

from crosswheel.model.targets import Target
from crosswheel.toolchains.build_systems import Configuration, gcc_long_double
from crosswheel.toolchains.ccache import environ, known_as
from crosswheel.toolchains.commands import write_dpkg
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.zig import Zig, build_target, zig_target

_PROGRAMS = ("cc", "c++", "gcc", "g++", "clang", "clang++", "ar", "ranlib", "ld", "strip")
_TOOLS = ("ar", "strip")
# The compiler of this machine, and what ccache calls.
_FOR_US = ("build-cc", "build-c++", "zig-cc", "zig-c++")

# Folders of this machine that hold headers and libraries of this machine.
_HOST_FOLDERS = ("/usr/include", "/usr/local/include", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")


def configure(
    folder: Path,
    zig: Zig,
    objects: Path,
    target: Target,
    description: Description,
    sysroot: Path | None,
    python: Path,
    *,
    debug: bool,
) -> Configuration:
    """Write every file; `python` is the build environment's interpreter, `objects` where compiled objects are kept."""
    made = Configuration(folder)
    made.write(
        target,
        description,
        python,
        cmake=_cmake(made, target, sysroot, python),
        programs={"c": made.program("cc"), "cpp": made.program("c++"), **{name: made.program(name) for name in _TOOLS}},
        long_double=zig_long_double(target),
        sysroot=sysroot,
    )
    if shutil.which("dpkg"):
        write_dpkg(made.bin, target)
    (folder / "compiled").mkdir()
    shutil.copy2(zig.driver, made.bin / "zigcc")
    prefixes = ("", f"{target.multiarch}-")
    for name in (*(prefix + name for prefix in prefixes for name in _PROGRAMS), *_FOR_US):
        (made.bin / name).symlink_to("zigcc")
    (folder / "zigcc.conf").write_text(_zigcc_conf(folder, zig, objects, target, description, sysroot, debug=debug))
    return made


def zig_long_double(target: Target) -> str:
    """Its format, in numpy's words: gcc's, but on POWER, where Zig has IEEE's number of 128 bits for glibc."""
    on_power = (target.arch.name, target.policy.libc) == ("ppc64le", "glibc")
    return "IEEE_QUAD_LE" if on_power else gcc_long_double(target)


def compiles_of(folder: Path) -> Path:
    """The file in which ccache tells of each compile of the project."""
    return folder / "compiles"


def environ_of(made: Configuration, sysroot: Path | None) -> dict[str, str]:
    """The variables that make build systems find all this."""
    libraries = [made.pkgconfig, *(sysroot_pkgconfig(sysroot) if sysroot else ())]
    return {
        **made.environ(),
        "CC": made.program("cc"),
        "CXX": made.program("c++"),
        "AR": made.program("ar"),
        "RANLIB": made.program("ranlib"),
        "STRIP": made.program("strip"),
        # Nothing of this machine: its libraries are for another processor.
        "PKG_CONFIG_LIBDIR": ":".join(map(str, libraries)),
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


def _zigcc_conf(
    folder: Path,
    zig: Zig,
    objects: Path,
    target: Target,
    description: Description,
    sysroot: Path | None,
    *,
    debug: bool,
) -> str:
    lines = [
        f"zig {zig.program}",
        f"library {zig.library}",
        f"cache {zig.cache}",
        f"objects {folder / 'compiled'}",
        f"folder {folder.parent}",
        f"target {zig_target(target)}",
        f"build-target {build_target()}",
        f"multiarch {target.multiarch}",
        f"debug {'yes' if debug else 'no'}",
        *(f"map {old} {description.include}" for old in description.replaced),
        *(f"hide {host}" for host in _HOST_FOLDERS),
    ]
    if zig.ccache:
        identity = known_as(version_of("zig"))
        settings = {**environ(compiles_of(folder), objects), **identity}
        lines += [f"ccache {zig.ccache}", *(f"setting {name}={value}" for name, value in settings.items())]
    if sysroot:
        lines += [f"include {path}" for path in sysroot_includes(sysroot, target)]
        lines += [f"lib {path}" for path in sysroot_libraries(sysroot, target)]
    return "\n".join(lines) + "\n"


def _cmake(made: Configuration, target: Target, sysroot: Path | None, python: Path) -> list[str]:
    """Of a toolchain file (cmake-toolchains(7)); packages of the build environment are found, the machine's are not."""
    roots = (python.parent.parent, *([sysroot] if sysroot else ()))
    compilers = {"C": "cc", "CXX": "c++", "ASM": "cc"}
    tools = {"AR": "ar", "RANLIB": "ranlib", "STRIP": "strip"}
    return [
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
    ]
