"""Projects with [tool.cibuildwheel], built on one engine by cibuildwheel itself and by `wheels`."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import docker
import pytest

from containers.engine import Engine
from crosswheel.cibuildwheel import reader
from crosswheel.cibuildwheel.release import Release
from crosswheel.commands import run_verb
from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag
from crosswheel.pipeline import source
from crosswheel.system.local_host import LocalHost, local_host

# Minutes each.
pytestmark = [pytest.mark.containers, pytest.mark.index]

_RELEASE = "4.3.5"
_REAL = (
    "lru-dict==1.4.1", "propcache==0.5.4", "websockets==17.4", "cymem==2.0.16", "xxhash==4.1.0", "murmurhash==1.0.16",
    "setproctitle==1.3.8", "immutables==0.21", "preshed==3.0.15", "yarl==1.25.1",
)  # fmt: skip
# Their compilers are accelerated in our build alone.
_REAL_ON_ARM = ("coverage==7.17.5", "markupsafe==3.0.4")
_TABLE = """\
[tool.cibuildwheel]
build = "cp313-manylinux_*"
archs = "aarch64"
manylinux-aarch64-image = "{image}"
before-all = "sh {{project}}/tools/all.sh"
environment = "OWN_MACHINE=$(uname -m) PATH=$PATH:/opt/found/bin CFLAGS=-I/opt/found PIP_CONSTRAINT=/project/limits.txt"
before-build = "sh {{project}}/tools/noted.sh before-build && python -c 'import sys; print(sys.prefix)' >own/prefix.txt"
repair-wheel-command = "own-tool && auditwheel repair -w {{dest_dir}} {{wheel}}"
before-test = "test $PWD = /project && own-tool"
test-requires = ["iniconfig"]
test-command = "own-tool && test $PWD != /project && python {{project}}/tools/check.py"

[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "own"
version = "1.0"
"""
_FILES = {
    "limits.txt": "setuptools==80.9.0\niniconfig==2.0.0\n",
    "setup.py": """\
import os, subprocess
from importlib.metadata import version
from setuptools import Extension, setup

if "CIBUILDWHEEL" in os.environ:  # not while the sdist is made
    subprocess.run(["sh", "tools/noted.sh", "build"], check=True)
    with open("own/setuptools.txt", "w") as file:
        file.write(version("setuptools"))
setup(
    packages=["own"],
    package_data={"own": ["*.txt"]},
    ext_modules=[Extension("own.compiled", ["own/compiled.c"], extra_objects=["/opt/found/libfound.a"])],
)
""",
    "own/__init__.py": "",
    "own/compiled.c": """\
#include <Python.h>
#include <found.h>
static PyObject *found_it(PyObject *module, PyObject *none) { return PyLong_FromLong(found()); }
static PyMethodDef methods[] = {{"found", found_it, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "compiled", NULL, -1, methods};
PyMODINIT_FUNC PyInit_compiled(void) { return PyModule_Create(&module); }
""",
    # As many projects do: a library from source, and a program that later commands call.
    "tools/all.sh": """\
set -eux
test "$PWD" = /project
mkdir -p /opt/found/bin && cd /opt/found
echo 'int found(void);' >found.h
echo 'int found(void) { return 7; }' >found.c
gcc -O2 -fPIC -c found.c && ar rcs libfound.a found.o
printf '#!/bin/sh\\necho found\\n' >bin/own-tool && chmod +x bin/own-tool
sh /project/tools/noted.sh before-all
echo left >/project/own/left.txt
""",
    # What a command finds; the wheel takes it along.
    "tools/noted.sh": """\
set -eu
cd /project
{
    echo "machine=$OWN_MACHINE cflags=$CFLAGS constraint=$PIP_CONSTRAINT"
    echo "cibuildwheel=$CIBUILDWHEEL identifier=${CIBUILDWHEEL_BUILD_IDENTIFIER:-none}"
    echo "auditwheel=$AUDITWHEEL_POLICY $AUDITWHEEL_ARCH $AUDITWHEEL_PLAT"
    ls
    test "$1" = build || command -v python pip
} >"own/$1.txt"
""",
    "tools/check.py": """\
import os, platform
from importlib.metadata import version
import own.compiled
assert own.compiled.found() == 7
assert platform.machine() == os.environ["OWN_MACHINE"] == "aarch64"
assert version("iniconfig") == "2.0.0", version("iniconfig")
""",
}


@dataclass(frozen=True)
class Made:
    """A wheel's name, its members, its tags, and the texts that the project's commands have noted."""

    name: str
    members: list[str]
    tags: set[str]
    noted: dict[str, str]


@dataclass(frozen=True)
class Both:
    """What each tool has made of a project, and the job in our report."""

    ours: Made
    theirs: Made
    job: dict[str, Any]


def made_in(folder: Path) -> Made:
    (path,) = folder.glob("*.whl")
    with ZipFile(path) as wheel:
        # Some programs write members for folders, which say nothing.
        names = sorted(name for name in wheel.namelist() if not name.endswith("/"))
        (metadata,) = (wheel.read(name).decode() for name in names if name.endswith(".dist-info/WHEEL"))
        noted = {name: wheel.read(name).decode() for name in names if name.startswith("own/") and name.endswith(".txt")}
    return Made(path.name, names, {line for line in metadata.splitlines() if line.startswith("Tag:")}, noted)


@pytest.fixture
def host() -> LocalHost:
    found = local_host(offline=False, listener=deaf)
    if max(found.interpreters) < PythonTag(11):
        pytest.skip("cibuildwheel needs CPython 3.11, which this machine does not have")
    return found


@pytest.fixture
def both(
    host: LocalHost, docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Both]:
    """Builds a folder or an sdist on the engine with each tool, and with these CIBW_ variables."""
    python = reader._environment(Release(f"=={_RELEASE}"), host, deaf)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"

    def build(project: Path, **variables: str) -> Both:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "DOCKER_HOST": docker_engine.address,
            # QEMU's default processor takes many times as long for the same.
            "CIBW_CONTAINER_ENGINE": "docker; create_args: --env=QEMU_CPU=cortex-a57",
            **variables,
        }
        words = [str(python), "-I", "-m", "cibuildwheel", "--platform=linux", f"--output-dir={theirs}", str(project)]
        host.processes.run(words, env=environ, cwd=project if project.is_dir() else tmp_path)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        printed = io.StringIO()
        flags = {"source": str(project), "output": str(ours), "docker-host": docker_engine.address}
        code = run_verb("wheels", project if project.is_dir() else tmp_path, flags, printed)
        assert code == 0, printed.getvalue()
        (job,) = json.loads((ours / "report.json").read_text())["jobs"]
        return Both(made_in(ours), made_in(theirs), job)

    return build


@pytest.mark.daily(1, of="accelerated commands")
@pytest.mark.usefixtures("qemu")
def test_both_make_the_same_wheel_and_each_command_finds_the_same(
    both: Callable[..., Both], engine: docker.DockerClient, manylinux_aarch64: str, tmp_path: Path
) -> None:
    engine.images.pull(manylinux_aarch64)
    project = tmp_path / "own"
    for name, text in {**_FILES, "pyproject.toml": _TABLE.format(image=manylinux_aarch64)}.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)
    found = both(project)
    assert (found.job["status"], found.job["untested"]) == ("built", "")
    assert found.ours == found.theirs


@pytest.mark.daily(1)
@pytest.mark.parametrize("name", _REAL)
def test_a_real_project_becomes_the_same_wheel(
    name: str, both: Callable[..., Both], host: LocalHost, engine: docker.DockerClient, manylinux_x86_64: str
) -> None:
    """For this machine: under emulation most of the time is that of the projects' own tests."""
    engine.images.pull(manylinux_x86_64)
    assert_same(both(source._from_index(name, host, deaf), **_only("x86_64", manylinux_x86_64)))


@pytest.mark.daily(1)
@pytest.mark.parametrize("name", _REAL_ON_ARM)
@pytest.mark.usefixtures("qemu")
def test_a_real_project_becomes_the_same_wheel_for_aarch64(
    name: str, both: Callable[..., Both], host: LocalHost, engine: docker.DockerClient, manylinux_aarch64: str
) -> None:
    """Ours by native compilers."""
    engine.images.pull(manylinux_aarch64)
    found = both(source._from_index(name, host, deaf), **_only("aarch64", manylinux_aarch64))
    assert found.job["engine"] == "accelerated"
    assert_same(found)


def _only(arch: str, image: str) -> dict[str, str]:
    """The variables with which one wheel is made."""
    return {
        "CIBW_ARCHS": arch,
        "CIBW_BUILD": "cp313-manylinux_*",
        f"CIBW_MANYLINUX_{arch.upper()}_IMAGE": image,
    }


def assert_same(found: Both) -> None:
    assert (found.job["status"], found.job["untested"]) == ("built", "")
    assert found.ours == found.theirs
