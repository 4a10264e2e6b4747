"""The stand-in for pypa's image with its compilers in a toolset's layout, as the images of AlmaLinux have them.

gcc and binutils lie below /opt/rh, and binutils start with the toolset's LD_LIBRARY_PATH only. The system's libstdc++
is older than the gcc: a linker script adds an archive with what it lacks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.manylinux import manylinux
from containers.stand_ins.system import link, write
from gcc_roots import LIBSTDCXX, TOOLSET, older_libstdcxx

_PREFIX = f"{TOOLSET}/{{}}"
_TRIPLE = "aarch64-linux-gnu"
_LIBRARIES = f"usr/lib/{_TRIPLE}"

# Below /usr, what moves into the toolset, in folders or by the patterns of names.
_FOLDERS = ("include/c++", f"include/{_TRIPLE}/c++", "lib/gcc", "libexec/gcc")
_PROGRAMS = (
    *("*gcc", "*gcc-[0-9a-z]*", "*g++", "*g++-[0-9]*", "*cpp", "*cpp-[0-9]*", "*gfortran", "*gfortran-[0-9]*"),
    *("*-as", "as", "*-ld", "*-ld.bfd", "ld", "ld.bfd", "*-ar", "ar", "*-nm", "nm", "*-ranlib", "ranlib", "*-strip"),
    *("strip", "*objcopy", "*objdump", "*readelf", "*c++", "cc", "c[89]9*"),
)
_OF_BINUTILS = ("libbfd-*", "libopcodes-*", "libctf*", "libsframe.so*")


def toolset(arch: str, layer: Path, cache: Path) -> Image:
    """Only of aarch64."""
    image = manylinux(arch, layer, cache)
    packages, tools = image.layers[0], layer / TOOLSET
    for name in _FOLDERS:
        shutil.copytree(packages / "usr" / name, tools / name, symlinks=True)
        _hide(layer / "usr" / name)
    _move(image.layers, "usr/bin", tools / "bin", _PROGRAMS)
    _move(image.layers, _LIBRARIES, tools / "lib64", _OF_BINUTILS)
    (gcc,) = (tools / "lib/gcc").glob("*/*")
    for path in [path for path in gcc.iterdir() if path.is_symlink()]:
        target = os.path.normpath(f"/usr/lib/gcc/{_TRIPLE}/{gcc.name}/{path.readlink()}")
        path.unlink()
        path.symlink_to(target)
    (gcc / "libstdc++.so").unlink()
    write(gcc / "libstdc++.so", LIBSTDCXX)
    (gcc / "libstdc++.a").rename(gcc / "libstdc++_nonshared.a")
    (layer / "usr/lib64").mkdir(exist_ok=True)
    shutil.copyfile(older_libstdcxx(cache), layer / "usr/lib64/libstdc++.so.6")
    link(layer / _LIBRARIES / "libstdc++.so.6", "/usr/lib64/libstdc++.so.6")
    return replace(image, environ=_environ(image.environ))


def _environ(of_image: Mapping[str, str]) -> dict[str, str]:
    libraries = [_PREFIX.format(name) for name in ("lib64", "lib", "lib64/dyninst", "lib/dyninst")]
    return {
        **of_image,
        "DEVTOOLSET_ROOTPATH": f"/{Path(TOOLSET).parent}",
        "LD_LIBRARY_PATH": ":".join(f"/{name}" for name in libraries),
        "PATH": f"/{TOOLSET}/bin:{of_image['PATH']}",
    }


def _move(layers: Sequence[Path], folder: str, target: Path, patterns: Sequence[str]) -> None:
    """Files of the folder, from the lowest layer, which stays as it is, and the highest."""
    lowest, highest = (layer / folder for layer in layers)
    target.mkdir(parents=True, exist_ok=True)
    for path in [*_named(lowest, patterns), *_named(highest, patterns)]:
        shutil.copy2(path, target / path.name, follow_symlinks=False)
        (highest / path.name).unlink(missing_ok=True)
        _hide(highest / path.name)


def _named(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    found = folder.iterdir() if folder.is_dir() else ()
    return (path for path in found if any(fnmatch(path.name, pattern) for pattern in patterns))


def _hide(path: Path) -> None:
    """A layer's way to remove a file of those below."""
    write(path.with_name(f".wh.{path.name}"), "")
