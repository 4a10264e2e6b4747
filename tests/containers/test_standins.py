"""Stand-ins keep the contract of the images that they stand for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import docker
import pytest
import requests
from docker.models.containers import Container

from containers.stand_ins.manylinux import POLICY

pytestmark = pytest.mark.containers

TAGS = ("cp39-cp39", "cp311-cp311", "cp313-cp313")
ARCHITECTURES = {"x86_64": ("amd64", None), "aarch64": ("arm64", "v8")}

# QEMU's default processor signs pointers, as Debian's binaries ask for, and takes ten times as long for it.
FAST = {"QEMU_CPU": "cortex-a57"}


@dataclass(frozen=True)
class Running:
    """A container of a stand-in for `arch`."""

    arch: str
    reference: str
    container: Container

    def run(self, *command: str) -> str:
        """What a command printed, which has to succeed."""
        code, streams = self.container.exec_run(list(command), demux=True)
        out, err = ((stream or b"").decode() for stream in cast("tuple[bytes | None, bytes | None]", streams))
        assert code == 0, f"{command}: {out}{err}"
        return out

    def python(self, tag: str, *arguments: str) -> str:
        return self.run(f"/opt/python/{tag}/bin/python", *arguments).strip()


@pytest.fixture(scope="module", params=ARCHITECTURES)
def running(request: pytest.FixtureRequest, engine: docker.DockerClient) -> Iterator[Running]:
    arch = str(request.param)
    if arch == "aarch64":
        request.getfixturevalue("qemu")
    reference = request.getfixturevalue(f"manylinux_{arch}")
    engine.images.pull(reference)
    container = engine.containers.run(reference, ["sleep", "infinity"], init=True, detach=True, environment=FAST)
    try:
        yield Running(arch, reference, container)
    finally:
        container.remove(force=True, v=True)


def test_the_image_is_of_its_architecture(running: Running, engine: docker.DockerClient) -> None:
    attributes = engine.images.get(running.reference).attrs
    assert attributes["Os"] == "linux"
    assert (attributes["Architecture"], attributes.get("Variant") or None) == ARCHITECTURES[running.arch]
    assert running.run("uname", "-m").strip() == running.arch


def test_a_pull_by_digest_gives_that_digest(running: Running, engine: docker.DockerClient) -> None:
    assert running.reference in engine.images.get(running.reference).attrs["RepoDigests"]
    address, _, rest = running.reference.partition("/")
    repository, _, digest = rest.partition("@")
    manifest = requests.get(f"http://{address}/v2/{repository}/manifests/{digest}", timeout=60)
    assert manifest.headers["Docker-Content-Digest"] == digest


def test_it_starts_by_its_entrypoint(running: Running, engine: docker.DockerClient) -> None:
    configuration = engine.images.get(running.reference).attrs["Config"]
    assert configuration["Entrypoint"] == ["manylinux-entrypoint"]
    assert running.run("manylinux-entrypoint", "echo", "hello") == "hello\n"


def test_auditwheel_knows_the_policy(running: Running) -> None:
    names = ("AUDITWHEEL_POLICY", "AUDITWHEEL_ARCH", "AUDITWHEEL_PLAT")
    assert running.run("printenv", *names).split() == [POLICY, running.arch, f"{POLICY}_{running.arch}"]
    assert f"{POLICY}_{running.arch}" in running.run("auditwheel", "repair", "--help")


@pytest.mark.parametrize("program", ["auditwheel", "cc", "gcc", "g++", "make", "patchelf", "uv", "which"])
def test_a_tool_is_on_path(running: Running, program: str) -> None:
    assert running.run(program, "--version" if program != "which" else program)


def test_it_lists_its_interpreters(running: Running) -> None:
    listed = json.loads(running.run("manylinux-interpreters", "list", "--installed", "--format", "json"))
    assert [each["identifier"] for each in listed] == list(TAGS)
    for each in listed:
        assert each["install_path"] == f"/opt/python/{each['identifier']}"
        assert each["installed"]
        version = running.python(each["identifier"], "-c", "import platform; print(platform.python_version())")
        assert each["python_version"] == each["implementation_version"] == version


def test_it_ensures_only_what_it_has(running: Running) -> None:
    running.run("manylinux-interpreters", "ensure", *TAGS)
    code, output = running.container.exec_run(["manylinux-interpreters", "ensure", "cp310-cp310"])
    assert code == 1
    assert b"cp310-cp310" in cast("bytes", output)


@pytest.mark.parametrize("tag", TAGS)
def test_an_interpreter_is_whole(running: Running, tag: str) -> None:
    """Its extension modules find the libraries of the suite that they come from."""
    modules = "bz2, ctypes, curses, dbm, decimal, lzma, readline, sqlite3, ssl, uuid, zlib, _elementtree"
    code = f"import {modules}, sysconfig; print(*sysconfig.get_config_vars('EXT_SUFFIX', 'CC', 'INCLUDEPY'))"
    suffix, *compiler, include = running.python(tag, "-c", code).split()
    assert suffix == f".cpython-{tag.split('-cp')[1]}-{running.arch}-linux-gnu.so"
    assert compiler[0] == "gcc"
    running.run("test", "-f", f"{include}/Python.h")


@pytest.mark.parametrize("tag", TAGS)
def test_pip_and_build_are_there(running: Running, tag: str) -> None:
    assert f"/opt/python/{tag}/lib" in running.run(f"/opt/python/{tag}/bin/pip", "--version")
    installed = _packages(running, f"/opt/python/{tag}/bin/python")
    assert {"pip", "build", "packaging"} <= installed
    assert not {"setuptools", "wheel"} & installed


@pytest.mark.parametrize("tag", TAGS)
def test_it_makes_environments(running: Running, tag: str) -> None:
    without = ["--without-pip"] if running.arch == "aarch64" else []  # half a minute each, for the same files
    running.python(tag, "-m", "venv", *without, f"/root/{tag}")
    assert ("pip" in _packages(running, f"/root/{tag}/bin/python")) != bool(without)


@pytest.mark.index
def test_containers_reach_the_index(running: Running) -> None:
    """By names, proxies and certificates of this machine, and without the folders of its pip."""
    options = ["--quiet", "--no-deps", "--dest=/root", "markupsafe==3.0.2"]
    running.run("/opt/python/cp313-cp313/bin/pip", "download", *options)
    assert running.arch in running.run("find", "/root", "-name", "*.whl")


def test_it_compiles_an_extension(running: Running) -> None:
    python, suffix = "/opt/python/cp313-cp313/bin/python", f".cpython-313-{running.arch}-linux-gnu.so"
    running.run("bash", "-ec", _COMPILE.format(python=python, suffix=suffix))
    assert running.run("env", "-C", "/root", python, "-c", "import tiny; print(tiny.__file__)").strip().endswith(suffix)


def test_pulling_again_brings_nothing(running: Running, engine: docker.DockerClient) -> None:
    assert engine.images.pull(running.reference).id == engine.images.get(running.reference).id


def _packages(running: Running, python: str) -> set[str]:
    code = "from importlib.metadata import distributions; print(*(each.metadata['Name'] for each in distributions()))"
    return set(running.run(python, "-c", code).split())


_COMPILE = """\
cat >/root/tiny.c <<'END'
#include <Python.h>
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "tiny"}};
PyMODINIT_FUNC PyInit_tiny(void) {{ return PyModule_Create(&module); }}
END
include=$({python} -c 'import sysconfig; print(sysconfig.get_path("include"))')
cc -shared -fPIC -I"$include" /root/tiny.c -o /root/tiny{suffix}
"""
