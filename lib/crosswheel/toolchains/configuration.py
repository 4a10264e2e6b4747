"""Configures zigcc for a target, and build systems and pkg-config for zigcc."""

from __future__ import annotations

import shutil
from pathlib import Path

from crosswheel.model.targets import Target
from crosswheel.toolchains.build_systems import Configuration, gcc_long_double
from crosswheel.toolchains.ccache import environ, known_as
from crosswheel.toolchains.commands import write_dpkg
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.exe_wrapper import ExeWrapper
from crosswheel.toolchains.gcc import clang_arguments
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.sysroot import Sysroot
from crosswheel.toolchains.zig import Zig, build_target, has_ibm_long_double, runtime_of, zig_target, zig_words

_PROGRAMS = (
    "cc", "c++", "gcc", "g++", "clang", "clang++", "c89", "c99", "cpp", "as",
    "ar", "ranlib", "gcc-ar", "gcc-ranlib", "ld", "ld.lld", "strip",
)  # fmt: skip
# Of these, those that builds call by their path, as /usr/bin/gcc, or look for in a PATH of their own, as SCons does.
# This machine's assembler and linker stay: its compilers, under names with its triple, need them.
_BY_PATH = ("cc", "c++", "gcc", "g++", "clang", "clang++", "c89", "c99", "strip")
_TOOLS = ("ar", "strip")
# Of GNU binutils: there is none in Zig that can do as much. This machine's only know files for this machine.
_BINUTILS = ("nm", "objcopy", "objdump", "readelf")
# The compiler for this machine, and the one that ccache calls.
_FOR_US = ("build-cc", "build-c++", "zig-cc", "zig-c++", "zig-clang")

# Folders with headers and libraries for this machine.
_HOST_FOLDERS = ("/usr/include", "/usr/local/include", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64")


def configure(
    folder: Path,
    zig: Zig,
    objects: Path,
    target: Target,
    description: Description,
    sysroot: Sysroot | None,
    python: Path,
    wrapper: ExeWrapper | None,
    *,
    debug: bool,
) -> Configuration:
    """Write every file; `python` is the build environment's interpreter, `objects` the folder of the object cache."""
    made = Configuration(folder)
    made.write(
        target,
        description,
        python,
        cmake=_cmake(made, target, sysroot, python),
        programs={"c": made.program("cc"), "cpp": made.program("c++"), **{name: made.program(name) for name in _TOOLS}},
        long_double=gcc_long_double(target, sysroot.gcc) if sysroot and sysroot.gcc else zig_long_double(target),
        sysroot=sysroot.root if sysroot else None,
        wrapper=wrapper,
    )
    if shutil.which("dpkg"):
        write_dpkg(made.bin, target)
    (folder / "compiled").mkdir()
    shutil.copy2(zig.driver, made.bin / "zigcc")
    prefixes = ("", f"{target.multiarch}-")
    for name in (*(prefix + name for prefix in prefixes for name in _PROGRAMS), *_FOR_US):
        (made.bin / name).symlink_to("zigcc")
    for name in _BINUTILS:
        if binutil := shutil.which(f"{target.multiarch}-{name}"):
            (made.bin / name).symlink_to(binutil)
    _write_by_path(made)
    (folder / "zigcc.conf").write_text(
        _zigcc_conf(made, zig, objects, target, description, sysroot, python, debug=debug)
    )
    return made


def _write_by_path(made: Configuration) -> None:
    """Small programs that call the driver, which finds its configuration by its own place."""
    made.by_path.mkdir()
    for name in _BY_PATH:
        path = made.by_path / name
        path.write_text(f'#!/bin/sh\nexec "{made.program(name)}" "$@"\n')
        path.chmod(0o755)


def zig_long_double(target: Target) -> str:
    """Zig's format of long double by numpy's name: gcc's, but IEEE's on POWER where the glibc has it."""
    on_power = (target.arch.name, target.policy.libc) == ("ppc64le", "glibc")
    return "IEEE_QUAD_LE" if on_power and not has_ibm_long_double(target) else gcc_long_double(target)


def compiles_of(folder: Path) -> Path:
    """The file to which ccache logs each compile of the project."""
    return folder / "compiles"


def environ_of(made: Configuration, sysroot: Sysroot | None) -> dict[str, str]:
    """The environment variables by which build systems find the files."""
    libraries = [made.pkgconfig, *(sysroot.pkgconfig if sysroot else ())]
    return {
        **made.environ(),
        "CC": made.program("cc"),
        "CXX": made.program("c++"),
        "AR": made.program("ar"),
        "RANLIB": made.program("ranlib"),
        "STRIP": made.program("strip"),
        # No folder of this machine: its libraries are for another processor.
        "PKG_CONFIG_LIBDIR": ":".join(map(str, libraries)),
        **({"PKG_CONFIG_SYSROOT_DIR": str(sysroot.root)} if sysroot else {}),
    }


def _zigcc_conf(
    made: Configuration,
    zig: Zig,
    objects: Path,
    target: Target,
    description: Description,
    sysroot: Sysroot | None,
    python: Path,
    *,
    debug: bool,
) -> str:
    folder = made.folder
    lines = [
        f"zig {zig.program}",
        f"library {zig.library}",
        f"cache {zig.cache}",
        f"objects {folder / 'compiled'}",
        f"folder {folder.parent}",
        f"target {zig_target(target)}",
        *(f"word {word}" for word in zig_words(target)),
        *([f"runtime {runtime}"] if (runtime := runtime_of(zig, target)) else []),
        f"build-target {build_target()}",
        f"multiarch {target.multiarch}",
        f"debug {'yes' if debug else 'no'}",
        *(f"map {old} {description.include}" for old in description.replaced),
        f"over {python.parent.parent.resolve()} {made.requirements}",
        *(f"hide {host}" for host in _HOST_FOLDERS),
    ]
    if zig.ccache:
        identity = known_as(f"{version_of('zig')} {sysroot.identity}" if sysroot and sysroot.gcc else version_of("zig"))
        settings = {**environ(compiles_of(folder), objects), **identity}
        lines += [
            f"linked {objects / 'lto'}",
            f"ccache {zig.ccache}",
            *(f"setting {name}={value}" for name, value in settings.items()),
        ]
    if sysroot:
        lines.append(f"root {sysroot.root}")
    if sysroot and sysroot.gcc:
        words = clang_arguments(
            sysroot.gcc, target.arch, resources=zig.library, programs=folder / "bin", sysroot=sysroot.root
        )
        lines += [f"clang {word}" for word in words]
    elif sysroot:
        lines += [f"include {path}" for path in sysroot.includes(target)]
        lines += [f"lib {path}" for path in sysroot.libraries(target)]
    return "\n".join(lines) + "\n"


def _cmake(made: Configuration, target: Target, sysroot: Sysroot | None, python: Path) -> list[str]:
    """Lines of a toolchain file (cmake-toolchains(7)): packages come from the build environment, not the machine."""
    roots = (python.parent.parent, *([sysroot.root] if sysroot else ()))
    # Without programs: those of a prefix would be the target's.
    found = {"INCLUDE": sysroot.includes(target), "LIBRARY": sysroot.libraries(target)} if sysroot else {}
    compilers = {"C": "cc", "CXX": "c++", "ASM": "cc"}
    tools = {"AR": "ar", "RANLIB": "ranlib", "STRIP": "strip"}
    return [
        "set(CMAKE_SYSTEM_NAME Linux)",
        f"set(CMAKE_SYSTEM_PROCESSOR {target.arch})",
        *(f'set(CMAKE_{language}_COMPILER "{made.program(name)}")' for language, name in compilers.items()),
        *(f'set(CMAKE_{tool} "{made.program(name)}" CACHE FILEPATH "")' for tool, name in tools.items()),
        *(f'list(APPEND CMAKE_FIND_ROOT_PATH "{root}")' for root in roots),
        *(f'list(APPEND CMAKE_{kind}_PATH "{path}")' for kind, paths in found.items() for path in paths),
        "set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)",
        "set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)",
        "set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)",
        "set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE BOTH)",
        "set(CMAKE_FIND_USE_CMAKE_SYSTEM_PATH FALSE)",
        # The driver only keeps run paths inside the wheel; CMake's install step would fail to edit the removed ones.
        "set(CMAKE_BUILD_WITH_INSTALL_RPATH TRUE)",
    ]
