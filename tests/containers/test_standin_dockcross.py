"""The stand-in for dockcross compiles for aarch64, and has its pitfalls."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from containers.running import Running, running
from containers.stand_ins.dockcross import TRIPLE
from containers.stand_ins.manylinux import POLICY

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient, dockcross: str) -> Iterator[Running]:
    with running(engine, dockcross, "x86_64") as container:
        yield container


def test_it_runs_here_and_is_for_aarch64(image: Running, engine: docker.DockerClient) -> None:
    assert engine.images.get(image.reference).attrs["Architecture"] == "amd64"
    assert image.run("uname", "-m").strip() == "x86_64"
    names = ("CROSS_TRIPLE", "AUDITWHEEL_ARCH", "AUDITWHEEL_PLAT")
    assert image.run("printenv", *names).split() == [TRIPLE, "aarch64", f"{POLICY}_aarch64"]


@pytest.mark.parametrize("variable", ["AS", "AR", "CC", "CPP", "CXX", "LD", "OBJCOPY", "STRIP"])
def test_a_variable_names_a_cross_tool(image: Running, variable: str) -> None:
    assert TRIPLE in image.run("bash", "-ec", f'echo "${variable}"')
    assert image.run("bash", "-ec", f'"${variable}" --version')


@pytest.mark.parametrize(("variable", "suffix"), [("CC", "c"), ("CXX", "cc")])
def test_what_it_compiles_runs_under_its_emulator(image: Running, variable: str, suffix: str) -> None:
    header = "cstdio" if suffix == "cc" else "stdio.h"
    source = f"#include <{header}>\nint main() {{ puts(__VERSION__); }}"
    compiling = f"echo '{source}' >/root/x.{suffix} && ${variable} /root/x.{suffix} -o /root/{variable}"
    image.run("bash", "-ec", compiling)
    assert "AArch64" in image.run("bash", "-ec", f"$CROSS_ROOT/bin/$CROSS_TRIPLE-readelf -h /root/{variable}")
    assert image.run("qemu-aarch64-static", f"/root/{variable}").startswith("14.")


def test_its_plain_pythons_are_of_x86_64(image: Running) -> None:
    code = "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX'), sysconfig.get_platform())"
    assert image.python("cp313-cp313", "-c", code) == ".cpython-313-x86_64-linux-gnu.so linux-x86_64"


@pytest.mark.parametrize("tag", ["cp39-cp39", "cp311-cp311", "cp313-cp313"])
def test_its_cross_pythons_say_that_they_are_of_aarch64(image: Running, tag: str) -> None:
    code = "import platform, sysconfig; print(*sysconfig.get_config_vars('EXT_SUFFIX', 'CC'), platform.machine())"
    suffix, compiler, *_, machine = image.run(f"/opt/python/{tag}-xc/cross/bin/python", "-c", code).split()
    assert suffix == f".cpython-{tag.split('-cp')[1]}-aarch64-linux-gnu.so"
    assert compiler == f"{TRIPLE}-gcc"
    assert machine == "aarch64"


@pytest.mark.index
@pytest.mark.daily(1)
@pytest.mark.parametrize("tag", ["cp311-cp311", "cp313-cp313"])
def test_an_activated_environment_builds_for_aarch64(image: Running, tag: str) -> None:
    """Of that processor: the wheel's name, that of its extension, and the extension itself.

    Not with cp39: crossenv prefers the setuptools that ensurepip brought to whatever the build requires.
    """
    built, wheel = f"/root/[Mm]ark[Uu]p[Ss]afe-3.0.2-{tag}-linux_aarch64.whl", f"/root/{tag}.whl"
    building = "python -m pip wheel --no-deps --no-binary=:all: --wheel-dir=/root markupsafe==3.0.2"
    image.run("bash", "-ec", f". /opt/python/{tag}-xc/bin/activate; {building}; mv {built} {wheel}")
    image.python("cp313-cp313", "-m", "zipfile", "--extract", wheel, f"/root/{tag}")
    extension = f"/root/{tag}/markupsafe/_speedups.cpython-{tag.split('-cp')[1]}-aarch64-linux-gnu.so"
    assert "AArch64" in image.run("bash", "-ec", f"$CROSS_ROOT/bin/$CROSS_TRIPLE-readelf -h {extension}")


@pytest.mark.index
def test_cmake_takes_its_toolchain_file(image: Running) -> None:
    """A program is compiled, finds a library of the target, and is tested under the emulator."""
    image.python("cp313-cp313", "-m", "pip", "install", "--quiet", "cmake")
    said = image.run("env", "PATH=/opt/python/cp313-cp313/bin:/usr/bin:/bin", "bash", "-ec", _CMAKE)
    assert "CROSSCOMPILING TRUE aarch64 /usr/aarch64-linux-gnu/lib/libm.so" in said
    assert "100% tests passed" in said


_CMAKE = """\
mkdir /root/cmake && cd /root/cmake
echo 'int main() {}' >here.cc
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.20)
project(here CXX)
add_executable(here here.cc)
find_library(LIBM m)
message(STATUS "CROSSCOMPILING ${CMAKE_CROSSCOMPILING} ${CMAKE_SYSTEM_PROCESSOR} ${LIBM}")
enable_testing()
add_test(NAME here COMMAND here)
END
cmake -S . -B build
cmake --build build
ctest --test-dir build
"""


def test_alone_it_prints_a_script(engine: docker.DockerClient, dockcross: str) -> None:
    assert engine.containers.run(dockcross, [], remove=True).startswith(b"#!/usr/bin/env bash")
