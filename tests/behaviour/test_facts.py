"""Extensions that tell facts about themselves answer as compiled by gcc, or differ as differences.toml says.

Of each architecture, Debian's gcc gives the reference. The engine `emulated` runs that very gcc, and `accelerated` runs
clang with the words that cross gives it for an image.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import filelock
import pytest

from behaviour.compilers import IEEE, SOURCES, Compiler, cross, gcc
from behaviour.differences import between, known
from behaviour.machines import MACHINES, Facts, Machine

pytestmark = [pytest.mark.index, pytest.mark.debian, pytest.mark.emulator]

IN_C = [source.stem for source in sorted(SOURCES.glob("*.c"))]
# What the C++ library answers alike on every architecture is asked on one that needs no QEMU.
LIBRARY = ["cxx_20", "cxx_algorithms", "cxx_numbers"]
ALL = [source.stem for source in sorted(SOURCES.glob("*.c*")) if source.stem not in LIBRARY]
# Asked through another module.
_SILENT = {"across_throws"}
_FLAGS = {
    "cxx_20": ("-std=gnu++20",),
    "fast_math": ("-Ofast",),
    "hardening": ("-O2", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-fstack-clash-protection"),
    "with_careful": ("-frounding-math", "-ftrapping-math", "-fsignaling-nans", "-ffp-contract=off", "-fmath-errno"),
    "with_careless": ("-fno-signed-zeros", "-fno-trapping-math", "-fassociative-math", "-fno-math-errno"),
    "with_iso": ("-std=c99",),
    "with_old": ("-std=gnu89", "-fcommon", "-fno-strict-aliasing"),
    "with_types": ("-funsigned-char", "-fshort-enums", "-fshort-wchar", "-trigraphs"),
}

# The runtimes whose differences are known, by architecture.
_RUNTIMES = {
    "aarch64": ("image", "zig"),
    "armv7l": ("image",),
    "i686": ("image", "zig"),
    "ppc64le": ("image", IEEE, "zig"),
    "s390x": ("image", "zig"),
    "riscv64": ("image", "zig"),
    "x86_64": ("image", "zig"),
}
# What ends with a segmentation fault: what Debian's own gcc makes, with the flag for IEEE's long double, under QEMU;
# and threads that libgcc ends, because each module has its own libunwind, which does not know libgcc's records.
_CRASHES = {("cxx_library", IEEE), ("ended_threads", "zig")}
_LONG = (pytest.mark.slow, pytest.mark.daily(1))
_IN_TURN = (pytest.mark.daily(1, of="facts in C on aarch64"),)


def _asked(arch: str, runtime: str) -> Iterator[tuple[str, Sequence[str], Sequence[pytest.MarkDecorator]]]:
    """Names, modules and marks of cases.

    Zig's libc++ is compiled for minutes, and is the same code everywhere.
    """
    in_cxx = arch == "aarch64" or runtime != "zig"
    if arch == "aarch64" or not in_cxx:
        yield "C", IN_C, _IN_TURN if arch == "aarch64" else _LONG
    if in_cxx:
        yield "C and C++", [module for module in ALL if (module, runtime) not in _CRASHES], _LONG
    if arch == "x86_64":
        yield "C++ library", LIBRARY, _LONG


CASES = [
    pytest.param(machine, runtime, modules, id=f"{machine.arch} {runtime} {name}", marks=marks)
    for machine in MACHINES
    if machine.arch in _RUNTIMES
    for runtime in _RUNTIMES[machine.arch]
    for name, modules, marks in _asked(machine.arch, runtime)
]


@pytest.mark.parametrize(("machine", "runtime", "modules"), CASES)
def test_code_behaves_as_compiled_by_gcc(
    machine: Machine, runtime: str, modules: Sequence[str], debian_cache: Path, tmp_path: Path
) -> None:
    root = machine.root(debian_cache)
    of_gcc = kept_answers(gcc(machine, root, debian_cache, runtime), machine, root, modules, debian_cache, tmp_path)
    compiler = cross(machine, root, tmp_path, runtime)
    different = between(of_gcc, answers(compiler, machine, root, modules, tmp_path / "ours"))
    rows = known(machine.arch, runtime)
    assert {fact: values for fact, values in different.items() if not any(row.covers(fact) for row in rows)} == {}
    # A row that is no longer true is removed.
    asked = [pattern for row in rows for pattern in row.facts if pattern.partition(":")[0] in modules]
    assert [pattern for pattern in asked if not fnmatch.filter(different, pattern)] == []


def answers(compiler: Compiler, machine: Machine, root: Path, modules: Sequence[str], folder: Path) -> Facts:
    """The facts of the modules as the compiler makes them, in a new folder."""
    folder.mkdir()
    headers = machine.headers(root, folder / "headers")
    for flags in {_FLAGS.get(module, ()) for module in modules}:
        sources = [next(SOURCES.glob(f"{module}.c*")) for module in modules if _FLAGS.get(module, ()) == flags]
        compiler.make(sources, folder, headers, flags)
    # Those with flags of their own last: gcc's -Ofast changes the process.
    asked = sorted(set(modules) - _SILENT, key=lambda module: (module in _FLAGS, module))
    return machine.ask(root, folder, asked)


def kept_answers(
    compiler: Compiler, machine: Machine, root: Path, modules: Sequence[str], cache: Path, folder: Path
) -> Facts:
    """Those of gcc, which are kept between runs for as long as these files and the roots are the same."""
    commands = [*compiler.commands.values(), *compiler.compiling]
    asked = [root.name, *commands, *modules, *map(str, sorted(_FLAGS.items()))]
    ours = sorted([*SOURCES.iterdir(), *Path(__file__).parent.glob("*.py")])
    texts = [path.read_text() for path in ours]
    key = hashlib.sha256("\0".join([*asked, *texts]).encode()).hexdigest()[:16]
    kept = cache / "facts" / f"{machine.arch}-{key}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{kept}.lock"):
        if not kept.exists():
            facts = answers(compiler, machine, root, modules, folder / "gcc")
            kept.with_suffix(".new").write_text(json.dumps(facts))
            kept.with_suffix(".new").replace(kept)
    found: Facts = json.loads(kept.read_text())
    return found
