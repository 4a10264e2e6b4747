"""Describes the target's CPython: its sysconfig and its headers.

The values are read from a sysroot or image that contains that CPython. Without one they are derived from an interpreter
of the same X.Y on this machine: this file lists the differences between Linux targets, in processors, sizes of C types
and byte order.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosswheel.errors import MissingTool
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import Target
from crosswheel.system.interpreters import facts_of
from crosswheel.system.memo import Answers
from crosswheel.system.process import Processes

# The flags of CPython's Makefile in pypa's images, without -g: -O3 and -Wall are its defaults for extensions.
_OPT = "-DNDEBUG -O3 -Wall"
_BASECFLAGS = "-fno-strict-overflow -Wsign-compare"

# Flags of CPython 3.15 and later for extensions, so that profilers can walk the stack (PEP 831). s390x has a flag of
# its own, Thumb code has other frames, and gcc knows the flag for leaf functions on some architectures only.
_FIRST_WITH_FRAME_POINTERS = 15
_FRAME_POINTERS = {
    **dict.fromkeys(("aarch64", "x86_64", "i686"), "-fno-omit-frame-pointer -mno-omit-leaf-frame-pointer"),
    "armv7l": "-fno-omit-frame-pointer -marm",
    "s390x": "-mbackchain",
}

# The macros of pyconfig.h that extensions see and that differ between Linux targets; None: not defined. Debian builds
# the same CPython for all of them, and its files show no other difference.
_OTHER_PROCESSOR = {"HAVE_GCC_ASM_FOR_X64": None, "HAVE_GCC_ASM_FOR_X87": None, "HAVE_GCC_ASM_FOR_MC68881": None}
_OTHER_WORDS: Mapping[int, Mapping[str, int | None]] = {
    32: {
        "HAVE_GCC_ASM_FOR_X64": None,
        **dict.fromkeys(("SIZEOF_LONG", "SIZEOF_VOID_P", "SIZEOF_SIZE_T", "SIZEOF_UINTPTR_T", "SIZEOF_PTHREAD_T"), 4),
        **dict.fromkeys(("ALIGNOF_LONG", "ALIGNOF_SIZE_T"), 4),
        "HAVE_GCC_UINT128_T": None,
        "HAVE_LARGEFILE_SUPPORT": 1,
    }
}
_BIG_ENDIAN = {
    "DOUBLE_IS_LITTLE_ENDIAN_IEEE754": None,
    "DOUBLE_IS_BIG_ENDIAN_IEEE754": 1,
    "FLOAT_WORDS_BIGENDIAN": 1,
    "WORDS_BIGENDIAN": 1,
}
# In bytes, where they are not 16.
_SIZES = {"SIZEOF_LONG_DOUBLE": {"armv7l": 8, "i686": 12}, "ALIGNOF_MAX_ALIGN_T": {"armv7l": 8, "s390x": 8}}
_TIMES = {"glibc": 4, "musl": 8}  # bytes of a time_t on 32-bit targets

_PROBE = """\
import json, sysconfig
print(json.dumps({"include": sysconfig.get_path("include"), "platinclude": sysconfig.get_path("platinclude"),
    "multiarch": sysconfig.get_config_var("MULTIARCH") or "", "stdlib": sysconfig.get_path("stdlib")}))
"""

# Arguments that make an interpreter print its Layout.
ASK = ("-I", "-c", _PROBE)


@dataclass(frozen=True)
class Layout:
    """The folders of an interpreter's headers and standard library; `multiarch` is Debian's folder for the triple."""

    include: Path
    platinclude: Path
    stdlib: Path
    multiarch: str


@dataclass(frozen=True)
class Description:
    """Files that describe a target's CPython: `path` is JSON for impersonate.py, `include` the folder of Python.h."""

    path: Path
    include: Path
    replaced: tuple[Path, ...]
    """Folders of this machine's headers, which `include` replaces."""


def derivable() -> bool:
    """Whether descriptions can be derived from interpreters of this machine: it is 64-bit little-endian."""
    return (sys.maxsize > 1 << 32, sys.byteorder) == (True, "little")


def differences(target: Target) -> dict[str, int | None]:
    """The macros of the target's pyconfig.h that differ from a 64-bit little-endian machine's; None: not defined."""
    arch = target.arch
    found: dict[str, int | None] = {} if arch.name in {"x86_64", "i686"} else dict(_OTHER_PROCESSOR)
    if words := _OTHER_WORDS.get(arch.bits):
        found |= {**words, "SIZEOF_TIME_T": _TIMES[target.policy.libc]}
    if arch.byteorder == "big":
        found |= _BIG_ENDIAN
    for macro, sizes in _SIZES.items():
        found |= {macro: sizes[arch.name]} if arch.name in sizes else {}
    return found


def find_real(target: Target, sysroot: Path | None) -> Path | None:
    """The `_sysconfigdata` file of the target's CPython in a sysroot, in the layout of pypa, Debian or CPython."""
    if sysroot is None:
        return None
    flag = "t" if target.python.free_threaded else ""
    name = f"lib/{target.python.name}/_sysconfigdata_{flag}_*.py"
    for base in ("opt/_internal/*", "usr", "usr/local", "."):
        for path in sorted(sysroot.glob(f"{base}/{name}")):
            return path
    return None


def find_python(target: Target, sysroot: Path | None) -> Path | None:
    """The interpreter of the target's CPython in a sysroot."""
    real = find_real(target, sysroot)
    python = real and real.parent.parent.parent / "bin" / real.parent.name
    return python if python and python.is_file() else None


def describe(
    target: Target,
    interpreter: Interpreter,
    sysroot: Path | None,
    compilers: Mapping[str, str],
    folder: Path,
    processes: Processes,
    environ: Mapping[str, str],
    answers: Answers,
) -> Description:
    """Write the description and the headers of the target's CPython into `folder`.

    `compilers` maps CC, CXX, AR and RANLIB to programs.
    """
    layout = _layout(facts_of(interpreter.path, processes, environ, answers))
    real = find_real(target, sysroot)
    if real is None or sysroot is None:
        return derive(target, layout, layout.include, compilers, folder)
    headers, pyconfig = _real_headers(target, real, sysroot)
    return _write(target, layout, headers, pyconfig, {}, compilers, folder)


def read_layout(answer: str) -> Layout:
    """Parse the output of an interpreter started with ASK."""
    return _layout(json.loads(answer))


def _layout(told: Mapping[str, Any]) -> Layout:
    return Layout(Path(told["include"]), Path(told["platinclude"]), Path(told["stdlib"]), told["multiarch"])


def derive(target: Target, layout: Layout, headers: Path, compilers: Mapping[str, str], folder: Path) -> Description:
    """Like `describe`, from an interpreter that need not be on this machine; `headers` are its headers or a copy."""
    pyconfig = _pyconfig(headers, layout.multiarch)
    return _write(target, layout, headers, pyconfig, differences(target), compilers, folder)


def _write(
    target: Target,
    layout: Layout,
    headers: Path,
    pyconfig: Path,
    changes: Mapping[str, int | None],
    compilers: Mapping[str, str],
    folder: Path,
) -> Description:
    include = folder / "include" / target.python.name
    _write_headers(include, headers, pyconfig, changes)
    lib = folder / "lib"
    lib.mkdir(parents=True, exist_ok=True)
    (lib / include.name).symlink_to(layout.stdlib)
    path = folder / "target.json"
    path.write_text(json.dumps(_answers(target, compilers, folder, include), indent=1, sort_keys=True))
    return Description(path, include, tuple(dict.fromkeys((layout.include, layout.platinclude))))


def _answers(target: Target, compilers: Mapping[str, str], prefix: Path, include: Path) -> dict[str, Any]:
    """The JSON for impersonate.py: sizes and features come from pyconfig.h, compilers and folders from us."""
    sizes = _read_macros(include / "pyconfig.h")
    cc, cxx, flags = compilers["CC"], compilers["CXX"], _base_flags(target)
    lib = str(prefix / "lib")
    ours = {
        "SOABI": target.soabi,
        "EXT_SUFFIX": target.ext_suffix,
        "SHLIB_SUFFIX": ".so",
        "MULTIARCH": target.multiarch,
        "HOST_GNU_TYPE": target.multiarch,
        "BUILD_GNU_TYPE": target.multiarch,
        "MACHDEP": "linux",
        "CC": cc,
        "CXX": cxx,
        "AR": compilers["AR"],
        "ARFLAGS": "rcs",
        "RANLIB": compilers["RANLIB"],
        "OPT": _OPT,
        "CFLAGS": f"{flags} {_OPT}",
        "PY_CFLAGS": f"{flags} {_OPT}",
        "BASECFLAGS": flags,
        "CCSHARED": "-fPIC",
        "CPPFLAGS": "",
        "LDFLAGS": "",
        "LDSHARED": f"{cc} -shared",
        "LDCXXSHARED": f"{cxx} -shared",
        "BLDSHARED": f"{cc} -shared",
        "LINKCC": cc,
        "LIBS": "-lpthread -ldl -lutil",
        "SYSLIBS": "-lm",
        "CONFIG_ARGS": "",
        "INCLUDEPY": str(include),
        "CONFINCLUDEPY": str(include),
        "INCLUDEDIR": str(include.parent),
        "CONFINCLUDEDIR": str(include.parent),
        "LIBDIR": lib,
        "LIBPL": lib,
        "LIBPC": f"{lib}/pkgconfig",
        "LDLIBRARY": f"libpython{target.python.version}.a",
        "LIBRARY": f"libpython{target.python.version}.a",
        "INSTSONAME": f"libpython{target.python.version}.a",
        "Py_ENABLE_SHARED": 0,
        "installed_base": str(prefix),
        "installed_platbase": str(prefix),
    }
    return {
        "platform": f"linux-{target.arch}",
        "machine": str(target.arch),
        "multiarch": target.multiarch,
        "vars": {**sizes, **ours},
    }


def _base_flags(target: Target) -> str:
    """BASECFLAGS of the target's CPython."""
    if target.python.minor < _FIRST_WITH_FRAME_POINTERS:
        return _BASECFLAGS
    return f"{_BASECFLAGS} {_FRAME_POINTERS.get(target.arch.name, '-fno-omit-frame-pointer')}"


def _read_macros(pyconfig: Path) -> dict[str, Any]:
    """The macros of pyconfig.h as in CPython's sysconfig: undefined ones are 0."""
    with pyconfig.open(encoding="utf-8") as file:
        return sysconfig.parse_config_h(file)


def _real_headers(target: Target, sysconfigdata: Path, sysroot: Path) -> tuple[Path, Path]:
    """The folder of Python.h and the file pyconfig.h of a sysroot's CPython."""
    prefix = sysconfigdata.parent.parent.parent
    include = prefix / "include" / sysconfigdata.parent.name
    pyconfig = _pyconfig(include, target.multiarch)
    if not (include / "Python.h").is_file() or not pyconfig.is_file():
        raise MissingTool(
            f"the sysroot has CPython {target.python.version}, but not its headers (Python.h and pyconfig.h)",
            hint=f"unpack the target's package libpython{target.python.version}-dev into {sysroot}",
        )
    return include, pyconfig


def _pyconfig(include: Path, multiarch: str) -> Path:
    """The pyconfig.h with the macros: Debian's main one includes that of the architecture from another folder."""
    apart = include.parent / multiarch / include.name / "pyconfig.h"
    return apart if apart.is_file() else include / "pyconfig.h"


def _write_headers(include: Path, source: Path, pyconfig: Path, changes: Mapping[str, int | None]) -> None:
    shutil.copytree(source, include, ignore=shutil.ignore_patterns("pyconfig.h"))
    text = pyconfig.read_text("utf-8", "replace")
    for macro, value in changes.items():
        line = rf"^(?:/\* )?#( *)(?:define {macro} .*|undef {macro} \*/)$"
        new = rf"/* #\1undef {macro} */" if value is None else rf"#\1define {macro} {value}"
        text = re.sub(line, new, text, flags=re.MULTILINE)
    (include / "pyconfig.h").write_text(text, "utf-8")
