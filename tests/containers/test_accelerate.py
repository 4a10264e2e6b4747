"""`accelerate` on a real engine: commands with the docker program, and a real cibuildwheel."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import docker
import pytest

from containers.engine import Engine
from crosswheel.containers.ownership import LABEL
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import read_wheel
from multibuild_folders import multibuild_folder, real, stand_in

pytestmark = pytest.mark.containers

PLATFORM = "--platform=linux/arm64"
# Minutes each, under emulation.
_IN_TURN = pytest.mark.daily(1, of="accelerated commands")
# As projects that set their tools themselves do.
_LTO = """\
set -e
cd /tmp
printf 'int seven(void){return 7;}\\n' > seven.c
printf 'int seven(void); int main(void){return seven();}\\n' > main.c
export CC=gcc AR=gcc-ar CFLAGS="-O2 -flto"
$CC $CFLAGS -c seven.c -o seven.o
$AR rcs libseven.a seven.o
$CC $CFLAGS main.c -L. -lseven -o seven
command -v gcc
PATH=/opt/python/cp39-cp39/bin:$PATH
command -v python
ls -d /host/proc
exec ./seven
"""

Accelerate = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environ(docker_engine: Engine) -> dict[str, str]:
    if shutil.which("docker") is None:
        pytest.skip("the docker command is not installed")
    return {**os.environ, "DOCKER_HOST": docker_engine.address}


@pytest.fixture
def accelerate(environ: dict[str, str], tmp_path: Path) -> Accelerate:
    def run(*words: str, given: str = "", cwd: Path = tmp_path, **more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "crosswheel", "accelerate", *words]
        return subprocess.run(
            command, env={**environ, **more}, input=given, cwd=cwd, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def aarch64(engine: docker.DockerClient, manylinux_aarch64: str) -> str:
    engine.images.pull(manylinux_aarch64)
    return manylinux_aarch64


@_IN_TURN
@pytest.mark.usefixtures("qemu")
def test_a_foreign_container_compiles_natively_and_ends_as_it_would(accelerate: Accelerate, aarch64: str) -> None:
    words = ("--", "docker", "run", "--rm", "-i", "--volume=/:/host", PLATFORM, aarch64, "sh")
    done = accelerate(*words, given=_LTO)
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[0].startswith("/opt/crosswheel/"), done.stdout
    assert done.stdout.splitlines()[1:] == ["/opt/python/cp39-cp39/bin/python", "/host/proc"]
    assert f"accelerated: 1 container of {aarch64} (aarch64)" in done.stderr
    assert "by native clang" in done.stderr


# As before-all installs them, for builds that name no folder: ld looks there.
_INSTALLED = """
set -e
cd /tmp
mkdir -p /usr/local/lib
printf 'int seven(void){return 7;}\\n' > seven.c
printf 'int seven(void); int main(void){return seven();}\\n' > main.c
cc -c seven.c && ar rcs /usr/local/lib/libseven.a seven.o
cc main.c -lseven -o seven
exec ./seven
"""


@pytest.mark.daily(1)
@pytest.mark.usefixtures("qemu")
def test_a_library_of_usr_local_is_linked_natively(accelerate: Accelerate, aarch64: str) -> None:
    done = accelerate("--", "docker", "run", "--rm", "-i", PLATFORM, aarch64, "sh", given=_INSTALLED)
    assert done.returncode == 7, done.stderr
    assert "compilers: 2 commands by native clang, 0 by the image's own gcc" in done.stderr


def test_a_native_container_stays_as_it_is(
    accelerate: Accelerate, engine: docker.DockerClient, busybox_x86_64: str
) -> None:
    engine.images.pull(busybox_x86_64)
    done = accelerate("--", "docker", "run", "--rm", busybox_x86_64, "busybox", "env")
    assert done.returncode == 0, done.stderr
    assert "crosswheel" not in done.stdout
    assert f"not accelerated: 1 container of {busybox_x86_64}: x86_64 runs natively" in done.stderr


@pytest.mark.daily(4, of="podman")
def test_podman_is_accelerated_as_docker_is(podman: Engine, busybox_x86_64: str, tmp_path: Path) -> None:
    """Its service is not needed: the podman that the command starts serves its storage itself."""
    podman.client.images.pull(busybox_x86_64)
    settings = Path(podman.address.removeprefix("unix://")).parent
    variables = {
        "CONTAINERS_CONF": "containers.conf",
        "CONTAINERS_STORAGE_CONF": "storage.conf",
        "CONTAINERS_REGISTRIES_CONF": "registries.conf",
    }
    environ = {**os.environ, **{name: str(settings / file) for name, file in variables.items()}}
    words = ["podman", "run", "--rm", busybox_x86_64, "busybox", "env"]
    command = [sys.executable, "-m", "crosswheel", "accelerate", "--", *words]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "container=" in done.stdout
    assert f"not accelerated: 1 container of {busybox_x86_64}: x86_64 runs natively" in done.stderr


@_IN_TURN
@pytest.mark.usefixtures("qemu")
def test_a_dry_run_shows_the_changed_command_and_starts_none(
    accelerate: Accelerate, engine: docker.DockerClient, aarch64: str
) -> None:
    before = {container.id for container in engine.containers.list(all=True)}
    done = accelerate("--dry-run", "--", "docker", "run", PLATFORM, "--env=A=1", aarch64, "true")
    assert done.returncode == 0, done.stderr
    assert f"docker run {PLATFORM} --env=A=1 --volume=crosswheel-tools-" in done.stderr
    assert f" {aarch64} true\n" in done.stderr
    assert {container.id for container in engine.containers.list(all=True)} == before


@pytest.mark.daily(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("qemu")
def test_what_an_interruption_finds_half_made_is_removed(
    environ: dict[str, str], engine: docker.DockerClient, aarch64: str, tmp_path: Path, number: signal.Signals
) -> None:
    """It comes while crosswheel asks the image, in a container of its own, which compiler it has, or soon after."""
    environ = {**environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "crosswheel", "accelerate", "--", "docker", "run", "--rm", PLATFORM]
    command += ["--init", aarch64, "sleep", "300"]  # the first process of a container does not hear signals
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        deadline = time.monotonic() + 500
        while not (asked := ours(engine, "sleep")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert asked
        process.send_signal(number)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:  # docker's client loses a signal that comes while it starts the container
            process.send_signal(number)
        process.wait(120)
    assert process.returncode == 128 + number
    assert not ours(engine)
    assert not engine.containers.list(all=True, filters={"ancestor": aarch64})


def ours(engine: docker.DockerClient, program: str = "") -> list[str]:
    """The containers of crosswheel's own that run a program."""
    found = engine.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
    return [str(one.id) for one in found if program in " ".join(one.attrs["Config"]["Cmd"] or ())]


@pytest.mark.daily(1)
@pytest.mark.usefixtures("qemu")
def test_a_command_outlives_crosswheel_and_its_containers_are_as_without(
    environ: dict[str, str], engine: docker.DockerClient, aarch64: str, tmp_path: Path
) -> None:
    """Killed, crosswheel removes nothing; the next run removes what was crosswheel's own."""
    name, ready = f"crosswheel-tests-killed-{os.getpid()}", tmp_path / "ready"
    script = f"docker create --name={name} {PLATFORM} {aarch64} true; : >{ready}; sleep 3; docker rm {name}; : >{ready}"
    command = [sys.executable, "-m", "crosswheel", "accelerate", "--", "sh", "-c", script]
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        wait_for(ready)
        ready.unlink()
        process.kill()
    wait_for(ready)
    with pytest.raises(docker.errors.NotFound):
        engine.containers.get(name)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 300
    while not path.exists():
        assert time.monotonic() < deadline, path
        time.sleep(0.1)


@_IN_TURN
@pytest.mark.usefixtures("qemu")
def test_an_interrupted_command_leaves_no_container(
    environ: dict[str, str], engine: docker.DockerClient, aarch64: str, tmp_path: Path
) -> None:
    name, ready = f"crosswheel-tests-left-{os.getpid()}", tmp_path / "ready"
    script = f"docker create --name={name} {PLATFORM} {aarch64} sleep 60; : >{ready}; exec sleep 60"
    command = [sys.executable, "-m", "crosswheel", "accelerate", "--", "sh", "-c", script]
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while not ready.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert engine.containers.get(name).status == "created"
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(docker.errors.NotFound):
        engine.containers.get(name)


# ---- cibuildwheel ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["3.4.1", "4.3.5"])
def cibuildwheel(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The program of a release, from the package index."""
    if sys.version_info < (3, 11):
        pytest.skip("cibuildwheel needs CPython 3.11")
    venv.create(tmp_path / "environment", with_pip=True)
    program = tmp_path / "environment" / "bin"
    install = [str(program / "python"), "-m", "pip", "install", "--quiet", f"cibuildwheel=={request.param}"]
    subprocess.run(install, check=True, timeout=300)
    return program / "cibuildwheel"


_PYPROJECT = """
[build-system]
requires = ["setuptools==80.9.0", "cppy==1.3.1"]
build-backend = "setuptools.build_meta"

[project]
name = "own"
version = "1.0"
"""
_SETUP = """
import cppy
from setuptools import Extension, setup

setup(ext_modules=[Extension("own", ["own.cc"], include_dirs=[cppy.get_include()])])
"""
_SOURCE = """
#include <cppy/cppy.h>

static PyObject *seven(PyObject *, PyObject *) { return cppy::incref(cppy::ptr(PyLong_FromLong(7)).release()); }
static PyMethodDef methods[] = {{"seven", seven, METH_NOARGS, nullptr}, {}};
static PyModuleDef own = {PyModuleDef_HEAD_INIT, "own", nullptr, -1, methods};
PyMODINIT_FUNC PyInit_own() { return PyModule_Create(&own); }
"""


@pytest.mark.index
@pytest.mark.usefixtures("qemu")
@_IN_TURN
def test_cibuildwheel_makes_the_same_wheel_and_the_second_one_from_the_cache(
    cibuildwheel: Path, accelerate: Accelerate, environ: dict[str, str], aarch64: str, tmp_path: Path
) -> None:
    """The headers of cppy lie under another random name in each build."""
    project = tmp_path / "own"
    project.mkdir()
    for name, text in (("pyproject.toml", _PYPROJECT), ("setup.py", _SETUP), ("own.cc", _SOURCE)):
        (project / name).write_text(text)
    settings = {
        "CIBW_ARCHS": "aarch64",
        "CIBW_BUILD": "cp311-manylinux*",
        "CIBW_MANYLINUX_AARCH64_IMAGE": aarch64,
        "CIBW_TEST_COMMAND": "python -c 'import own; assert own.seven() == 7'",
    }
    made = {}
    for name in ("first", "second", "plain"):
        words = [str(cibuildwheel), "--platform=linux", f"--output-dir={tmp_path / name}", str(project)]
        if name == "plain":
            subprocess.run(words, env={**environ, **settings}, cwd=tmp_path, check=True)
        else:
            done = accelerate("--", *words, **settings)
            assert done.returncode == 0, done.stdout + done.stderr
            said = done.stderr
            assert "1 container of" in said
            assert ("ccache answered 1, and keeps 0 new" in said) == (name == "second"), said
        (wheel,) = (tmp_path / name).glob("*.whl")
        made[name] = (wheel.name, sorted(ZipFile(wheel).namelist()))
    assert made["first"] == made["second"] == made["plain"]


# ---- kinds of projects ----------------------------------------------------------------------------------------

# It calls libc, as extensions do: of one that calls nothing of it, clang names libc.so.6 all the same, and gcc only
# without --as-needed.
_OWN = """
#include <Python.h>
#include <stdlib.h>

int number_of_own(void);
static PyObject *seven(PyObject *self, PyObject *none) {
    return PyLong_FromLong(getenv("UNKNOWN") ? 8 : number_of_own());
}
static PyMethodDef methods[] = {{"seven", seven, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef own = {PyModuleDef_HEAD_INIT, "own", NULL, -1, methods};
PyMODINIT_FUNC PyInit_own(void) { return PyModule_Create(&own); }
"""
_TABLE = """
[project]
name = "own"
version = "1.0"

[build-system]
requires = ["{requires}"]
build-backend = "{backend}"

[tool.cibuildwheel]
build = "cp311-manylinux*"
test-command = "python {{project}}/check.py"
{options}
"""
_BY_SETUPTOOLS = """
from setuptools import Extension, setup

setup(ext_modules=[Extension("own", {})])
"""
# As projects do that need a library which no image has.
_LIBRARY = """
set -eux
mkdir -p /usr/local/lib
cc -O2 -fPIC -c number.c -o /tmp/number.o
cc -shared -Wl,-soname,libnumber.so.1 /tmp/number.o -o /usr/local/lib/libnumber.so.1
ln -s libnumber.so.1 /usr/local/lib/libnumber.so
ldconfig
"""
_CMAKE = """
cmake_minimum_required(VERSION 3.18)
project(own LANGUAGES C)
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
python_add_library(own MODULE own.c number.c WITH_SOABI)
install(TARGETS own DESTINATION .)
"""
_MESON = """
project('own', 'c', version: '1.0')
import('python').find_installation(pure: false).extension_module('own', 'own.c', 'number.c', install: true)
"""
_COMMON = {
    "own.c": _OWN,
    "number.c": '#include <stdlib.h>\nint number_of_own(void) { return getenv("UNKNOWN") ? 8 : 7; }\n',
    "check.py": "import own\n\nassert own.seven() == 7\n",
}
_KINDS: Mapping[str, Mapping[str, str]] = {
    "before-all": {
        "pyproject.toml": _TABLE.format(
            requires="setuptools==80.9.0",
            backend="setuptools.build_meta",
            options='before-all = "sh {project}/library.sh"',
        ),
        "setup.py": _BY_SETUPTOOLS.format('["own.c"], libraries=["number"]'),
        "library.sh": _LIBRARY,
    },
    "build[uv]": {
        "pyproject.toml": _TABLE.format(
            requires="setuptools==80.9.0", backend="setuptools.build_meta", options='build-frontend = "build[uv]"'
        ),
        "setup.py": _BY_SETUPTOOLS.format('["own.c", "number.c"]'),
    },
    "cmake": {
        "pyproject.toml": _TABLE.format(
            requires="scikit-build-core==0.11.6", backend="scikit_build_core.build", options=""
        ),
        "CMakeLists.txt": _CMAKE,
    },
    "meson": {
        "pyproject.toml": _TABLE.format(requires="meson-python==0.18.0", backend="mesonpy", options=""),
        "meson.build": _MESON,
    },
}
# QEMU's default processor takes many times as long for the same.
_PLAIN = {"CIBW_CONTAINER_ENGINE": "docker; create_args: --env=QEMU_CPU=cortex-a57"}


@dataclass(frozen=True)
class Made:
    """A wheel without the contents of its binaries: of each, the libraries that it needs and the symbols it defines."""

    name: str
    members: list[str]
    tags: list[str]
    binaries: Mapping[str, tuple[tuple[str, ...], list[str]]]


def made_in(folder: Path) -> Made:
    (path,) = folder.glob("*.whl")
    wheel = read_wheel(path)
    binaries = {
        _unhashed(name): (tuple(map(_unhashed, elf.needed)), sorted(elf.defined))
        for name, elf in wheel.elves.items()
        if isinstance(elf, Elf)
    }
    with ZipFile(path) as opened:
        names = opened.namelist()
        (metadata,) = (opened.read(name).decode() for name in names if name.endswith(".dist-info/WHEEL"))
    members = sorted(_unhashed(name) for name in names if not name.endswith("/"))
    return Made(path.name, members, [line for line in metadata.splitlines() if line.startswith("Tag:")], binaries)


def _unhashed(name: str) -> str:
    """auditwheel puts a hash of the content into the names of libraries that it copies."""
    return re.sub(r"-[0-9a-f]{8}(?=[.]so)", "", name)


@pytest.mark.index
@pytest.mark.daily(1)
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.usefixtures("qemu")
def test_each_kind_of_project_becomes_the_same_wheel(
    kind: str, cibuildwheel: Path, accelerate: Accelerate, environ: dict[str, str], aarch64: str, tmp_path: Path
) -> None:
    project = tmp_path / "own"
    project.mkdir()
    for name, text in {**_COMMON, **_KINDS[kind]}.items():
        (project / name).write_text(text)
    settings = {"CIBW_ARCHS": "aarch64", "CIBW_MANYLINUX_AARCH64_IMAGE": aarch64}
    words = [str(cibuildwheel), "--platform=linux"]
    done = accelerate("--", *words, f"--output-dir={tmp_path / 'accelerated'}", cwd=project, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "by native clang" in done.stderr
    plain = [*words, f"--output-dir={tmp_path / 'plain'}"]
    subprocess.run(plain, env={**environ, **settings, **_PLAIN}, cwd=project, check=True)
    found = made_in(tmp_path / "accelerated")
    assert found.binaries
    assert found == made_in(tmp_path / "plain")


# ---- commands of other tools ----------------------------------------------------------------------------------

# As Makefiles, and projects like pypa's python-manylinux-demo, call docker.
_SCRIPT = """
set -e
for PYBIN in /opt/python/cp31*/bin; do "$PYBIN/pip" wheel --no-deps -w /tmp/made /io; done
for wheel in /tmp/made/*.whl; do auditwheel repair -w /io/wheelhouse "$wheel"; done
"""
_RUN = f"docker run --rm {PLATFORM} -v {{folder}}:/io {{image}} "
_COMMANDS = {
    "make": ["make", "wheels"],
    "docker": ["sh", "-c", _RUN.format(folder="$PWD", image="$IMAGE") + f"sh -c '{_SCRIPT}'"],
}
_TOOLS = {
    "Makefile": "wheels:\n\t" + _RUN.format(folder="$(CURDIR)", image="$$IMAGE") + "sh /io/build.sh\n",
    "build.sh": _SCRIPT,
}


@pytest.mark.index
@pytest.mark.daily(1)
@pytest.mark.parametrize("tool", _COMMANDS)
@pytest.mark.usefixtures("qemu")
def test_commands_of_other_tools_compile_natively(
    tool: str, accelerate: Accelerate, aarch64: str, tmp_path: Path
) -> None:
    project = tmp_path / "own"
    project.mkdir()
    for name, text in {**_COMMON, **_KINDS["build[uv]"], **_TOOLS}.items():
        (project / name).write_text(text)
    done = accelerate("--", *_COMMANDS[tool], cwd=project, IMAGE=aarch64)
    assert done.returncode == 0, done.stdout + done.stderr
    wheels = sorted((project / "wheelhouse").glob("*.whl"))
    assert [wheel.name.split("-")[2] for wheel in wheels] == ["cp311", "cp313"]
    assert all("manylinux_2_17_aarch64" in wheel.name for wheel in wheels)
    assert f"accelerated: 1 container of {aarch64} (aarch64)" in done.stderr
    # Each wheel is two files and a link.
    assert "compilers: 6 commands by native clang, 0 by the image's own gcc" in done.stderr


# As its travis_linux_steps.sh calls docker.
_STEPS = """
docker run --rm -e BUILD_COMMANDS="build_wheel compiles" -e PYTHON_VERSION=3.11 -e MB_PYTHON_VERSION=3.11 \\
    -e UNICODE_WIDTH=32 -e BUILD_COMMIT= -e CONFIG_PATH=config.sh -e ENV_VARS_PATH=env_vars.sh \\
    -e WHEEL_SDIR=wheelhouse -e MANYLINUX_URL= -e BUILD_DEPENDS= -e USE_CCACHE= -e REPO_DIR=compiles \\
    -e PLAT=aarch64 -e MB_ML_VER=_2_41 -e MB_ML_LIBC=manylinux -v $PWD:/io $IMAGE \\
    bash /io/multibuild/docker_build_wrap.sh
"""


@pytest.mark.index
@pytest.mark.daily(1)
@pytest.mark.parametrize("scripts", [stand_in, real])
@pytest.mark.usefixtures("qemu")
def test_multibuild_compiles_natively(
    scripts: Callable[[Path], None], accelerate: Accelerate, aarch64: str, tmp_path: Path
) -> None:
    folder = multibuild_folder(tmp_path / "tiny-wheels", scripts)
    done = accelerate("--", "bash", "-c", _STEPS, cwd=folder, IMAGE=aarch64)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "in pre_build: aarch64 _2_41  given by env_vars.sh\n" in done.stdout
    (wheel,) = (folder / "wheelhouse").glob("*aarch64.whl")
    assert "-cp311-cp311-" in wheel.name
    # A library of pre_build, and the module of the wheel: each a file and a link, or both at once.
    assert re.search(r"compilers: [2-4] commands by native clang, 0 by the image's own gcc", done.stderr), done.stderr


def test_dockcross_s_script_stays_as_it_is(
    accelerate: Accelerate, environ: dict[str, str], engine: docker.DockerClient, dockcross: str, tmp_path: Path
) -> None:
    """Its image is of this machine, and its compilers run natively."""
    engine.images.pull(dockcross)
    program = ["docker", "run", "--rm", dockcross]
    environ["DEFAULT_DOCKCROSS_IMAGE"] = dockcross
    script = tmp_path / "dockcross"
    script.write_bytes(subprocess.run(program, env=environ, check=True, capture_output=True).stdout)
    script.chmod(0o755)
    words = [str(script), "bash", "-c", "echo $CC; exit 3"]
    plain = subprocess.run(words, env=environ, cwd=tmp_path, check=False, capture_output=True, text=True)
    done = accelerate("--", *words, DEFAULT_DOCKCROSS_IMAGE=dockcross)
    assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout) == (3, done.stdout)
    assert "gcc" in done.stdout
    assert "x86_64 runs natively" in done.stderr


# ---- crosswheel's audit in cibuildwheel -----------------------------------------------------------------------


@pytest.mark.index
@pytest.mark.daily(1)
@pytest.mark.parametrize("cibuildwheel", ["4.3.5"], indirect=True)
def test_cibuildwheel_ends_with_an_error_of_the_audit(
    cibuildwheel: Path, environ: dict[str, str], engine: docker.DockerClient, manylinux_x86_64: str, tmp_path: Path
) -> None:
    """As docs/audit.md has it; from this folder instead of the index."""
    engine.images.pull(manylinux_x86_64)
    root = Path(__file__).parents[2]
    making = ["-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={tmp_path}", str(root)]
    subprocess.run([str(cibuildwheel.with_name("python")), *making], check=True, timeout=300)
    (requirement,) = tmp_path.glob("crosswheel-*.whl")
    example = (root / "docs" / "audit.md").read_text("utf-8").partition("[tool.cibuildwheel]\n")[2].partition("```")[0]
    options = example.replace('"crosswheel"', f'"{requirement}"')
    assert str(requirement) in options
    project, output = tmp_path / "own", tmp_path / "wheelhouse"
    project.mkdir()
    table = _TABLE.format(requires="setuptools==80.9.0", backend="setuptools.build_meta", options=options)
    files = {**_COMMON, "pyproject.toml": table, "setup.py": _BY_SETUPTOOLS.format('["own.c", "number.c"]')}
    for name, text in files.items():
        (project / name).write_text(text)
    settings = {
        "CIBW_ARCHS": "x86_64",
        "CIBW_MANYLINUX_X86_64_IMAGE": manylinux_x86_64,
        "CIBW_TEST_COMMAND": "",
        # Otherwise cibuildwheel fetches virtualenv for the audit from where no package index is.
        "CIBW_BUILD_FRONTEND": "build[uv]",
    }

    def built() -> subprocess.CompletedProcess[str]:
        words = [str(cibuildwheel), "--platform=linux", f"--output-dir={output}"]
        return subprocess.run(
            words, env={**environ, **settings}, cwd=project, capture_output=True, text=True, check=False
        )

    done = built()
    assert done.returncode == 0, done.stdout + done.stderr
    (verdict,) = re.findall("1 file · .*", done.stdout)
    assert "error" not in verdict
    (good,) = output.glob("*.whl")
    good.unlink()
    # Python finds no function with which the module begins.
    (project / "own.c").write_text(_OWN.replace("PyInit_own", "PyInit_other"))
    done = built()
    assert "error W3" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 9
    assert not list(output.glob("*.whl"))
