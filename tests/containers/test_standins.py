"""Stand-ins keep the contract of the images that they stand for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import cast

import docker
import pytest
import requests

from containers.binfmt import Handler
from containers.running import Running, running
from containers.stand_ins.manylinux import POLICY

pytestmark = [pytest.mark.containers, pytest.mark.binfmt]

TAGS = ("cp39-cp39", "cp311-cp311", "cp313-cp313")
ARCHITECTURES = {"x86_64": ("amd64", None), "aarch64": ("arm64", "v8")}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def image(request: pytest.FixtureRequest, engine: docker.DockerClient) -> Iterator[Running]:
    arch = str(request.param)
    if arch == "aarch64":
        request.getfixturevalue("qemu")
    with running(engine, request.getfixturevalue(f"manylinux_{arch}"), arch) as container:
        yield container


def test_the_image_is_of_its_architecture(image: Running, engine: docker.DockerClient) -> None:
    attributes = engine.images.get(image.reference).attrs
    assert attributes["Os"] == "linux"
    assert (attributes["Architecture"], attributes.get("Variant") or None) == ARCHITECTURES[image.arch]
    assert image.run("uname", "-m").strip() == image.arch


def test_a_pull_by_digest_gives_that_digest(image: Running, engine: docker.DockerClient) -> None:
    assert image.reference in engine.images.get(image.reference).attrs["RepoDigests"]
    address, _, rest = image.reference.partition("/")
    repository, _, digest = rest.partition("@")
    manifest = requests.get(f"http://{address}/v2/{repository}/manifests/{digest}", timeout=60)
    assert manifest.headers["Docker-Content-Digest"] == digest


def test_it_starts_by_its_entrypoint(image: Running, engine: docker.DockerClient) -> None:
    configuration = engine.images.get(image.reference).attrs["Config"]
    assert configuration["Entrypoint"] == ["manylinux-entrypoint"]
    assert image.run("manylinux-entrypoint", "echo", "hello") == "hello\n"


def test_auditwheel_knows_the_policy(image: Running) -> None:
    names = ("AUDITWHEEL_POLICY", "AUDITWHEEL_ARCH", "AUDITWHEEL_PLAT")
    assert image.run("printenv", *names).split() == [POLICY, image.arch, f"{POLICY}_{image.arch}"]
    assert f"{POLICY}_{image.arch}" in image.run("auditwheel", "repair", "--help")


@pytest.mark.daily(4)
@pytest.mark.parametrize("program", ["auditwheel", "cc", "gcc", "g++", "make", "patchelf", "uv", "which"])
def test_a_tool_is_on_path(image: Running, program: str) -> None:
    assert image.run(program, "--version" if program != "which" else program)


def test_it_lists_its_interpreters(image: Running) -> None:
    listed = json.loads(image.run("manylinux-interpreters", "list", "--installed", "--format", "json"))
    assert [each["identifier"] for each in listed] == list(TAGS)
    for each in listed:
        assert each["install_path"] == f"/opt/python/{each['identifier']}"
        assert each["installed"]
        version = image.python(each["identifier"], "-c", "import platform; print(platform.python_version())")
        assert each["python_version"] == each["implementation_version"] == version


def test_it_ensures_only_what_it_has(image: Running) -> None:
    image.run("manylinux-interpreters", "ensure", *TAGS)
    code, output = image.container.exec_run(["manylinux-interpreters", "ensure", "cp310-cp310"])
    assert code == 1
    assert b"cp310-cp310" in cast("bytes", output)


@pytest.mark.daily(2)
@pytest.mark.parametrize("tag", TAGS)
def test_an_interpreter_is_whole(image: Running, tag: str) -> None:
    """Its extension modules find the libraries of the suite that they come from."""
    modules = "bz2, ctypes, curses, dbm, decimal, lzma, readline, sqlite3, ssl, uuid, zlib, _elementtree"
    code = f"import {modules}, sysconfig; print(*sysconfig.get_config_vars('EXT_SUFFIX', 'CC', 'INCLUDEPY'))"
    suffix, *compiler, include = image.python(tag, "-c", code).split()
    assert suffix == f".cpython-{tag.split('-cp')[1]}-{image.arch}-linux-gnu.so"
    assert compiler[0] == "gcc"
    image.run("test", "-f", f"{include}/Python.h")


@pytest.mark.daily(2)
@pytest.mark.parametrize("tag", TAGS)
def test_pip_and_build_are_there(image: Running, tag: str) -> None:
    assert f"/opt/python/{tag}/lib" in image.run(f"/opt/python/{tag}/bin/pip", "--version")
    installed = _packages(image, f"/opt/python/{tag}/bin/python")
    assert {"pip", "build", "packaging"} <= installed
    assert not {"setuptools", "wheel"} & installed


@pytest.mark.daily(2)
@pytest.mark.parametrize("tag", TAGS)
def test_it_makes_environments(image: Running, tag: str) -> None:
    without = ["--without-pip"] if image.arch == "aarch64" else []  # half a minute each, for the same files
    image.python(tag, "-m", "venv", *without, f"/root/{tag}")
    assert ("pip" in _packages(image, f"/root/{tag}/bin/python")) != bool(without)


@pytest.mark.index
def test_containers_reach_the_index(image: Running) -> None:
    """By names, proxies and certificates of this machine, and without the folders of its pip."""
    options = ["--quiet", "--no-deps", "--dest=/root", "markupsafe==3.0.2"]
    image.run("/opt/python/cp313-cp313/bin/pip", "download", *options)
    assert image.arch in image.run("find", "/root", "-name", "*.whl")


def test_it_compiles_an_extension(image: Running) -> None:
    python, suffix = "/opt/python/cp313-cp313/bin/python", f".cpython-313-{image.arch}-linux-gnu.so"
    image.run("bash", "-ec", _COMPILE.format(python=python, suffix=suffix))
    assert image.run("env", "-C", "/root", python, "-c", "import tiny; print(tiny.__file__)").strip().endswith(suffix)


def test_pulling_again_brings_nothing(image: Running, engine: docker.DockerClient) -> None:
    assert engine.images.pull(image.reference).id == engine.images.get(image.reference).id


def _packages(image: Running, python: str) -> set[str]:
    code = "from importlib.metadata import distributions; print(*(each.metadata['Name'] for each in distributions()))"
    return set(image.run(python, "-c", code).split())


_COMPILE = """\
cat >/root/tiny.c <<'END'
#include <Python.h>
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "tiny"}};
PyMODINIT_FUNC PyInit_tiny(void) {{ return PyModule_Create(&module); }}
END
include=$({python} -c 'import sysconfig; print(sysconfig.get_path("include"))')
cc -shared -fPIC -I"$include" /root/tiny.c -o /root/tiny{suffix}
"""


SLIM = {
    "arm64v8/python": ("aarch64", "3.13", "2.41"),
    "arm64v8/python-3.11": ("aarch64", "3.11", "2.36"),
    "arm64v8/python-3.9": ("aarch64", "3.9", "2.31"),
    "amd64/python": ("x86_64", "3.13", "2.41"),
}


@pytest.mark.daily(2)
@pytest.mark.parametrize("name", SLIM)
def test_a_slim_image_has_a_python_and_no_compiler(
    engine: docker.DockerClient, qemu: Handler, stand_in: Callable[[str], str], name: str
) -> None:
    arch, version, libc = SLIM[name]
    code = "import platform, ssl; print(platform.machine(), platform.python_version(), platform.libc_ver()[1])"
    with running(engine, stand_in(name), arch) as container:
        said = container.run("python", "-c", code).split()
        assert (said[0], said[1].rpartition(".")[0], said[2]) == (arch, version, libc)
        assert container.run("python3", "-m", "pip", "--version").startswith("pip ")
        container.run("python3", "-m", "pip", "install", "--no-index", "--dry-run", "pip")
        assert container.container.exec_run(["sh", "-c", "command -v cc gcc"])[0]


@pytest.mark.index
def test_an_alpine_image_takes_only_wheels_for_musl(
    engine: docker.DockerClient, qemu: Handler, alpine_aarch64: str
) -> None:
    code = "import hashlib, sysconfig, zlib; print(sysconfig.get_config_var('SOABI'), hashlib.md5().hexdigest())"
    with running(engine, alpine_aarch64, "aarch64") as container:
        assert container.run("python3", "-c", code).startswith("cpython-313-aarch64-linux-musl ")
        container.run("pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "markupsafe==3.0.2")
        code = "from markupsafe import _speedups; print(_speedups.__file__)"
        assert container.run("python", "-c", code).endswith(".cpython-313-aarch64-linux-musl.so\n")
        tags = container.run("pip", "debug", "--verbose")
        assert "cp313-cp313-musllinux_1_2_aarch64" in tags
        assert "manylinux" not in tags


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_smallest_image_runs(request: pytest.FixtureRequest, engine: docker.DockerClient, arch: str) -> None:
    request.getfixturevalue("qemu")
    reference = request.getfixturevalue(f"busybox_{arch}")
    assert engine.containers.run(reference, ["uname", "-m"], remove=True) == f"{arch}\n".encode()
    assert engine.images.get(reference).attrs["Architecture"] == ARCHITECTURES[arch][0]
