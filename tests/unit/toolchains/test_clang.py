"""The driver inside containers, with stand-ins for Zig and for the image's gcc: what each of them is started with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from crosswheel.toolchains.zig import sources
from drivers import LENIENT_IN_C, compiler

_SAY = '#!/bin/sh\necho {name} "$@"\n'
CONFIGURATION = ["--target=aarch64-redhat-linux", "-fuse-ld=lld"]


@dataclass(frozen=True)
class Driver:
    """The compiled program in `folder`/tools, a ccache before it in PATH and a gcc behind it."""

    folder: Path

    def __call__(self, *words: str, name: str = "cc", path: str = "") -> list[str]:
        environ: Mapping[str, str] = {
            **os.environ,
            "PATH": path or f"{self.folder}/ccache:{self.folder}/tools:{self.folder}/image",
        }
        command = [str(self.folder / "tools" / name), *words]
        done = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=True)
        return done.stdout.split()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    folder = tmp_path_factory.mktemp("clang")
    for name in ("tools", "image", "ccache"):
        (folder / name).mkdir()
    (folder / "configuration").write_text("\n".join([*CONFIGURATION, "> -g0"]) + "\n")
    files = [str(source) for source in sources("clang") if source.suffix == ".c"]
    define = f'-DCONFIGURATION="{folder}/configuration"'
    command = [*compiler(), "-Wall", "-Wextra", "-Werror", define, *files, "-o", str(folder / "tools" / "driver")]
    subprocess.run(command, check=True, timeout=300)
    programs = {"tools/zig": "zig", "image/gcc": "image", "image/cc": "image", "ccache/ccache": "ccache"}
    for path, name in programs.items():
        (folder / path).write_text(_SAY.format(name=name))
        (folder / path).chmod(0o755)
    (folder / "ccache" / "cc").symlink_to("ccache")
    for name in ("cc", "c++", "gcc", "clang", "ar", "ld.lld"):
        (folder / "tools" / name).symlink_to("driver")
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


def test_a_version_script_may_name_symbols_that_are_not_there(driver: Driver) -> None:
    """GNU ld takes such a script. A word of the caller's own comes later, and wins."""
    assert driver("-shared", "a.o", name="ld.lld") == ["zig", "ld.lld", "--undefined-version", "-shared", "a.o"]
