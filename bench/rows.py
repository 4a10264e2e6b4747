"""How each row of the table makes its wheels: the commands that a maintainer would type."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import docker
from measure import Measured, RunFailed, measure
from uv import find_uv_bin

from projects import Project

ARCH = "aarch64"
_LABEL = "io.crosswheel.bench"


@dataclass(frozen=True)
class Row:
    """`keeps`, whether it leaves anything behind that makes its next run shorter; `on`, which Pythons it can take."""

    title: str
    on: str = "images"
    keeps: bool = False

    @property
    def in_containers(self) -> bool:
        return self.on == "images"


NATIVE, BASELINE, ACCELERATE = "native", "cibuildwheel", "cibuildwheel-accelerated"
ROWS: Mapping[str, Row] = {
    NATIVE: Row("pip wheel, for this machine", on="machine"),
    "cross": Row("crosswheel, cross", on="machine", keeps=True),
    "accelerated": Row("crosswheel, accelerated", keeps=True),
    "dockcross": Row("crosswheel, dockcross", keeps=True),
    "emulated": Row("crosswheel, emulated", keeps=True),
    "docker-run": Row("docker run by hand, emulated"),
    ACCELERATE: Row("cibuildwheel, with crosswheel accelerate", keeps=True),
    BASELINE: Row("cibuildwheel, emulated"),
}
ENGINES = tuple(name for name, row in ROWS.items() if row.keeps and name != ACCELERATE)


@dataclass(frozen=True)
class Stage:
    """What all rows share: interpreters of this machine, and images on the Docker host, if there is one.

    `images` has pypa's stand-in of the architecture and dockcross's, by family.
    """

    work: Path
    interpreters: Mapping[str, Path]
    client: docker.DockerClient | None
    address: str
    images: Mapping[str, str]
    in_images: Sequence[str]
    policy: str

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CIBW_", "QEMU_", "CROSSWH"))}
        return {**kept, **({"DOCKER_HOST": self.address} if self.address else {})}


@dataclass(frozen=True)
class State:
    """A folder with all that one series of runs keeps from one run to the next: caches of its own, empty at first.

    But for `crosswheel`'s, which has the toolchains. It stays where it is: Zig knows its libraries by their paths.
    """

    folder: Path
    crosswheel: Path | None = None

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "CROSSWHEEL_CACHE": str(self.crosswheel or self.folder / "crosswheel"),
            "UV_CACHE_DIR": str(self.folder / "uv"),
            "PIP_CACHE_DIR": str(self.folder / "pip"),
            # Whatever else lies about: nothing of an earlier series.
            "TMPDIR": str(self.folder / "tmp"),
        }


@dataclass(frozen=True)
class Task:
    """A wheel for each Python, of that sdist, repaired, and with `test` tried, where the row does that.

    `options` and `environment` are crosswheel's, and `program` is what Python runs it by.
    """

    project: Project
    sdist: Path
    pythons: Sequence[str]
    test: bool = True
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    program: Sequence[str] = ("-m", "crosswheel")


def run(name: str, stage: Stage, state: State, task: Task, *, budget: float | None = None) -> Measured:
    """Do it as a row does; raises RunFailed, OverBudget."""
    shutil.rmtree(state.wheels, ignore_errors=True)
    for folder in (state.wheels, state.folder / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    log = state.folder / "log"
    argv, environ = _command(name, stage, state, task)
    try:
        measured = measure(
            argv, env={**stage.environ, **state.environ, **environ}, cwd=state.folder, log=log, budget=budget
        )
    finally:
        _remove_containers(stage)
    wheels = list(state.wheels.glob("*.whl"))
    if len(wheels) != len(task.pythons):
        raise RunFailed(f"made {len(wheels)} wheels, not {len(task.pythons)}", log)
    report = state.wheels / "report.json"
    if task.test and report.is_file() and not all(job["tested"] for job in json.loads(report.read_text())["jobs"]):
        raise RunFailed("a wheel was not tested: rows would not be alike", log)
    return measured


def _command(name: str, stage: Stage, state: State, task: Task) -> tuple[list[str], dict[str, str]]:
    """The words, and what is added to the environment."""
    if name == NATIVE:
        return ["sh", "-ec", _native(stage, state, task)], {}
    if name == "docker-run":
        return _docker_run(stage, state, task), {}
    if name == BASELINE:
        return _cibuildwheel(stage, state, task)
    if name == ACCELERATE:
        words, environ = _cibuildwheel(stage, state, task)
        return [sys.executable, *task.program, "accelerate", "--", *words], environ
    return _crosswheel(name, stage, state, task), {}


def _native(stage: Stage, state: State, task: Task) -> str:
    """One after another, as pip does it."""
    settings = " ".join(f"-Csetup-args={setting}" for setting in task.project.settings)
    return "\n".join(
        f"'{stage.interpreters[python]}' -m pip wheel --no-deps {settings} --wheel-dir '{state.wheels}' '{task.sdist}'"
        for python in task.pythons
    )


def _crosswheel(engine: str, stage: Stage, state: State, task: Task) -> list[str]:
    settings, before = list(task.project.settings), ""
    if task.project.cross_file and engine in {"cross", "dockcross"}:
        path = state.folder / "cross.ini"
        path.write_text(task.project.cross_file)
        settings.append(f"--cross-file={path}")
        # A container does not see this machine's files.
        write = f"mkdir -p {path.parent} && printf %s {shlex.quote(task.project.cross_file)} > {path}"
        before = write if engine == "dockcross" else ""
    (state.folder / "pyproject.toml").write_text(_configuration(stage, settings, before, task.environment))
    command = [sys.executable, *task.program, "wheels", str(task.sdist), "--arch", ARCH, "--engine", engine]
    command += ["--python", ",".join(task.pythons), "--policy", stage.policy, "--output", str(state.wheels)]
    command += [] if task.test else ["--test", "never"]
    return [*command, *task.options]


def _configuration(stage: Stage, settings: Sequence[str], before: str, environment: Mapping[str, str]) -> str:
    lines = ["[tool.crosswheel]", f"before-build = {json.dumps(before)}"]
    lines += ["[tool.crosswheel.config-settings]", f"setup-args = {json.dumps(settings)}"] if settings else []
    lines += [
        "[tool.crosswheel.environment]",
        *(f"{name} = {json.dumps(value)}" for name, value in environment.items()),
    ]
    for family, reference in stage.images.items():
        table = "images" if family == "pypa" else f"images.{family}"
        lines += [f"[tool.crosswheel.{table}]", f"{stage.policy}_{ARCH} = {json.dumps(reference)}"]
    return "\n".join(lines) + "\n"


# What the documentation of the images has one do, with a look at whether the wheel can be imported.
_BY_HAND = """\
set -e
for python in {pythons}; do
    /opt/python/$python-$python/bin/pip wheel --no-deps {settings} --wheel-dir /tmp/made-$python /io/{sdist}
    auditwheel repair --wheel-dir /io/wheels /tmp/made-$python/*.whl
    /opt/python/$python-$python/bin/python -m venv /tmp/try-$python
    /tmp/try-$python/bin/pip install /io/wheels/*-$python-$python-*.whl
    cd /tmp && /tmp/try-$python/bin/python -c 'import {module}'
done
chown -R {owner} /io/wheels
"""


def _docker_run(stage: Stage, state: State, task: Task) -> list[str]:
    shutil.copy(task.sdist, state.folder)
    script = _BY_HAND.format(
        pythons=" ".join(task.pythons),
        settings=" ".join(f"-Csetup-args={setting}" for setting in task.project.settings),
        sdist=task.sdist.name,
        module=task.project.module,
        owner=f"{os.getuid()}:{os.getgid()}",
    )
    command = ["docker", "run", "--rm", f"--label={_LABEL}", "--platform=linux/arm64", f"--volume={state.folder}:/io"]
    return [*command, stage.images["pypa"], "sh", "-c", script]


def _cibuildwheel(stage: Stage, state: State, task: Task) -> tuple[list[str], dict[str, str]]:
    program = install_cibuildwheel(stage.work / "cibuildwheel")
    environ = {
        "CIBW_ARCHS": ARCH,
        "CIBW_BUILD": " ".join(f"{python}-manylinux_{ARCH}" for python in task.pythons),
        f"CIBW_MANYLINUX_{ARCH.upper()}_IMAGE": stage.images["pypa"],
        "CIBW_TEST_COMMAND": f"python -c 'import {task.project.module}'",
    }
    if task.project.settings:
        environ["CIBW_CONFIG_SETTINGS"] = " ".join(f"setup-args={setting}" for setting in task.project.settings)
    # What a project's own settings ask of another release, this one may refuse.
    nothing = state.folder / "cibuildwheel.toml"
    nothing.write_text("")
    settings = [f"--config-file={nothing}", f"--output-dir={state.wheels}"]
    return [str(program), str(task.sdist), "--platform=linux", *settings], environ


def install_cibuildwheel(folder: Path) -> Path:
    """The newest, with its own settings."""
    if not folder.exists():
        subprocess.run([find_uv_bin(), "venv", "--quiet", str(folder)], check=True)
        install = [find_uv_bin(), "pip", "install", "--quiet", f"--python={folder}/bin/python", "cibuildwheel"]
        subprocess.run(install, check=True)
    return folder / "bin/cibuildwheel"


def _remove_containers(stage: Stage) -> None:
    """Those that `docker run` leaves when it is stopped; crosswheel and cibuildwheel remove their own."""
    if stage.client:
        for container in stage.client.containers.list(all=True, filters={"label": _LABEL}):
            container.remove(force=True)


def forget(stage: Stage, project: Project) -> None:
    """Take away what crosswheel has kept of a project on the Docker host; what is in use there stays in use."""
    if stage.client:
        for volume in stage.client.volumes.list(filters={"name": f"crosswheel-cache-{project.module}-"}):
            volume.remove()
