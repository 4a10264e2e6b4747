"""Wheels made and tested in containers, as a user has them made: from a project's folder and its configuration.

On each kind of host of containers; the less usual cases take turns, one kind a day. Tests with `on_docker` are of a
Docker Engine alone: of its daemon, and of containers that live, and may be lost, between two commands.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
import pytest
from elftools.elf.elffile import ELFFile

from auditwheel_show import assert_auditwheel_agrees
from containers import dockerd
from containers.engine import Engine
from containers.program import find_program
from containers.stand_ins.manylinux import POLICY
from crosswheel.commands import run_verb
from crosswheel.containers.ownership import KIND, LABEL
from crosswheel.engines import in_containers
from crosswheel.engines.facts import look_around
from crosswheel.engines.network import network_of
from crosswheel.engines.services import Services
from crosswheel.errors import CrosswheelError
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import read_wheel
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import deaf
from crosswheel.model.options import options as options_of
from crosswheel.model.targets import parse_target
from tiny_projects import PROJECTS

pytestmark = [pytest.mark.containers, pytest.mark.index]

ARM, X86 = "aarch64", "x86_64"
_LONG = 8  # seconds of a job
ANSWERS = 'python -c "import fast; assert fast.answer() == 42"'


@dataclass(frozen=True)
class Built:
    """What `crosswheel wheels` left behind: exit code, what it printed, the project's folder."""

    code: int
    printed: str
    project: Path

    @property
    def output(self) -> Path:
        return self.project / "wheelhouse"

    @property
    def jobs(self) -> list[dict[str, Any]]:
        report = json.loads((self.output / "report.json").read_text("utf-8"))
        return list(report["jobs"])

    @property
    def job(self) -> dict[str, Any]:
        (job,) = self.jobs
        return job

    @property
    def wheel(self) -> Path:
        """The only one, of a run that went well."""
        assert self.code == 0, self.printed
        (wheel,) = self.output.glob("*.whl")
        return wheel

    @property
    def elves(self) -> dict[str, Elf]:
        found = read_wheel(self.wheel).elves
        return {name: elf for name, elf in found.items() if isinstance(elf, Elf)}

    def log(self, python: str = "cp313") -> str:
        (path,) = (self.output / "logs").glob(f"tiny-1.0-{python}-{POLICY}_*[46].log")
        return path.read_text("utf-8")

    def failure(self, python: str = "cp313") -> dict[str, Any]:
        (job,) = (job for job in self.jobs if job["python"] == python)
        assert job["status"] == "failed", self.printed
        failure: dict[str, Any] = job["failure"]
        return failure


Make = Callable[..., Built]


def project(folder: Path, name: str, options: Mapping[str, Any], environment: Mapping[str, str] | None) -> Path:
    """A copy of tests/projects/<name>, with a configuration."""
    made = shutil.copytree(PROJECTS / name, folder / name)
    shutil.copy(PROJECTS / "tiny_backend.py", made)
    rows = [f"{key} = {json.dumps(value)}" for key, value in {"policy": POLICY, **options}.items()]
    variables = [f"{key} = {json.dumps(value)}" for key, value in (environment or {}).items()]
    lines = ["", "[tool.crosswheel]", *rows, "[tool.crosswheel.environment]", *variables, ""]
    with (made / "pyproject.toml").open("a") as file:
        file.write("\n".join(lines))
    return made


@pytest.fixture
def make(chosen: Mapping[str, str], tmp_path: Path) -> Make:
    """Runs `wheels`, or another verb, in a project with options, on each kind of host."""
    return _maker(chosen, tmp_path)


@pytest.fixture
def on_docker(docker_engine: Engine, tmp_path: Path) -> Make:
    return _maker({"docker-host": docker_engine.address}, tmp_path)


def _maker(chosen: Mapping[str, str], tmp_path: Path) -> Make:
    def run(name: str = "compiles", *, verb: str = "wheels", environ: Any = None, **options: Any) -> Built:
        given = {**chosen, "python": ["cp313"], "download-python": "never"}
        given |= {key.replace("_", "-"): value for key, value in options.items()}
        flags = {key: given.pop(key) for key in [*given] if options_of()[key].where == "flag"}
        folder = project(tmp_path, name, given, environ)
        printed = io.StringIO()
        try:
            code = run_verb(verb, folder, {"source": str(folder), **flags}, printed)
        except CrosswheelError as error:
            return Built(error.exit_code, str(error), folder)
        if code == 0:
            assert_auditwheel_agrees((folder / "wheelhouse").glob("*.whl"))
        return Built(code, printed.getvalue(), folder)

    return run


@pytest.fixture
def natively(make: Make, manylinux_x86_64: str) -> Make:
    """In a container of this machine's kind."""
    return _natively(make, manylinux_x86_64)


def _natively(make: Make, image: str) -> Make:
    def run(name: str = "compiles", **options: Any) -> Built:
        return make(name, **{"arch": [X86], "engine": "native", "image": image, "test": "never", **options})

    return run


@pytest.fixture
def for_arm(make: Make, manylinux_aarch64: str, emulates: None) -> Make:
    def run(**options: Any) -> Built:
        return make(**{"arch": [ARM], "image": manylinux_aarch64, "test_command": ANSWERS, **options})

    return run


def assert_is(built: Built, arch: str, engine: str) -> None:
    """Right by name and by nature, and it was tried."""
    suffix = f".cpython-313-{arch}-linux-gnu.so"
    assert built.wheel.name == f"tiny-1.0-cp313-cp313-{POLICY}_{arch}.whl"
    assert [name for name in built.elves if "/" not in name] == [f"fast{suffix}"]
    assert {elf.machine for elf in built.elves.values()} == {"EM_AARCH64" if arch == ARM else "EM_X86_64"}
    job = built.job
    assert (job["engine"], job["status"], job["tested"], job["findings"]) == (engine, "built", True, [])
    assert [step["step"] for step in job["steps"]] == ["build", "repair", "audit", "test"]


def extension(built: Built) -> ELFFile:
    (name,) = (name for name in built.elves if "/" not in name)
    with zipfile.ZipFile(built.wheel) as archive:
        return ELFFile(io.BytesIO(archive.read(name)))


def compilers(elf: ELFFile) -> str:
    section = elf.get_section_by_name(".comment")
    assert section is not None
    return str(section.data())


# ---- the engines ----------------------------------------------------------------------------------------------


# libfoo needs libbar, and neither is anywhere but in the image; the build finds a file that a hook wrote.
_LIBRARIES = """
set -eu
mkdir -p /usr/local/lib
echo 'int bar(void) { return 40; }' > bar.c
echo 'int bar(void); int foo(void) { return bar() + 2; }' > foo.c
cc -shared -fPIC -Wl,-soname,libbar.so.1 bar.c -o /usr/local/lib/libbar.so.1
cc -shared -fPIC -Wl,-soname,libfoo.so.1 foo.c /usr/local/lib/libbar.so.1 -o /usr/local/lib/libfoo.so.1
ln -s libfoo.so.1 /usr/local/lib/libfoo.so
ldconfig
"""


@pytest.mark.daily(1)
def test_native_with_libraries_that_only_the_image_has(natively: Make) -> None:
    flags = "-DWITH_FOO -lfoo -include written-by-a-hook.h"
    built = natively(
        before_all=_LIBRARIES,
        before_build="echo '#define WRITTEN 1' > written-by-a-hook.h",
        environ={"TINY_FLAGS": flags},
        test="auto",
        test_command=ANSWERS,
    )
    assert_is(built, X86, "native")
    assert "GCC" in compilers(extension(built))
    grafted = {re.sub("-[0-9a-f]{8}", "", name) for name in built.elves if "/" in name}
    assert grafted == {"tiny.libs/libfoo.so.1", "tiny.libs/libbar.so.1"}


def test_emulated(for_arm: Make) -> None:
    built = for_arm(engine="emulated")
    assert_is(built, ARM, "emulated")
    assert "GCC" in compilers(extension(built))
    assert "clang" not in compilers(extension(built))


def test_accelerated_compiles_cxx_with_our_clang_and_the_images_library(for_arm: Make) -> None:
    built = for_arm(engine="accelerated", environ={"TINY_SOURCE": "fast.cpp"})
    assert_is(built, ARM, "accelerated")
    elf = extension(built)
    assert "clang version" in compilers(elf)
    assert elf.get_section_by_name(".debug_info") is None
    (module,) = built.elves.values()
    assert "libstdc++.so.6" in module.needed
    assert not [name for name in module.needed if "c++abi" in name or name.startswith("libc++")]


@pytest.mark.daily(1)
def test_accelerated_keeps_debug_information_where_it_is_wanted(for_arm: Make) -> None:
    built = for_arm(engine="accelerated", debug_info=True, test="never")
    assert "clang version" in compilers(extension(built))
    assert extension(built).get_section_by_name(".debug_info") is not None


_PROBE = """
set -eux
case "$(cc -dumpmachine)" in aarch64-*linux-gnu) ;; *) exit 8;; esac
echo 'int main(void) { return sizeof(void *) == 8 ? 0 : 1; }' > probe.c
cc probe.c -o probe && ./probe
echo 'int main(void) { return no_such_function(); }' > probe.c
if cc -Werror probe.c -o probe 2> /dev/null; then exit 7; fi
echo '#include <math.h>' | cc -E - > /dev/null
echo 'int archived(void) { return 1; }' > archived.c
gcc -c archived.c && ar rcs libarchived.a archived.o && ranlib libarchived.a
echo '#include <iostream>\nint main() { std::cout << "probed by" << " " << __VERSION__ << std::endl; }' > probe.cc
c++ probe.cc -o probe && ./probe
"""


@pytest.mark.daily(1)
def test_accelerated_answers_as_configure_scripts_ask(for_arm: Make) -> None:
    built = for_arm(engine="accelerated", before_build=_PROBE, test="never")
    assert built.code == 0, built.printed
    assert re.search(r"^probed by .*Clang", built.log(), re.MULTILINE)


@pytest.mark.daily(2)
@pytest.mark.parametrize("by", ["accelerated", "emulated"])
def test_an_optional_extension_with_openmp_is_compiled(for_arm: Make, by: str) -> None:
    built = for_arm(name="optional", engine=by, test="never")
    assert built.code == 0, built.printed
    assert [finding["member"] for finding in built.job["findings"] if finding["rule"] == "W605"] == []
    assert [name.partition(".")[0] for name in sorted(built.elves)] == ["fast", "faster"]


_HOW_IT_WAS_COMPILED = "import as_by_gcc as made; print('made:', made.has_semtimedop, made.has_nonsense, made.answer())"


@pytest.mark.daily(1)
def test_accelerated_takes_what_gcc_takes(for_arm: Make) -> None:
    """Probes call functions without a declaration; a compiler that refuses them loses features silently."""
    built = for_arm(name="as_by_gcc", engine="accelerated", test_command=f'python -c "{_HOW_IT_WAS_COMPILED}"')
    assert built.code == 0, built.printed
    assert built.job["engine"] == "accelerated"
    (log,) = (built.output / "logs").glob("as-by-gcc-*.log")
    assert log.read_text("utf-8").rstrip().endswith("made: 1 0 42")


@pytest.mark.daily(1)
def test_what_only_gcc_takes_is_compiled_by_it_under_emulation(for_arm: Make) -> None:
    built = for_arm(engine="auto", environ={"TINY_FLAGS": "-DFOR_GCC"}, test="never")
    assert built.code == 0, built.printed
    job = built.job
    assert (job["engine"], job["status"]) == ("accelerated", "built")
    assert (job["usage"]["commands"], job["usage"]["by_gcc"]) == (1, 1)
    assert "this compiler is not gcc" not in built.log()


def test_a_cross_built_wheel_is_tested_in_a_container(for_arm: Make) -> None:
    assert_is(for_arm(engine="cross"), ARM, "cross")


def test_without_an_engine_wheels_are_cross_built_and_say_why_they_are_not_tested(
    on_docker: Make, tmp_path: Path
) -> None:
    built = on_docker(arch=[ARM], docker_host=f"unix://{tmp_path}/docker.sock")
    assert built.code == 0, built.printed
    assert (built.job["engine"], built.job["tested"]) == ("cross", False)
    assert "no Docker Engine answers there" in built.job["untested"]
    assert "NOT TESTED" in built.printed
    assert "no Docker Engine answers there" in built.printed


# ---- what befalls one job leaves the others -------------------------------------------------------------------


def only_for_cp311(script: str) -> str:
    return f'case "$(python -V)" in *" 3.11."*)\n{script}\nesac'


@pytest.mark.daily(2)
@pytest.mark.parametrize(
    ("script", "error", "code", "message"),
    [
        ("echo some reason; exit 3", "BuildFailed", 7, "ended with exit code 3"),
        ("sleep 300", "TimeLimit", 11, "was still running in its container at the time limit"),
        ("head -c 900m /dev/zero | tail", "OutOfMemory", 16, "out of memory"),
    ],
)
def test_what_goes_wrong_in_one_container_leaves_the_others(
    natively: Make, monkeypatch: pytest.MonkeyPatch, script: str, error: str, code: int, message: str
) -> None:
    monkeypatch.setattr(in_containers, "_memory", lambda host: 300 * 1024 * 1024)
    timeout = 25 if error == "TimeLimit" else 600
    failure = _failure_of_one(natively, script, timeout)
    assert (failure["kind"], failure["exit_code"], failure["step"]) == (error, code, "build")
    assert message in failure["message"]
    assert failure["hint"]
    if error == "BuildFailed":
        assert failure["message"].startswith("'case ")
        assert "some reason" in failure["log_tail"]


def test_a_container_that_is_lost_leaves_the_others(on_docker: Make, manylinux_x86_64: str) -> None:
    failure = _failure_of_one(_natively(on_docker, manylinux_x86_64), "kill -KILL -1; sleep 300", 600)
    assert (failure["kind"], failure["exit_code"], failure["step"]) == ("ContainerLost", 17, "build")
    assert "the container stopped during the build" in failure["message"]


def _failure_of_one(natively: Make, script: str, timeout: int) -> dict[str, Any]:
    """Of the build for 3.11; the one for 3.13 is fine."""
    built = natively(before_build=only_for_cp311(script), python=["cp311", "cp313"], timeout=timeout)
    failure = built.failure("cp311")
    assert built.code == failure["exit_code"]
    assert [path.name for path in built.output.glob("*.whl")] == [f"tiny-1.0-cp313-cp313-{POLICY}_x86_64.whl"]
    return failure


@pytest.mark.daily(2)
@pytest.mark.parametrize(("name", "made"), [("no_wheel", "made none"), ("two_wheels", "made tiny-1.0-cp313-")])
def test_a_backend_that_makes_no_wheel_or_two(natively: Make, name: str, made: str) -> None:
    built = natively(name, environ={"TINY_PYTHON": "cp313"})
    assert built.code == 10
    failure = built.failure()
    assert (failure["kind"], failure["step"]) == ("WheelCount", "build")
    assert f"the build backend must make one wheel, but {made}" in failure["message"]
    assert not list(built.output.glob("*.whl"))


def test_an_engine_that_ends_leaves_the_wheels_that_were_finished(
    tmp_path: Path, manylinux_x86_64: str, on_docker: Make
) -> None:
    program = find_program(dockerd.PROGRAM)
    if program is None or os.geteuid() != 0:
        pytest.skip("only root can start dockerd")
    first = tmp_path / f"compiles/wheelhouse/tiny-1.0-cp311-cp311-{POLICY}_x86_64.whl"
    with dockerd.running_dockerd(program, tmp_path / "engine") as address:
        number = int(Path(address.removeprefix("unix://")).with_name("dockerd.pid").read_text())

        def end() -> None:
            while not first.exists():
                time.sleep(0.1)
            time.sleep(2)
            os.kill(number, signal.SIGTERM)

        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        built = on_docker(
            docker_host=address,
            arch=[X86],
            engine="native",
            image=manylinux_x86_64,
            test="never",
            jobs=1,
            python=["cp311", "cp313"],
            before_build='case "$(python -V)" in *" 3.13."*) sleep 100;; esac',
        )
        thread.join()
    assert first.exists()
    failure = built.failure()
    assert failure["kind"] in {"EngineUnavailable", "ContainerLost"}
    assert failure["hint"]
    assert [job["status"] for job in built.jobs] == ["built", "failed"]


@pytest.mark.daily(1)
def test_a_command_of_the_projects_own_is_the_containers_and_not_this_machines(natively: Make, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("#!/bin/sh\n")
    (tmp_path / "here").chmod(0o755)
    failure = natively(before_build=str(tmp_path / "here")).failure()
    assert (failure["kind"], failure["step"]) == ("BuildFailed", "build")
    assert "exit code 127" in failure["message"]


# ---- built twice ----------------------------------------------------------------------------------------------


@pytest.mark.daily(1)
def test_a_second_container_makes_the_same_wheel(natively: Make) -> None:
    built = natively(twice=True, environ={"TINY_FLAGS": "-g0"})  # debug information names the folder
    assert built.code == 0, built.printed
    assert (built.job["status"], built.job["reproducible"]) == ("built", True)
    (log,) = (built.output / "logs").glob("*.again.log")
    assert "hooks.py" in log.read_text()


@pytest.mark.daily(1)
def test_what_a_second_container_makes_otherwise_is_named(natively: Make) -> None:
    built = natively(twice=True, before_build='echo "long when(void) { return 1$(date +%N); }" >> fast.c')
    assert (built.code, built.job["reproducible"]) == (27, False)
    extension, record = (difference["member"] for difference in built.job["differences"])
    assert extension.startswith("fast.cpython-313-")
    assert record.endswith("/RECORD")
    (second,) = (built.output / "again").glob("*.whl")
    assert second.read_bytes() != (built.output / second.name).read_bytes()


# ---- what cannot be built -------------------------------------------------------------------------------------


@pytest.mark.daily(1)
def test_a_python_that_the_image_has_not_is_refused_with_those_that_it_has(
    chosen: Mapping[str, str], manylinux_x86_64: str, tmp_path: Path
) -> None:
    config = load_config(tmp_path, {**chosen, "image": manylinux_x86_64})
    with look_around(config, deaf) as facts:
        target = parse_target(f"cp314-{POLICY}_x86_64")
        Services(facts).pull(manylinux_x86_64, target.arch)
        refusal = in_containers.offer(target, config, facts, natively=True)
        assert isinstance(refusal, str)
        known, _, there = refusal.partition(", only ")
        assert known == f"{manylinux_x86_64} has no cp314"
        assert {"cp311", "cp313"} <= set(there.partition(";")[0].split(", "))


@pytest.mark.daily(1)
def test_an_image_of_another_architecture_is_refused(natively: Make, manylinux_aarch64: str) -> None:
    built = natively(image=manylinux_aarch64)
    assert built.code == 3
    text = " ".join(built.printed.split())
    shown = manylinux_aarch64.partition("@")[0]
    assert re.search(f"native: {shown}@sha256:[0-9a-f]+ is not available for x86_64: .* is for aarch64", text)
    assert "try: --image " in text


# ---- the test step --------------------------------------------------------------------------------------------


@pytest.mark.daily(1)
def test_a_wheel_that_cannot_be_imported_is_rejected(natively: Make) -> None:
    built = natively(environ={"TINY_FLAGS": "-DNOT_TODAY"}, test="auto")
    assert built.code == 19
    failure = built.failure()
    assert (failure["kind"], failure["step"]) == ("TestFailed", "test")
    assert failure["message"].startswith("its modules could not be imported in ")
    assert any("not today" in line for line in failure["log_tail"])
    assert not list(built.output.glob("*.whl"))
    assert [path.name for path in (built.output / "rejected").iterdir()] == [
        f"tiny-1.0-cp313-cp313-{POLICY}_x86_64.whl"
    ]


@pytest.mark.daily(1)
def test_a_symbol_that_is_nowhere_is_found_without_running_anything(natively: Make) -> None:
    built = natively(environ={"TINY_FLAGS": "-DUNDEFINED"}, test="auto")
    assert built.code == 9
    assert (built.failure()["kind"], built.failure()["step"]) == ("AuditFailed", "audit")
    (finding,) = built.job["findings"]
    assert (finding["rule"], finding["found"]) == ("W405", "defined_nowhere")


@pytest.mark.daily(1)
def test_a_test_command_runs_in_each_image_with_what_it_requires_and_the_projects_files(
    natively: Make, slim_x86_64: str
) -> None:
    built = natively(
        test="auto",
        test_requires=["iniconfig"],
        test_extras=["tests"],
        test_command="python {project}/check.py",
        test_images=[slim_x86_64],
    )
    assert built.code == 0, built.printed
    assert built.job["tested"]
    assert built.log().count("checked with iniconfig packaging") == 2
    assert built.log().rstrip().endswith("checked with iniconfig packaging")


@pytest.mark.daily(1)
def test_a_test_command_that_fails(natively: Make) -> None:
    built = natively(test="auto", test_command="echo so; exit 4")
    failure = built.failure()
    assert failure["message"].startswith("the test command failed in ")
    assert failure["message"].endswith(": exit code 4")
    assert failure["log_tail"][-1] == "so"


@pytest.mark.daily(1)
def test_test_images_are_those_of_the_wheels_python(natively: Make, slim_x86_64: str) -> None:
    """The stand-in has 3.13 only."""
    built = natively(test="auto", test_images=[slim_x86_64], test_command=ANSWERS, python=["cp311", "cp313"])
    assert built.code == 19
    failure = built.failure("cp311")
    assert failure["message"] == f"{slim_x86_64} has no CPython 3.11 to test the wheel with"
    assert failure["hint"] == "remove it from test-images, or use an image with that Python version"
    assert [path.name for path in built.output.glob("*.whl")] == [f"tiny-1.0-cp313-cp313-{POLICY}_x86_64.whl"]
    assert built.log("cp313").count("uv pip install --quiet") == 2


@pytest.mark.daily(1)
def test_a_cross_built_wheel_is_tested_in_a_slim_image(for_arm: Make, slim_aarch64: str) -> None:
    built = for_arm(engine="cross", test_images=[slim_aarch64])
    assert_is(built, ARM, "cross")
    assert built.log().count("uv pip install --quiet") == 2


# ---- what containers see --------------------------------------------------------------------------------------


def test_no_secret_of_the_caller_reaches_a_container(
    natively: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The project's backend prints all that it sees."""
    home = tmp_path / "home-canary"
    home.mkdir()
    (home / ".netrc").write_text("machine x login y password canary\n")
    (home / ".pypirc").write_text("[pypi]\npassword = canary\n")
    for name in ("TWINE_PASSWORD", "UV_PUBLISH_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "LC_CANARY"):
        monkeypatch.setenv(name, "canary")
    # Uv's cache, and the interpreters that it brought, are below the real one.
    for name, folder in {"XDG_CACHE_HOME": ".cache", "XDG_DATA_HOME": ".local/share"}.items():
        monkeypatch.setenv(name, os.environ.get(name) or str(Path.home() / folder))
    monkeypatch.setenv("HOME", str(home))
    built = natively(before_build="env; cat /proc/1/environ; ls -aR /root /home /opt/crosswheel | head -n 1000")
    assert built.code == 0, built.printed
    log = built.log()
    assert "sees HOME=/root\n" in log
    report = (built.output / "report.json").read_text("utf-8")
    assert "canary" not in (log + report + built.printed).replace(str(tmp_path), "")
    assert not re.search("UV_(?!CACHE_DIR=/var/cache/crosswheel)", log)


def test_credentials_of_the_index_are_for_uv_alone(
    docker_engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://someone:secret@index.invalid/simple/")
    monkeypatch.setenv("UV_PUBLISH_TOKEN", "canary")
    with look_around(load_config(tmp_path, {"docker-host": docker_engine.address}), deaf) as facts:
        network = network_of(facts.host)
    assert "https://someone:secret@index.invalid/simple/" in network.installer_environ.values()
    assert not [value for value in network.environ.values() if "secret" in value]
    assert "canary" not in {*network.environ.values(), *network.installer_environ.values()}


# ---- one job after another --------------------------------------------------------------------------------------


def test_the_next_jobs_container_is_started_before_its_job(
    on_docker: Make, docker_engine: Engine, manylinux_x86_64: str
) -> None:
    natively = _natively(on_docker, manylinux_x86_64)
    options: dict[str, Any] = {"python": ["cp311", "cp313"], "jobs": 1, "fresh": True}
    first = natively(**options)  # an image that was not used yet needs other containers once
    assert [job["status"] for job in first.jobs] == ["built", "built"], first.printed
    shutil.rmtree(first.project)
    with closing(docker.DockerClient(base_url=docker_engine.address)) as client:
        time.sleep(1)
        began = _seconds(client)
        built = natively(**options, before_build=f"sleep {_LONG}")
        assert [job["status"] for job in built.jobs] == ["built", "built"], built.printed
        filters = {"type": "container", "event": ["start", "die"], "label": LABEL}
        events = client.events(since=began, until=_seconds(client) + 1, filters=filters, decode=True)
        # A host that has only just begun to run programs is asked once more whether it does.
        jobs = [event["Action"] for event in events if event["Actor"]["Attributes"].get(KIND) != "probe"]
    assert jobs == ["start", "start", "die", "die"]


def _seconds(client: docker.DockerClient) -> int:
    """The engine's own clock, in whole seconds since the epoch."""
    return int(datetime.fromisoformat(client.info()["SystemTime"][:19] + "+00:00").timestamp())


# ---- Ctrl-C ---------------------------------------------------------------------------------------------------


def test_ctrl_c_leaves_no_container(each_engine: Engine, manylinux_x86_64: str, tmp_path: Path) -> None:
    options = {"arch": [X86], "python": ["cp311", "cp313"], "engine": "native", "test": "never"}
    folder = project(tmp_path, "compiles", {**options, "before-build": "echo begun; sleep 300"}, None)
    command = [sys.executable, "-m", "crosswheel", "wheels"]
    command += ["--docker-host", each_engine.address, "--image", manylinux_x86_64, "--jobs", "1"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        logs = folder / "wheelhouse/logs"
        deadline = time.monotonic() + 120
        # The job that took longest in earlier tests is first. The second container waits for the next job.
        while not (
            any("\nbegun\n" in log.read_text() for log in logs.glob("*.log")) and len(ours(each_engine, run.pid)) > 1
        ):
            assert time.monotonic() < deadline
            assert run.poll() is None, run.communicate()
            time.sleep(0.1)
        began = time.monotonic()
        run.send_signal(signal.SIGINT)
        printed, _ = run.communicate()
    assert time.monotonic() - began < 20
    assert run.returncode == 130, printed
    assert "Traceback" not in printed
    # The engine may still be at it.
    deadline = time.monotonic() + 20
    while ours(each_engine, run.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ours(engine: Engine, process: int) -> list[str]:
    """The containers of a process."""
    with closing(docker.DockerClient(base_url=engine.address)) as client:
        found = client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
        return [str(each.id) for each in found if each.labels[LABEL].split()[1] == str(process)]
