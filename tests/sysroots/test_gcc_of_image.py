"""C and C++ compiled against the gcc of an image, in each layout, and run under QEMU."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from crosswheel.formats.elf import read_elf
from crosswheel.images.store import UnpackedImage
from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag, Target, load_table, parse_platform
from crosswheel.system.local_host import local_host
from crosswheel.toolchains.configuration import configure
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.sysroot import sysroot_of
from crosswheel.toolchains.zig import ensure_zig, make_objects
from debian import DebianUnavailable
from gcc_roots import debian_root, older_libstdcxx, toolset_root

pytestmark = [pytest.mark.index, pytest.mark.debian, pytest.mark.daily(2, by="stand")]

# Platform, Debian's word for the architecture, and a suite with the glibc of the policy.
DEBIAN = (
    ("manylinux_2_41_aarch64", "arm64", "trixie"),
    ("manylinux_2_36_armv7l", "armhf", "bookworm"),
    ("manylinux_2_36_i686", "i386", "bookworm"),
    ("manylinux_2_36_ppc64le", "ppc64el", "bookworm"),
    ("manylinux_2_36_s390x", "s390x", "bookworm"),
)
TOOLSET = (*DEBIAN[0], "toolset")

_LIBRARY = """
#include <stdexcept>
void refuse() { throw std::out_of_range("too far"); }
"""
_PROGRAM = """
#include <cfenv>
#include <cstdio>
#include <stdexcept>
#include <zlib.h>
void refuse();
int main(int count, char **) {
  try { refuse(); } catch (const std::out_of_range &error) { std::puts(error.what()); }
  volatile long double one = count, none = count - 1;
  volatile long double infinite = one / none;
  std::printf("%d\\n", std::fetestexcept(FE_DIVBYZERO) != 0);
  std::printf("%lu %s\\n", crc32(0, (const Bytef *)"abc", 3), __GLIBCXX__ ? "libstdc++" : "");
  return infinite < one;
}
"""

Compile = Callable[..., None]

# The headers of gcc 12 and later call a function for it that libstdc++.so.6 of gcc 10 has not.
_CHECKED = """
#include <array>
int first(std::array<int, 3> &given, int at) { return given[at]; }
"""


@dataclass(frozen=True)
class Stand:
    """An image in some layout, and a root in which programs for it run."""

    target: Target
    image: UnpackedImage
    runs_in: Path


@pytest.fixture(scope="module", params=[*DEBIAN, TOOLSET], ids=" ".join)
def stand(request: pytest.FixtureRequest, debian_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Stand:
    platform, architecture, suite, *layout = request.param
    policy, arch = parse_platform(platform)
    try:
        made = debian = debian_root(debian_cache, architecture, suite)
        if layout:
            made = toolset_root(debian, older_libstdcxx(debian_cache), tmp_path_factory.mktemp("toolset"))
    except DebianUnavailable as error:
        pytest.skip(f"no gcc for {architecture}: {error}")
    image = UnpackedImage("stand-in:1", f"sha256:{platform}{layout}", arch, made.root, {"PATH": made.path}, ())
    return Stand(Target(PythonTag(11), arch, policy), image, debian.root)


@pytest.fixture
def compile_there(stand: Stand, tmp_path: Path) -> Compile:
    """Runs a compiler of the toolchain against the image, in `tmp_path`."""
    host = local_host(offline=False, listener=deaf)
    zig = ensure_zig(host.index, host.cache, host.processes, deaf)
    (tmp_path / "include").mkdir()
    made = configure(
        tmp_path / "toolchain",
        zig,
        make_objects(tmp_path / "objects"),
        stand.target,
        Description(tmp_path / "target.json", tmp_path / "include", ()),
        sysroot_of(stand.image),
        tmp_path / "bin/python",
        None,
        debug=False,
    )

    def run(name: str, *words: str) -> None:
        done = subprocess.run(
            [made.program(name), *words],
            cwd=tmp_path,
            env={"PATH": os.defpath, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""

    return run


@pytest.fixture
def made(compile_there: Compile, tmp_path: Path) -> Path:
    """The folder of a program and a library."""
    (tmp_path / "refuse.cpp").write_text(_LIBRARY)
    (tmp_path / "program.cpp").write_text(_PROGRAM)
    compile_there("c++", "-O2", "-fPIC", "-c", "refuse.cpp")
    compile_there("c++", "-shared", "refuse.o", "-o", "librefuse.so")
    compile_there("c++", "-O2", "-c", "program.cpp")
    compile_there("g++", "program.o", "-L.", "-lrefuse", "-lz", "-Wl,-rpath,$ORIGIN", "-o", "program")
    return tmp_path


def test_it_needs_the_libraries_that_gcc_links(made: Path) -> None:
    assert set(read_elf((made / "librefuse.so").read_bytes()).needed) <= {
        "libstdc++.so.6",
        "libm.so.6",
        "libgcc_s.so.1",
        "libc.so.6",
    }
    assert "libstdc++.so.6" in read_elf((made / "librefuse.so").read_bytes()).needed


@pytest.mark.emulator
def test_it_answers_as_compiled_by_gcc(made: Path, stand: Stand) -> None:
    name = f"qemu-{load_table('targets.toml')['arch'][stand.target.arch.name]['qemu']}-static"
    emulator = shutil.which(name)
    if emulator is None:
        pytest.skip(f"{name} is not installed")
    command = [emulator, "-L", str(stand.runs_in), "./program"]
    done = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines() == ["too far", "1", "891568578 libstdc++"]


def test_the_compiler_finds_the_images_files(stand: Stand, compile_there: Compile, tmp_path: Path) -> None:
    compile_there("cc", "--version")
    asked = subprocess.run(
        [tmp_path / "toolchain/bin/cc", "-print-file-name=libstdc++.so"], capture_output=True, text=True, check=True
    )
    assert Path(asked.stdout.strip()).resolve().is_relative_to(stand.image.root.resolve())


@pytest.mark.parametrize("stand", [TOOLSET], indirect=True, ids=["toolset"])
def test_what_the_old_runtime_lacks_comes_from_the_archive(compile_there: Compile, tmp_path: Path) -> None:
    """So the code runs on systems as old as the policy, whatever the gcc; pypa's own tests have the same case."""
    (tmp_path / "checked.cpp").write_text(_CHECKED)
    words = ("-O2", "-fPIC", "-D_GLIBCXX_ASSERTIONS", "-Wl,--as-needed")
    compile_there("c++", *words, "-shared", "checked.cpp", "-o", "libchecked.so")
    made = read_elf((tmp_path / "libchecked.so").read_bytes())
    function = "_ZSt21__glibcxx_assert_failPKciS0_S0_"
    assert function in made.defined
    assert function not in {each.name for each in made.undefined}
