"""A stand-in for dockcross/manylinux_2_28-aarch64: compilers for aarch64, and Pythons, that run on x86_64."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.manylinux import POLICY, manylinux
from containers.stand_ins.opt_python import MINORS, debian_python, version_of, write_cpython
from containers.stand_ins.qemu_user_static import write_emulator
from containers.stand_ins.system import link, system, write

ARCH = "x86_64"
TARGET = "aarch64"
TRIPLE = "aarch64-unknown-linux-gnu"

_ROOT = f"/usr/xcc/{TRIPLE}"
_DEBIAN_TRIPLE = "aarch64-linux-gnu"
_COMPILERS = (f"gcc-{_DEBIAN_TRIPLE}", f"g++-{_DEBIAN_TRIPLE}")
_PROGRAMS = {
    "ar": "ar", "as": "as", "c++": "g++", "cc": "gcc", "cpp": "cpp", "g++": "g++", "gcc": "gcc", "gcc-ar": "gcc-ar",
    "gcc-nm": "gcc-nm", "gcc-ranlib": "gcc-ranlib", "ld": "ld", "nm": "nm", "objcopy": "objcopy", "objdump": "objdump",
    "ranlib": "ranlib", "readelf": "readelf", "strip": "strip",
}  # fmt: skip
_VARIABLES = {
    "AS": "as", "AR": "ar", "CC": "gcc", "CPP": "cpp", "CXX": "g++", "LD": "ld", "OBJCOPY": "objcopy", "STRIP": "strip",
}  # fmt: skip

_TOOLCHAIN = f"""\
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_VERSION 1)
set(CMAKE_SYSTEM_PROCESSOR {TARGET})
set({POLICY.upper()} TRUE)
set(cross_triple $ENV{{CROSS_TRIPLE}})
set(cross_root $ENV{{CROSS_ROOT}})
set(CMAKE_C_COMPILER $ENV{{CC}})
set(CMAKE_CXX_COMPILER $ENV{{CXX}})
set(CMAKE_FIND_ROOT_PATH ${{cross_root}} /usr/{_DEBIAN_TRIPLE})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY BOTH)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE BOTH)
set(CMAKE_CROSSCOMPILING_EMULATOR /usr/bin/qemu-aarch64-static)
"""

# Without a command, the image prints a script for users to call it by.
_ENTRYPOINT = """\
#!/bin/bash
if [ $# -eq 0 ]; then
    echo "#!/usr/bin/env bash"
    echo 'exec docker run --rm "$DEFAULT_DOCKCROSS_IMAGE" "$@"'
    exit
fi
exec "$@"
"""

# An environment for each CPython, by real crossenv: it asks the Python that it is for no question, but reads its files.
_SETUP = """\
set -eu
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
for each in "$@"; do
    tag=${each%=*}
    /opt/python/$tag/bin/pip install --quiet crossenv
    /opt/python/$tag/bin/python -m crossenv "${each#*=}/bin/python3" /opt/_internal/$tag-xc
    ln -s /opt/_internal/$tag-xc /opt/python/$tag-xc
    /opt/python/$tag-xc/cross/bin/pip install --quiet wheel
done
"""


def dockcross(arch: str, folder: Path, cache: Path) -> Image:
    base = manylinux(arch, folder / "manylinux", cache)
    cross = folder / "cross"
    _copy_new_files(system(arch, _COMPILERS, cache), base.layers[0], cross)
    write_emulator(cross, arch, cache)
    for name, program in _PROGRAMS.items():
        link(cross / _ROOT.lstrip("/") / "bin" / f"{TRIPLE}-{name}", f"/usr/bin/{_DEBIAN_TRIPLE}-{program}")
    link(cross / _ROOT.lstrip("/") / TRIPLE / "sysroot", f"/usr/{_DEBIAN_TRIPLE}")
    write(cross / _ROOT.lstrip("/") / "Toolchain.cmake", _TOOLCHAIN)
    write(cross / "dockcross/entrypoint.sh", _ENTRYPOINT, 0o755)
    targets = [f"cp3{minor}-cp3{minor}=/{_write_target_python(cross, minor, cache)}" for minor in MINORS]
    return replace(
        base,
        layers=[*base.layers, cross],
        environ={**base.environ, **_environ(base.environ["PATH"])},
        entrypoint=["/dockcross/entrypoint.sh"],
        command=(),
        setup=["bash", "-c", _SETUP, "bash", *targets],
    )


def _write_target_python(layer: Path, minor: int, cache: Path) -> str:
    """What a build for the target has to know of its CPython; gives the folder."""
    root = debian_python(TARGET, minor, cache)
    home = f"opt/_internal/xc/xcpython-{version_of(root / 'usr', minor)}"
    write_cpython(layer, home, root, minor, _DEBIAN_TRIPLE, f"{TRIPLE}-")
    link(layer / home / "bin/python3", f"python3.{minor}")
    return home


def _environ(path: str) -> dict[str, str]:
    return {
        **{name: f"{_ROOT}/bin/{TRIPLE}-{program}" for name, program in _VARIABLES.items()},
        "ARCH": "arm64",
        "AUDITWHEEL_ARCH": TARGET,
        "AUDITWHEEL_PLAT": f"{POLICY}_{TARGET}",
        "CMAKE_TOOLCHAIN_FILE": f"{_ROOT}/Toolchain.cmake",
        "CROSS_COMPILE": f"{TRIPLE}-",
        "CROSS_ROOT": _ROOT,
        "CROSS_TRIPLE": TRIPLE,
        "DEFAULT_DOCKCROSS_IMAGE": f"dockcross/{POLICY}-{TARGET}",
        "PATH": f"{path}:{_ROOT}/bin",
        "PKG_CONFIG_PATH": f"/usr/lib/{_DEBIAN_TRIPLE}/pkgconfig",
        "QEMU_LD_PREFIX": f"{_ROOT}/{TRIPLE}/sysroot",
        "XCC_PREFIX": "/usr/xcc",
    }


def _copy_new_files(source: Path, system: Path, layer: Path) -> None:
    """What the compilers bring over the system."""
    for folder, _, names in os.walk(source):
        inside = Path(folder).relative_to(source)
        for name in names:
            if not os.path.lexists(system / inside / name):
                (layer / inside).mkdir(parents=True, exist_ok=True)
                shutil.copy2(Path(folder, name), layer / inside / name, follow_symlinks=False)
