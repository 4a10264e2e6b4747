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


def test_cmake_finds_a_toolchain_file(image: Running) -> None:
    assert "CMAKE_SYSTEM_PROCESSOR aarch64" in image.run("bash", "-ec", 'cat "$CMAKE_TOOLCHAIN_FILE"')


def test_alone_it_prints_a_script(engine: docker.DockerClient, dockcross: str) -> None:
    assert engine.containers.run(dockcross, [], remove=True).startswith(b"#!/usr/bin/env bash")
