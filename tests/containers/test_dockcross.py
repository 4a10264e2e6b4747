"""Real builds with the engine dockcross: what they make is the target's by name and by nature, and runs there."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from containers.engine import Engine
from containers.stand_ins.dockcross import TRIPLE
from containers.stand_ins.manylinux import POLICY
from crosswheel.commands import run_verb
from crosswheel.engines.dockcross import Dockcross
from crosswheel.engines.facts import look_around, reference_of
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import Workspace
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import read_wheel
from crosswheel.images.pins import image_arch
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Interpreter, Job, Sdist, deaf
from crosswheel.model.targets import parse_target
from tiny_projects import PROJECTS, tar_of

Look = Callable[..., tuple[Config, Services]]

pytestmark = pytest.mark.containers

PLATFORM = f"{POLICY}_aarch64"
TARGET = parse_target(f"cp313-{PLATFORM}")
SDIST = Sdist(Path("tiny-1.0.tar.gz"), "tiny", "1.0", "")
SUFFIX = ".cpython-313-aarch64-linux-gnu.so"

# Builds libanswer for the target, with the compiler and in the sysroot that the image names.
_LIBRARY = """
set -eu
echo 'int answer(void) { return 42; }' >/root/answer.c
mkdir -p "$QEMU_LD_PREFIX/usr/lib"
$CC -shared -fPIC -Wl,-soname,libanswer.so.1 /root/answer.c -o "$QEMU_LD_PREFIX/usr/lib/libanswer.so.1"
ln -s libanswer.so.1 "$QEMU_LD_PREFIX/usr/lib/libanswer.so"
"""


@dataclass(frozen=True)
class Built:
    """What `crosswheel wheels` left behind for one wheel: its job in the report, the wheel, the log."""

    job: Mapping[str, Any]
    wheel: Path
    log: str

    @property
    def extensions(self) -> dict[str, Elf]:
        elves = read_wheel(self.wheel).elves
        assert all(isinstance(elf, Elf) for elf in elves.values())
        return {name: elf for name, elf in elves.items() if isinstance(elf, Elf)}


Build = Callable[..., Built]


@pytest.fixture(scope="module")
def project(dockcross: str, manylinux_aarch64: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Gives a new folder whose images are the stand-ins; options are those of [tool.crosswheel]."""

    def write(**options: str) -> Path:
        lines = [f"{name.replace('_', '-')} = '''{value}'''" for name, value in options.items()]
        images = {PLATFORM: manylinux_aarch64, f"dockcross.{PLATFORM}": dockcross}
        lines += ["[tool.crosswheel.images]", *(f'{name} = "{image}"' for name, image in images.items())]
        folder = tmp_path_factory.mktemp("project")
        (folder / "pyproject.toml").write_text("\n".join(["[tool.crosswheel]", *lines, ""]))
        return folder

    return write


@pytest.fixture
def build(each_engine: Engine, qemu: object, project: Callable[..., Path]) -> Build:
    """Builds a source for cp313, and tests it in an image of the target under QEMU with a command."""

    def built(source: str, test: str, **options: str) -> Built:
        folder = project(test_command=f'python -c "import platform; {test}; print(platform.machine())"', **options)
        flags = {"source": source, "engine": "dockcross", "policy": POLICY, "python": ["cp313"]}
        printed = io.StringIO()
        code = run_verb("wheels", folder, {**flags, "docker-host": each_engine.address}, printed)
        assert code == 0, printed.getvalue()
        (job,) = json.loads((folder / "wheelhouse" / "report.json").read_text())["jobs"]
        (log,) = (folder / "wheelhouse" / "logs").iterdir()
        return Built(job, folder / job["wheel"]["path"], log.read_text())

    return built


def sdist(name: str, folder: Path) -> str:
    """Of a project of tests/projects, made by hand: what is tried here is the other hook."""
    version = b"Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n" % name.encode()
    files = {path.name: path.read_bytes() for path in (PROJECTS / name).iterdir() if path.is_file()}
    archive = {"top": f"{name}-1.0/", "name": f"{name}-1.0.tar.gz"}
    return str(tar_of({"PKG-INFO": version, **files}, folder, **archive))


def assert_is_the_targets(built: Built, modules: int) -> None:
    assert built.wheel.name.endswith(f"-cp313-cp313-{PLATFORM}.whl")
    assert {elf.machine for elf in built.extensions.values()} == {"EM_AARCH64"}
    assert sum(name.endswith(SUFFIX) for name in built.extensions) == modules
    assert (built.job["engine"], built.job["status"], built.job["tested"]) == ("dockcross", "built", True)
    assert built.log.rstrip().endswith("aarch64")
    assert "x86_64-linux-gnu.so" not in built.log


@pytest.mark.index
def test_an_extension_in_c(build: Build) -> None:
    built = build("markupsafe==3.0.2", "from markupsafe._speedups import _escape_inner")
    assert_is_the_targets(built, modules=1)
    assert f"{TRIPLE}-gcc -shared" in built.log


@pytest.mark.index
def test_extensions_in_cxx(build: Build) -> None:
    built = build("kiwisolver==1.4.9", "import kiwisolver; assert kiwisolver.Variable('x').value() == 0")
    assert_is_the_targets(built, modules=1)
    assert f"{TRIPLE}-g++" in built.log


@pytest.mark.index
def test_cmake_reads_the_images_toolchain_file_and_a_library_of_the_target_is_grafted(
    build: Build, tmp_path: Path
) -> None:
    check = "import by_cmake; assert by_cmake.told() == '42'"
    built = build(sdist("by_cmake", tmp_path), check, before_all=_LIBRARY)
    assert_is_the_targets(built, modules=1)
    # The last of these only the image's file sets.
    assert "by_cmake: TRUE aarch64 /usr/bin/qemu-aarch64-static" in built.log
    assert [name.partition("-")[0] for name in built.extensions if ".libs/" in name] == ["by_cmake.libs/libanswer"]


@pytest.mark.index
def test_meson_knows_both_machines(build: Build, tmp_path: Path) -> None:
    built = build(sdist("by_meson", tmp_path), "import by_meson; assert by_meson.told() == '42'")
    assert_is_the_targets(built, modules=1)
    assert "Build machine cpu family: x86_64" in built.log
    assert "Host machine cpu family: aarch64" in built.log


# ---- what a build sees ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def look(docker_engine: Engine, project: Callable[..., Path]) -> Look:
    def look(**flags: object) -> tuple[Config, Services]:
        config = load_config(project(), {"docker-host": docker_engine.address, **flags})
        return config, Services(look_around(config, deaf))

    return look


@pytest.fixture(scope="module")
def workspace(look: Look, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder, (config, services) = tmp_path_factory.mktemp("workspace"), look(engine="dockcross")
    Dockcross().prepare(TARGET, config, services, cxx=False)
    interpreter = Dockcross().offer(TARGET, config, services.facts)
    assert isinstance(interpreter, Interpreter), interpreter
    job = Job(TARGET, "dockcross", interpreter)
    with services, Dockcross().open(job, SDIST, config, services, folder / "job", folder / "log") as opened:
        yield opened


def printed(workspace: Workspace, command: str) -> list[str]:
    """What a hook would print."""
    workspace.log.unlink(missing_ok=True)
    workspace.run_hook(["sh", "-ec", command])
    return workspace.log.read_text().splitlines()[len(command.splitlines()) :]


@pytest.mark.parametrize("name", ["cc", "gcc", "g++", "aarch64-linux-gnu-gcc", "$CC", "$CXX"])
def test_every_name_of_a_compiler_means_the_targets(workspace: Workspace, name: str) -> None:
    assert printed(workspace, f"{name} -dumpmachine") == ["aarch64-linux-gnu"]


def test_what_runs_while_building_is_compiled_for_the_machine_that_builds(workspace: Workspace) -> None:
    command = "echo 'int main() {}' >/root/x.c; $CC_FOR_BUILD -dumpmachine; $HOSTCC /root/x.c -o /root/x; /root/x"
    assert printed(workspace, command) == ["x86_64-linux-gnu"]


def test_configure_scripts_are_told_of_the_target(workspace: Workspace) -> None:
    assert printed(workspace, '. "$CONFIG_SITE"; echo $host $build $ac_tool_prefix') == [
        "aarch64-linux-gnu x86_64-build-linux-gnu aarch64-linux-gnu-"
    ]


def test_pkg_config_finds_nothing_of_the_machine_that_builds(workspace: Workspace) -> None:
    folders = printed(workspace, "pkg-config --variable pc_path pkg-config; echo $PKG_CONFIG_LIBDIR")[1].split(":")
    assert not any(folder.startswith(("/usr/lib", "/usr/share", "/usr/local")) for folder in folders)
    assert folders[-1].startswith("/usr/xcc/")


def test_headers_are_those_of_its_python_without_what_is_of_x86(workspace: Workspace) -> None:
    include = printed(workspace, "python -c 'import sysconfig; print(sysconfig.get_path(\"include\"))'")[0]
    assert printed(workspace, f"grep -c HAVE_GCC_ASM_FOR_X64 {include}/pyconfig.h") == ["1"]
    assert printed(workspace, f"! grep '^#define HAVE_GCC_ASM_FOR_X64' {include}/pyconfig.h") == []


@pytest.mark.index
def test_build_requirements_without_a_wheel_are_compiled_for_the_machine_that_builds(workspace: Workspace) -> None:
    source = workspace.root / "needed"
    shutil.copytree(PROJECTS / "by_meson", source)
    (source / "pyproject.toml").write_text(_BY_SETUPTOOLS)
    workspace.put(source)
    workspace.install([f"by-meson @ file://{source}"])
    assert printed(workspace, "python -c 'import by_meson; print(by_meson.told())'") == ["42"]


_BY_SETUPTOOLS = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "by-meson"
version = "1.0"

[tool.setuptools]
ext-modules = [{ name = "by_meson", sources = ["by_meson.c"] }]
"""


# ---- what it cannot serve -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (f"cp312-{PLATFORM}", "has no cp312, only cp39, cp311, cp313"),
        ("cp313-musllinux_1_2_aarch64", "for glibc"),
        ("cp313-manylinux2014_s390x", "no image of dockcross is pinned for manylinux2014 on s390x"),
        ("cp313-manylinux_2_39_riscv64", "no image of dockcross is pinned for manylinux_2_39 on riscv64"),
    ],
)
def test_why_it_cannot_serve_a_target(look: Look, target: str, reason: str) -> None:
    config, services = look(engine="dockcross")
    services.pull(reference_of(TARGET, config, "dockcross"), image_arch(TARGET, "dockcross"))
    offered = Dockcross().offer(parse_target(target), config, services.facts)
    assert isinstance(offered, str)
    assert reason in offered


def test_an_image_without_a_cross_compiler_is_refused(look: Look, manylinux_x86_64: str) -> None:
    config, services = look(engine="dockcross", image=manylinux_x86_64)
    services.pull(manylinux_x86_64, image_arch(TARGET, "dockcross"))
    offered = Dockcross().offer(TARGET, config, services.facts)
    assert isinstance(offered, str)
    assert f"{manylinux_x86_64} is not a dockcross image: it does not set CC, CXX, CROSS_TRIPLE" in offered


def test_its_image_is_not_what_wheels_are_tested_in(look: Look, dockcross: str, manylinux_aarch64: str) -> None:
    config, _ = look(engine="dockcross", image=dockcross)
    assert (reference_of(TARGET, config, "dockcross"), reference_of(TARGET, config)) == (dockcross, manylinux_aarch64)
