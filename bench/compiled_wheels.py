"""Bad wheels with real compiled code, one for each way to get a wheel wrong that tiny made-up ELF files cannot show.

Other tools read ELF files by other means than we do; what zig compiles is read by all of them alike. Python's headers
are not needed: what is wanted of CPython stands in the source, and nothing here is ever run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.testing import tiny_wheel

TAG = "cp313-cp313-manylinux_2_17_aarch64"
ARM, X86 = "aarch64-linux-gnu.2.17", "x86_64-linux-gnu.2.17"
NEW_ARM, MUSL_ARM = "aarch64-linux-gnu.2.34", "aarch64-linux-musl"
SUFFIX, STALE, X86_SUFFIX = (f".cpython-{name}-linux-gnu.so" for name in ("313-aarch64", "312-aarch64", "313-x86_64"))

_SOURCE = """
extern void *PyModuleDef_Init(void *);
extern int pthread_create(void *, void *, void *, void *);
#ifdef OTHER
extern void *OTHER(void *);
#endif
static char module[256];
#ifdef TEXT_RELOCATION
__asm__(".text\\n.balign 8\\n.xword add\\n");
#endif
#ifdef COUNTS
static __thread int counter;
static int counted[8];
int count(int n) {
    for (int i = 0; i < 8; i++) {
        __atomic_fetch_add(counted + i, n, __ATOMIC_SEQ_CST);
        __atomic_fetch_or(counted + i, n, __ATOMIC_SEQ_CST);
        __atomic_exchange_n(counted + i, n, __ATOMIC_SEQ_CST);
    }
    return counter += n;
}
#endif
#ifdef ADDS
double total(const double *values, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += values[i] * values[i];
    return sum;
}
#endif
#ifndef LIBRARY
void *PyInit_fast(void) {
#ifdef OTHER
    OTHER(module);
#endif
#ifdef THREADS
    pthread_create(module, 0, 0, 0);
#endif
    return PyModuleDef_Init(module);
}
#endif
int add(int a, int b) { return a + b; }
"""


@dataclass(frozen=True)
class Extension:
    """How one extension is made: the flags are those that a careless build would give, of any of its steps."""

    target: str = ARM
    flags: tuple[str, ...] = ()
    optimize: str = "-O2"
    linking: tuple[str, ...] = ()
    patching: tuple[str, ...] = ()


@dataclass(frozen=True)
class Compiled:
    """A wheel by its tag and what is compiled into it; `rule` is the one that is to catch it, none for a good one."""

    rule: str
    tag: str = TAG
    extensions: Mapping[str, Extension] = field(default_factory=lambda: {f"fast{SUFFIX}": Extension()})
    files: Mapping[str, bytes] = field(default_factory=dict)


HELPER = ("-DLIBRARY",)
COMPILED = {
    "a good one": Compiled(""),
    "a good one of the stable ABI": Compiled("", "cp39-abi3-manylinux_2_17_aarch64", {"fast.abi3.so": Extension()}),
    "never repaired": Compiled("W103", "cp313-cp313-linux_aarch64"),
    "x86-64 code under the right name": Compiled("W202", extensions={f"fast{SUFFIX}": Extension(X86)}),
    "x86-64 code beside the right one": Compiled(
        "W202", extensions={f"fast{SUFFIX}": Extension(), "tiny/libhelp.so": Extension(X86, HELPER)}
    ),
    "an executable stack": Compiled("W204", extensions={f"fast{SUFFIX}": Extension(patching=("--set-execstack",))}),
    "text relocations": Compiled(
        "W205", extensions={f"fast{SUFFIX}": Extension(flags=("-DTEXT_RELOCATION",), linking=("-Wl,-z,notext",))}
    ),
    "pages of 4 KiB": Compiled("W206", extensions={f"fast{SUFFIX}": Extension(linking=("-Wl,-z,max-page-size=4096",))}),
    "atomics of Armv8.1": Compiled(
        "W208", extensions={f"fast{SUFFIX}": Extension(flags=("-DCOUNTS", "-mcpu=generic+lse"))}
    ),
    "atomics of the baseline": Compiled("", extensions={f"fast{SUFFIX}": Extension(flags=("-DCOUNTS",))}),
    "compiled for haswell": Compiled(
        "W208",
        "cp313-cp313-manylinux_2_17_x86_64",
        {f"fast{X86_SUFFIX}": Extension(X86, flags=("-DADDS", "-mcpu=haswell"))},
    ),
    "doubles of the baseline": Compiled(
        "", "cp313-cp313-manylinux_2_17_x86_64", {f"fast{X86_SUFFIX}": Extension(X86, flags=("-DADDS",))}
    ),
    "thread-local storage from the start": Compiled(
        "W210",
        extensions={
            f"fast{SUFFIX}": Extension(),
            "tiny/libhelp.so": Extension(flags=(*HELPER, "-DCOUNTS", "-ftls-model=initial-exec")),
        },
    ),
    "no ABI in the tag": Compiled("W307", "cp314-none-manylinux_2_17_aarch64", {"fast.so": Extension()}),
    "the suffix of the build machine": Compiled("W301", extensions={f"fast{X86_SUFFIX}": Extension()}),
    "only another Python's build": Compiled("W301", extensions={f"fast{STALE}": Extension()}),
    "a stable ABI in a free-threaded wheel": Compiled(
        "W303", "cp313-cp313t-manylinux_2_17_aarch64", {"fast.abi3.so": Extension()}
    ),
    "another Python's build beside the right one": Compiled(
        "W304", extensions={f"fast{SUFFIX}": Extension(), f"fast{STALE}": Extension(flags=("-DOTHER=PyList_New",))}
    ),
    "a hidden PyInit": Compiled("W305", extensions={f"fast{SUFFIX}": Extension(flags=("-fvisibility=hidden",))}),
    "not of the stable ABI that it claims": Compiled(
        "W306", "cp39-abi3-manylinux_2_17_aarch64", {"fast.abi3.so": Extension(flags=("-DOTHER=_PyDict_Pop",))}
    ),
    "a run path into the build folder": Compiled(
        "W401", extensions={f"fast{SUFFIX}": Extension(linking=("-Wl,-rpath,/tmp/build",))}
    ),
    "glibc 2.34 under manylinux_2_17": Compiled(
        "W402", extensions={f"fast{SUFFIX}": Extension(NEW_ARM, flags=("-DTHREADS",))}
    ),
    "musl under manylinux": Compiled("W403", extensions={f"fast{SUFFIX}": Extension(MUSL_ARM, flags=("-DTHREADS",))}),
    "the sanitizer that zig cc adds": Compiled("W404", extensions={f"fast{SUFFIX}": Extension(optimize="-O0")}),
    "a symbol that nobody has": Compiled(
        "W405", extensions={f"fast{SUFFIX}": Extension(flags=("-DOTHER=tiny_compress",))}
    ),
    "a CPython function of a later version": Compiled(
        "W405",
        "cp310-cp310-manylinux_2_17_aarch64",
        {"fast.cpython-310-aarch64-linux-gnu.so": Extension(flags=("-DOTHER=PyModule_Add",))},
    ),
    "a platform tag, and nothing compiled": Compiled("W601", extensions={}, files={"tiny.py": b""}),
    "compiled code in a wheel for any platform": Compiled(
        "W602", "py3-none-any", {"tiny/libhelp.so": Extension(flags=HELPER)}
    ),
}


def make(case: Compiled, folder: Path) -> Path:
    members = {name: _compile(extension, folder) for name, extension in case.extensions.items()}
    return tiny_wheel(folder, tag=case.tag, members={**metadata(), **case.files, **members})


def metadata(name: str = "tiny", version: str = "1.0") -> dict[str, bytes]:
    """With a description, as twine wants one of every wheel."""
    lines = ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Description-Content-Type: text/plain")
    return {f"{name}-{version}.dist-info/METADATA": "\n".join((*lines, "", "A wheel.", "")).encode()}


def _compile(extension: Extension, folder: Path) -> bytes:
    source, unlinked, made = folder / "fast.c", folder / "fast.o", folder / "fast.so"
    source.write_text(_SOURCE)
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", extension.target, "-fPIC"]
    _run([*zig, extension.optimize, *extension.flags, "-c", str(source), "-o", str(unlinked)])
    # At the link, -O2 also keeps Zig from linking a sanitizer's runtime, as the linker of a gcc would not know it.
    _run([*zig, "-O2", "-shared", "-s", *extension.linking, str(unlinked), "-o", str(made)])
    if extension.patching:
        _run(["patchelf", *extension.patching, str(made)])
    return made.read_bytes()


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
