"""The gcc of an image, and the words that make Zig's clang act like it.

Clang then takes its start files, libgcc, libstdc++ and headers, so that objects and exceptions have the ABI of the
image, and wheels link the runtime that the image's policy promises. Engines in containers ask the gcc itself; without a
container its folder is found by the image's files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from crosswheel.model.targets import Architecture

# The oldest processor that gcc compiles for in images (Debian's armhf and s390x), where clang would take an older one;
# and without the transactions of a POWER8, which a POWER10 lacks.
_PROCESSORS = {
    "armv7l": ("-march=armv7-a", "-mfpu=vfpv3-d16"),
    "ppc64le": ("-mno-htm",),
    "s390x": ("-march=z196",),
}
# The first gcc that has the type _Float16, and libgcc its conversions; gcc for 32-bit Arm has it by a flag only.
_HALF_SINCE = {"aarch64": 7, "x86_64": 12, "i686": 12, "riscv64": 13}
# Clang has the type before, and says so: code that asks would need conversions that no library has.
_HALF = (
    "__ARM_FP16_FORMAT_IEEE",
    *(
        f"__FLT16_{name}__"
        for name in (
            *("DECIMAL_DIG", "DENORM_MIN", "DIG", "EPSILON", "HAS_DENORM", "HAS_INFINITY", "HAS_QUIET_NAN", "MANT_DIG"),
            *("MAX_10_EXP", "MAX_EXP", "MAX", "MIN_10_EXP", "MIN_EXP", "MIN", "NORM_MAX"),
        )
    ),
)
# Clang looks for the glibc that this format needs among the files of the machine that it runs on. For complex numbers
# it calls the functions for sums of two doubles, whose results are wrong here: none is called.
_IEEE_LONG_DOUBLE = ("-mabi=ieeelongdouble", "-Wno-unsupported-abi", "-fcomplex-arithmetic=improved")
_POWER = ("powerpc64le-", "ppc64le-")  # in triples


@dataclass(frozen=True)
class Gcc:
    """A gcc by its target triple and the folder of its libgcc, ``lib/gcc/TRIPLE/VERSION``.

    `fortran` says whether a gfortran is there, too; `ieee_long_double`, whether its long double on POWER is IEEE's of
    128 bits, as in Fedora and RHEL, and no sum of two doubles.
    """

    triple: str
    folder: PurePath
    fortran: bool = False
    ieee_long_double: bool = False


def find_gcc(root: Path, path: str) -> Gcc | None:
    """The gcc that the PATH of an image finds first, in the image's files below `root`; None if it has none.

    gcc's manual, "Collect2", has the layout ``PREFIX/bin/gcc``, ``PREFIX/lib/gcc/TRIPLE/VERSION``. The prefix is /usr,
    or that of a toolset such as /opt/rh/gcc-toolset-14/root/usr.
    """
    for programs in path.split(":"):
        folder = root / programs.lstrip("/")
        if programs.startswith("/") and (folder / "gcc").exists():
            found = [file.parent for file in folder.parent.glob("lib/gcc/*/*/crtbegin.o")]
            if found:
                newest = max(found, key=_version)
                triple = newest.parent.name
                return Gcc(triple, newest, ieee_long_double=_made_for_ieee(folder / "gcc", triple, root))
    return None


def _made_for_ieee(program: Path, triple: str, root: Path) -> bool:
    """Whether a gcc for POWER was configured for IEEE's long double: ``gcc -v`` shows the words, which it contains."""
    real = program.resolve()
    inside = triple.startswith(_POWER) and real.is_relative_to(root.resolve()) and real.is_file()
    return inside and b"--with-long-double-format=ieee" in real.read_bytes()


def _version(folder: PurePath) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", folder.name)))


def _has_half(gcc: Gcc, arch: Architecture) -> bool:
    first = _HALF_SINCE.get(arch.name)
    return first is not None and _version(gcc.folder) >= (first,)


def clang_arguments(
    gcc: Gcc, arch: Architecture, *, resources: PurePath, programs: PurePath, sysroot: PurePath | None = None
) -> list[str]:
    """The arguments of clang for a gcc (clang's manual, "Cross-compilation using Clang").

    `resources` is clang's resource folder, `programs` the folder of ld.lld, `sysroot` the image's files unless they are
    those of the machine.
    """
    return [
        f"--target={gcc.triple}",
        *([f"--sysroot={sysroot}"] if sysroot else []),
        f"--gcc-install-dir={gcc.folder}",
        f"-resource-dir={resources}",
        f"-B{programs}",
        "-fuse-ld=lld",
        # Otherwise they depend on the distribution that clang runs on.
        "-Wl,--hash-style=gnu",
        "-Wl,-z,relro",
        *_PROCESSORS.get(arch.name, ()),
        *(_IEEE_LONG_DOUBLE if gcc.ieee_long_double else ()),
        *([] if _has_half(gcc, arch) else [f"-U{macro}" for macro in _HALF]),
        # The project did not choose clang: what gcc accepts silently must not fail a build.
        "-Qunused-arguments",
        "-Wno-unknown-warning-option",
    ]
