"""Roots with a gcc, of Debian packages: in Debian's layout, and for aarch64 in that of a toolset of RHEL.

The toolset has what pypa's images of AlmaLinux have and Debian has not: a gcc below /opt/rh with the triple of Red Hat,
libraries in lib64, and a libstdc++ that is older than the gcc, so that a linker script adds an archive with the rest.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from debian import unpacked

_TRIPLE = "aarch64-linux-gnu"
_RED_HAT = "aarch64-redhat-linux"
TOOLSET = "opt/rh/gcc-toolset-14/root/usr"
_VERSION = "14"

# As in RHEL's packages, and as finalize.sh of pypa/manylinux changes the first.
_FORMAT = "/* GNU ld script */\nOUTPUT_FORMAT(elf64-littleaarch64)\n"
LIBSTDCXX = _FORMAT + "INPUT ( /usr/lib64/libstdc++.so.6 -lstdc++_nonshared /usr/lib64/libstdc++.so.6 )\n"
_LIBGCC = _FORMAT + "GROUP ( /lib64/libgcc_s.so.1 libgcc.a )\n"


@dataclass(frozen=True)
class GccRoot:
    """A root and the PATH of its image."""

    root: Path
    path: str


def debian_root(cache: Path, architecture: str, suite: str) -> GccRoot:
    """With Debian's word for the architecture. Raises DebianUnavailable."""
    return GccRoot(unpacked(architecture, ("g++", "zlib1g-dev"), suite, cache), "/usr/bin:/bin")


def older_libstdcxx(cache: Path) -> Path:
    """The libstdc++.so.6 of gcc 10, for arm64. Raises DebianUnavailable."""
    return unpacked("arm64", ("libstdc++6",), "bullseye", cache) / "usr/lib" / _TRIPLE / "libstdc++.so.6"


def toolset_root(debian: GccRoot, older: Path, folder: Path) -> GccRoot:
    """The files of trixie's arm64 in a toolset's layout, in `folder`; they are shared where the disk is the same.

    `older` is the libstdc++ of its system.
    """
    source = debian.root / "usr"
    lib64, tools = folder / "usr/lib64", folder / TOOLSET
    gcc = tools / "lib/gcc" / _RED_HAT / _VERSION
    _share(source / "lib" / _TRIPLE, lib64)
    _share(source / "include", folder / "usr/include", _TRIPLE, "c++")
    _share(source / "include" / _TRIPLE, folder / "usr/include", "asm", "c++")
    shutil.copytree(source / "include" / _TRIPLE / "asm", folder / "usr/include/asm")  # of links that lead elsewhere
    _share(source / "include/c++", tools / "include/c++")
    _share(source / "include" / _TRIPLE / "c++" / _VERSION, tools / "include/c++" / _VERSION / _RED_HAT)
    _share(source / "lib/gcc" / _TRIPLE / _VERSION, gcc)
    (tools / "bin").mkdir()
    (tools / "bin/gcc").touch()
    (folder / "lib64").symlink_to("usr/lib64")
    for script in ("libc.so", "libm.so"):
        text = (source / "lib" / _TRIPLE / script).read_text().replace(f"/lib/{_TRIPLE}/", "/lib64/")
        (lib64 / script).unlink()
        (lib64 / script).write_text(text.replace("/lib/ld-", "/lib64/ld-").replace("/usr/lib64/", "/lib64/"))
    for name, text in (("libstdc++.so", LIBSTDCXX), ("libgcc_s.so", _LIBGCC)):
        (gcc / name).unlink()
        (gcc / name).write_text(text)
    (gcc / "libstdc++.a").rename(gcc / "libstdc++_nonshared.a")
    (lib64 / "libstdc++.so.6").unlink()
    shutil.copyfile(older, lib64 / "libstdc++.so.6")
    return GccRoot(folder, f"/{TOOLSET}/bin:/usr/bin:/bin")


def _share(source: Path, target: Path, *without: str) -> None:
    ignore = shutil.ignore_patterns(*without) if without else None
    shutil.copytree(source, target, symlinks=True, ignore=ignore, copy_function=_linked, dirs_exist_ok=True)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target)
