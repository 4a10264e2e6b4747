"""The driver inside containers, with stand-ins for Zig and for the image's gcc: what each of them is started with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from crosswheel.toolchains.gcc_fallback import Commands, commands_in
from crosswheel.toolchains.zig import sources
from drivers import LENIENT_IN_C, compiler

_SAY = '#!/bin/sh\necho {name} "$@"\n'
# Says what it was started with, and fails as the file `fails` beside it tells: its content is the error.
_ZIG = '#!/bin/sh\necho zig "$@"\ncd "$(dirname "$0")"\nif test -f fails; then cat fails >&2; exit 1; fi\n'
_CAT = '#!/bin/sh\necho image "$@"\ncat\n'
CONFIGURATION = ["--target=aarch64-redhat-linux", "-fuse-ld=lld"]


@dataclass(frozen=True)
class Driver:
    """The compiled program in a folder like the toolbox; its links are first in PATH, the image's gcc is last."""

    folder: Path

    def run(
        self, *words: str, name: str = "cc", path: str = "", given: str = "", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        own: Mapping[str, str] = {
            **{key: value for key, value in os.environ.items() if not key.startswith("CCACHE_")},
            "PATH": path
            or f"{self.folder}/clang/bin:{self.folder}/ccache/bin:{self.folder}/image:{os.environ['PATH']}",
            "CROSSWHEEL_COMMANDS": str(self.notes),
            **environ,
        }
        command = [str(self.folder / "clang" / "bin" / name), *words]
        return subprocess.run(
            command, env=own, input=given, capture_output=True, encoding="utf-8", timeout=60, check=False
        )

    def __call__(self, *words: str, name: str = "cc", path: str = "") -> list[str]:
        done = self.run(*words, name=name, path=path)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    @contextmanager
    def failing(self, error: str) -> Iterator[None]:
        """While clang fails with that error."""
        fails = self.folder / "fails"
        fails.write_text(error)
        try:
            yield
        finally:
            fails.unlink()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    folder = tmp_path_factory.mktemp("clang")
    for name in ("clang/bin", "image", "ccache/bin"):
        (folder / name).mkdir(parents=True)
    (folder / "configuration").write_text("\n".join([*CONFIGURATION, "> -g0"]) + "\n")
    files = [str(source) for source in sources("clang") if source.suffix == ".c"]
    define = f'-DCONFIGURATION="{folder}/configuration"'
    command = [*compiler(), "-Wall", "-Wextra", "-Werror", define, *files, "-o", str(folder / "driver")]
    subprocess.run(command, check=True, timeout=300)
    programs = {"zig": _ZIG, "image/gfortran": _SAY.format(name="image")}
    programs |= {"image/gcc": _CAT, "image/cc": _CAT, "image/c++": _CAT}
    # It compiles, as ccache does, with the compiler that it is given.
    programs["ccache/ccache"] = '#!/bin/sh\necho ccache $CCACHE_COMPILERCHECK $CCACHE_COMPILERTYPE\nexec "$@"\n'
    for path, text in programs.items():
        (folder / path).write_text(text)
        (folder / path).chmod(0o755)
    (folder / "ccache" / "bin" / "cc").symlink_to("../ccache")
    for name in ("cc", "c++", "gcc", "clang", "ar", "ld.lld", "gfortran"):
        (folder / "clang" / "bin" / name).symlink_to("../../driver")
    return Driver(folder)


def test_clang_gets_what_makes_it_the_images_own_compiler(driver: Driver) -> None:
    assert driver("-c", "a.c") == ["zig", "clang", *CONFIGURATION, *LENIENT_IN_C, "-c", "a.c", "-g0"]
    assert driver("-c", "a.cc", name="c++") == [
        "zig",
        "clang",
        "--driver-mode=g++",
        *CONFIGURATION,
        "-c",
        "a.cc",
        "-g0",
    ]
    assert driver("rcs", "a.a", "-fgcse", name="ar") == ["zig", "ar", "rcs", "a.a", "-fgcse"]


def test_whoever_wants_errors_gets_them(driver: Driver) -> None:
    assert driver("-c", "a.c", "-Werror") == ["zig", "clang", *CONFIGURATION, "-c", "a.c", "-Werror", "-g0"]


def test_optimised_code_goes_without_the_frame_pointer(driver: Driver) -> None:
    assert "-fomit-frame-pointer" in driver("-O2", "-c", "a.c")
    assert "-fomit-frame-pointer" not in driver("-O2", "-fno-omit-frame-pointer", "-c", "a.c")
    assert "-fomit-frame-pointer" not in driver("-O0", "-c", "a.c")


def test_operations_are_fused_where_gcc_fuses_them(driver: Driver) -> None:
    assert "-ffp-contract=fast-honor-pragmas" in driver("-O2", "-std=gnu11", "-c", "a.c")
    assert "-ffp-contract=off" in driver("-O2", "-std=c11", "-c", "a.c")


def test_infinities_and_nan_are_values_as_to_gcc(driver: Driver) -> None:
    words = driver("-c", "a.c", "-Ofast")
    assert words[words.index("-Ofast") + 1 :][1] == "-fno-finite-math-only"
    assert {"-D__FINITE_MATH_ONLY__=1", "-D__FAST_MATH__=1"} < set(words)
    assert "-fno-finite-math-only" not in [*driver("-c", "a.c", "-O3"), *driver("a.o", "-shared", "-Ofast")]


def test_flags_of_gccs_optimisers_are_dropped(driver: Driver) -> None:
    words = driver("-c", "a.c", "-fno-gcse", "-fipa-pta", "-ftree-vectorize", "-fno-plt", "-fstack-clash-protection")
    kept = ["-c", "a.c", "-ftree-vectorize", "-fno-plt", "-fstack-clash-protection"]
    assert words == ["zig", "clang", *CONFIGURATION, *LENIENT_IN_C, *kept, "-g0"]


@pytest.mark.parametrize(
    "question",
    [
        "-dumpversion", "-dumpfullversion", "-dumpmachine", "-print-file-name=libc.so", "-print-libgcc-file-name",
        "-print-search-dirs", "-print-multiarch", "--print-multiarch", "-v", "-###",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["cc", "gcc"])
def test_the_images_gcc_answers_questions(driver: Driver, name: str, question: str) -> None:
    assert driver(question, name=name) == ["image", question]


def test_clang_answers_where_no_gcc_is_or_where_it_was_asked_by_name(driver: Driver) -> None:
    assert driver("-dumpversion", path="/no/such/folder")[:2] == ["zig", "clang"]
    assert driver("-dumpversion", name="clang")[:2] == ["zig", "clang"]


@pytest.mark.parametrize("words", [("-v", "-c", "a.c"), ("-E", "-dM", "-"), ("--version",), ("-fsyntax-only", "a.c")])
def test_whatever_compiles_is_clangs(driver: Driver, words: tuple[str, ...]) -> None:
    assert driver(*words)[:2] == ["zig", "clang"]


def test_the_linker_is_lenient_and_looks_where_gnu_ld_does(driver: Driver) -> None:
    """A version script may name symbols that are not there; a word of the caller's own comes later, and wins.

    The folders of /usr/local come after all others.
    """
    ours = ["-O0", "-L/usr/local/lib64", "-L/usr/local/lib"]
    assert driver("-shared", "a.o", name="ld.lld") == ["zig", "ld.lld", "--undefined-version", "-shared", "a.o", *ours]


# ---- commands of the image's own gcc ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("-fopenmp", "-c", "a.c"), ("-fopenmp", "a.c", "-o", "a"), ("-c", "a.f90"), ("-x", "f95", "-c", "a"),
        ("-fplugin=./own.so", "-c", "a.c"), ("-fopenacc", "-c", "a.c"), ("-funsigned-bitfields", "-c", "a.c"),
        ("-fnon-call-exceptions", "-c", "a.c"), ("-fsignaling-nans", "-c", "a.c"),
    ],
)  # fmt: skip
def test_what_clang_cannot_do_is_gccs_without_a_trial(driver: Driver, words: tuple[str, ...]) -> None:
    driver.notes.unlink(missing_ok=True)
    assert driver(*words) == ["image", *words, "-g0"]
    commands = commands_in(driver.notes)
    assert (commands.all, commands.by_gcc) == (1, 1)


def test_fortran_is_the_images(driver: Driver) -> None:
    assert driver("a.o", "-o", "a", name="gfortran") == ["image", "a.o", "-o", "a", "-g0"]


def test_openmp_objects_are_linked_by_clang_with_gccs_runtime(driver: Driver) -> None:
    words = driver("-shared", "-fopenmp", "a.o", "-o", "a.so")
    assert words == ["zig", "clang", *CONFIGURATION, *LENIENT_IN_C, "-shared", "-fopenmp=libgomp", "a.o", "-o", "a.so", "-g0"]  # fmt: skip  # noqa: E501


def test_what_fails_is_asked_of_gcc_whose_answer_counts(driver: Driver) -> None:
    driver.notes.unlink(missing_ok=True)
    with driver.failing("a.c:1:2: error: function definition is not allowed here\n"):
        done = driver.run("-c", "a.c")
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["image", "-c", "a.c", "-g0"], "")
    commands = commands_in(driver.notes)
    assert (commands.all, commands.by_gcc) == (1, 1)
    assert commands.gcc_seconds > 0


def test_a_source_from_a_pipe_is_read_by_both(driver: Driver) -> None:
    with driver.failing("error: of whatever kind\n"):
        done = driver.run("-c", "-x", "c", "-", given="int x;\n")
    assert done.stdout == "image -c -x c - -g0\nint x;\n"


def test_a_missing_symbol_is_missing_for_gcc_too(driver: Driver) -> None:
    driver.notes.unlink(missing_ok=True)
    error = "ld.lld: error: undefined symbol: clock_now\nzig: error: linker command failed with exit code 1\n"
    with driver.failing(error):
        done = driver.run("a.o", "-o", "a")
    assert (done.returncode, done.stderr) == (1, error)
    assert commands_in(driver.notes) == Commands(all=1)
    with driver.failing(error.replace("clock_now", "__muloti4")):  # a function of compiler-rt, which gcc does not call
        assert driver("a.o", "-o", "a")[0] == "image"
    with driver.failing(f"ld.lld: error: unable to find library -lx\n{error}"):
        assert driver("a.o", "-o", "a")[0] == "image"


def test_clangs_error_is_shown_where_the_image_has_no_gcc(driver: Driver) -> None:
    with driver.failing("error: of whatever kind\n"):
        done = driver.run("-c", "a.c", path=os.defpath.replace("/usr", "/no"), name="c++")
    assert done.returncode == 1
    done = driver.run("-c", "a.f90", path="/no/such/folder")
    assert (done.returncode, "the image has no cc" in done.stderr) == (127, True)


def test_only_clang_is_asked_by_that_name(driver: Driver) -> None:
    with driver.failing("error: of whatever kind\n"):
        assert driver.run("-c", "a.c", name="clang").returncode == 1


def test_objects_of_both_compilers_fit_with_link_time_optimisation(driver: Driver) -> None:
    """clang's have machine code as well, and gcc's have nothing else."""
    assert driver("-flto=8", "-c", "a.c")[-5:] == ["-ffat-lto-objects", "-flto", "-c", "a.c", "-g0"]
    assert "-ffat-lto-objects" not in driver("-flto", "-fno-lto", "-c", "a.c")
    assert driver("-flto=thin", "-fopenmp", "-c", "a.c") == ["image", "-fopenmp", "-c", "a.c", "-g0"]


def test_ccache_knows_both_compilers(driver: Driver) -> None:
    known = {"CCACHE_DIR": "/objects", "CCACHE_COMPILERTYPE": "clang", "CCACHE_COMPILERCHECK": "string:1"}
    assert driver.run("-c", "a.c", **known).stdout.splitlines()[:1] == ["ccache string:1 clang"]
    with driver.failing("error: of whatever kind\n"):
        assert driver.run("-c", "a.c", **known).stdout.splitlines()[:2] == ["ccache content", "image -c a.c -g0"]


def test_notes_of_another_form_are_left_out(tmp_path: Path) -> None:
    notes = tmp_path / "commands"
    notes.write_bytes(b"clang 0.1\ngcc 2.5\ngcc nan\n\xff\ngcc 1\n")
    assert commands_in(notes) == Commands(4, 2, 3.5)
    assert commands_in(tmp_path / "none") == Commands()


_MARKERS = """\
# 1 "/tmp/build-env-k3v_0a9x/lib/python3.12/numpy.h" 1 3 4
# 2 "/tmp/pip-build-env-abcdefgh/overlay/x.h" 2
# 3 "/home/me/.cache/uv/builds-v0/.tmpAb12Cd/include/y.h"
# 4 "/project/build-abcdefgh/z.h"
# 5 "/tmp/tmpabcdefgh"
# 6 "/tmp/build-env-toolong_9/w.h"
const char *file = "/tmp/build-env-k3v_0a9x/lib/python3.12/numpy.h";
"""


def test_ccache_compares_text_without_the_random_names_of_build_environments(driver: Driver) -> None:
    shown = _preprocessed(driver, "-c", "a.c")
    assert shown.splitlines() == [
        '# 1 "/tmp/build-env-RANDOM/lib/python3.12/numpy.h" 1 3 4',
        '# 2 "/tmp/pip-build-env-RANDOM/overlay/x.h" 2',
        '# 3 "/home/me/.cache/uv/builds-v0/.tmpRANDOM/include/y.h"',
        '# 4 "/project/build-abcdefgh/z.h"',
        '# 5 "/tmp/tmpabcdefgh"',
        '# 6 "/tmp/build-env-toolong_9/w.h"',
        'const char *file = "/tmp/build-env-k3v_0a9x/lib/python3.12/numpy.h";',
    ]


def test_what_a_build_asks_to_preprocess_stays_as_it_is(driver: Driver) -> None:
    assert _preprocessed(driver, "-E", "a.c") == _MARKERS


def _preprocessed(driver: Driver, *words: str) -> str:
    """What a ccache that asks for the preprocessed text gets, when a build calls the compiler with `words`."""
    zig, ccache = driver.folder / "zig", driver.folder / "ccache" / "ccache"
    kept = zig.read_text(), ccache.read_text()
    zig.write_text(f"#!/bin/sh\ncat <<'END'\n{_MARKERS}END\n")
    ccache.write_text('#!/bin/sh\nexec "$1" -E a.c\n')
    try:
        done = driver.run(*words, CCACHE_DIR=str(driver.folder))
    finally:
        zig.write_text(kept[0])
        ccache.write_text(kept[1])
    assert done.returncode == 0, done.stderr
    return done.stdout
