"""`nox -s bench-containers`: wheels for aarch64 by each engine, beside cibuildwheel on the same image, in one run.

Every row makes the same wheels of one sdist, repairs them, installs them in a container and imports the module. All
run on the tests' stand-ins, which Debian's packages make, on the Docker host of DOCKER_HOST or one of their own;
images are pulled before. cibuildwheel is the newest, with its own settings. What crosswheel prepares once per machine
(Zig, libc and libc++, bytecode of the image's library, caches of downloads) is prepared by a small project first, and
kept as `first`; the measured runs start with a copy of that cache, in which no object of theirs is.

`outside` is what crosswheel's runs take while no command runs in any of its containers: starting containers, copying,
and the repair and audit that happen on this machine. The cross engine has its compilers there, and so no such number.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import docker
import platformdirs
import psutil
from measure import measure
from uv import find_uv_bin

_BASELINE = "cibuildwheel"
# The architecture that a row builds for, and its name in the table; crosswheel's rows are its engines.
ROWS: Mapping[str, tuple[str, str]] = {
    "cibuildwheel-native": ("x86_64", "cibuildwheel for x86_64, natively"),
    _BASELINE: ("aarch64", "cibuildwheel, emulated"),
    "emulated": ("aarch64", "crosswheel, emulated"),
    "accelerated": ("aarch64", "crosswheel, accelerated"),
    "cross": ("aarch64", "crosswheel, cross"),
}
_SMALL = "small"
_LABEL = "io.crosswheel.run"  # of crosswheel's containers alone


@dataclass(frozen=True)
class Bench:
    """What all rows share: images by architecture, and the Docker host that has them."""

    work: Path
    client: docker.DockerClient
    address: str
    images: Mapping[str, str]
    policy: str
    pythons: Sequence[str]
    sdist: Path

    @property
    def environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CIBW_", "QEMU_"))}
        return {**kept, "DOCKER_HOST": self.address}

    @property
    def project(self) -> str:
        return self.sdist.name.partition("-")[0]


@dataclass(frozen=True)
class Run:
    """Seconds of wall clock, of all processors of this machine, and MiB that the tool's own processes took."""

    seconds: float
    processors: float
    peak: float
    outside: float | None = None
    steps: Mapping[str, list[float]] = field(default_factory=dict)


def main() -> None:
    options = _options()
    with _bench(options) as bench:
        rows = {name: _row(name, bench, options.repetitions) for name in options.rows.split(",")}
    result = {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, kernel {platform.release()}",
        "project": bench.sdist.name,
        "python": list(bench.pythons),
        "image": bench.policy,
        "rows": rows,
    }
    print(_table(rows))
    Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--repetitions", type=int, default=1, help="of each row; the table has medians")
    parser.add_argument("--project", default="kiwisolver==1.4.9", help=f"NAME==VERSION, an sdist file, or {_SMALL}")
    parser.add_argument("--python", default="cp311,cp313", help="the CPythons to build for")
    parser.add_argument("--json", default="bench/containers.json", help="where the numbers go")
    options = parser.parse_args()
    if unknown := set(options.rows.split(",")) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    return options


@contextmanager
def _bench(options: argparse.Namespace) -> Iterator[Bench]:
    """With an engine, a registry, images and emulators, as tests have them."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from containers.binfmt import registered
    from containers.engine import real_engine
    from containers.images import Shelf
    from containers.registry import running_registry
    from containers.stand_ins import STAND_INS
    from containers.stand_ins.manylinux import POLICY

    cache = platformdirs.user_cache_path("crosswheel-tests", appauthor=False)
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crosswheel-bench-")))
        engine = stack.enter_context(real_engine(cache))
        shelf = Shelf(engine.client, stack.enter_context(running_registry(cache / "registry", work)), cache)
        stack.enter_context(registered())
        names = {arch: f"pypa/{POLICY}_{arch}" for arch in {ROWS[row][0] for row in options.rows.split(",")}}
        images = {arch: shelf.reference(name, *STAND_INS[name]) for arch, name in names.items()}
        for image in images.values():
            engine.client.images.pull(image)
        pythons, sdist = options.python.split(","), _sdist(options.project, work)
        yield Bench(work, engine.client, engine.address, images, POLICY, pythons, sdist)


def _row(name: str, bench: Bench, repetitions: int) -> dict[str, object]:
    if name.startswith("cibuildwheel"):
        program = _install_cibuildwheel(bench.work / "cibuildwheel")
        row: dict[str, object] = {"version": _version(program)}
        runs = [_cibuildwheel(program, ROWS[name][0], bench) for _ in range(repetitions)]
    else:
        warm = bench.work / f"warm-{name}"
        row = {"first": asdict(_crosswheel(name, _small_sdist(bench.work), warm, bench))}
        runs = [_crosswheel(name, bench.sdist, _copy_of(warm, bench.work / "cache"), bench) for _ in range(repetitions)]
    median = statistics.median(run.seconds for run in runs)
    print(f"{name}: {median:.1f} s", flush=True)
    return {**row, "seconds": median, "runs": [asdict(run) for run in runs]}


def _cibuildwheel(program: Path, arch: str, bench: Bench) -> Run:
    output = bench.work / "wheels-cibuildwheel"
    environ = {
        **bench.environ,
        "CIBW_ARCHS": arch,
        "CIBW_BUILD": " ".join(f"{python}-manylinux_{arch}" for python in bench.pythons),
        f"CIBW_MANYLINUX_{arch.upper()}_IMAGE": bench.images[arch],
        "CIBW_TEST_COMMAND": f"python -c 'import {bench.project}'",
    }
    command = [str(program), str(bench.sdist), "--platform=linux", f"--output-dir={output}"]
    # All that it does in its container is one command.
    return replace(_measured(command, environ, output, arch, bench), outside=None)


def _crosswheel(engine: str, sdist: Path, cache: Path, bench: Bench) -> Run:
    arch = ROWS[engine][0]
    output = bench.work / f"wheels-{engine}"
    command = [sys.executable, "-m", "crosswheel", "wheels", str(sdist), "--arch", arch, "--engine", engine]
    command += ["--python", ",".join(bench.pythons), "--policy", bench.policy, "--image", bench.images[arch]]
    command += ["--output", str(output), "--json", str(bench.work / "report.json")]
    run = _measured(command, {**bench.environ, "CROSSWHEEL_CACHE": str(cache)}, output, arch, bench)
    jobs = json.loads((bench.work / "report.json").read_text())["jobs"]
    assert all(job["tested"] for job in jobs), "a wheel was not tested: the rows would not be alike"
    steps: dict[str, list[float]] = {}
    for job in jobs:
        for step in job["steps"]:
            steps.setdefault(step["step"], []).append(step["seconds"])
    if engine == "cross":
        return replace(run, outside=None, steps=steps)
    assert run.outside is not None
    assert run.outside < run.seconds, f"no command ran in a container with {_LABEL}"
    return replace(run, steps=steps)


def _measured(command: Sequence[str], environ: Mapping[str, str], output: Path, arch: str, bench: Bench) -> Run:
    """Of a run that makes one wheel for each Python."""
    shutil.rmtree(output, ignore_errors=True)
    with _commands(bench) as intervals:
        before = _processors()
        run = measure(command, env=environ, cwd=bench.work, log=output.with_suffix(".log"))
        processors = _processors() - before
    wheels = list(output.glob(f"*{arch}*.whl"))
    assert len(wheels) == len(bench.pythons), f"{len(wheels)} wheels (see {output.with_suffix('.log')})"
    return Run(run.seconds, processors, run.peak / 2**20, run.seconds - _covered(intervals))


def _processors() -> float:
    """Seconds that this machine's processors have worked: containers are no children of whoever asks for them."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice


@contextmanager
def _commands(bench: Bench) -> Iterator[list[tuple[float, float]]]:
    """When commands ran in crosswheel's containers: from and to."""
    intervals: list[tuple[float, float]] = []
    with closing(bench.client.events(decode=True, filters={"type": "container", "label": _LABEL})) as events:
        thread = threading.Thread(target=_collect, args=(events, intervals))
        thread.start()
        yield intervals
    thread.join()


def _collect(events: Iterator[Mapping[str, object]], intervals: list[tuple[float, float]]) -> None:
    begun: dict[str, float] = {}
    with suppress(docker.errors.DockerException, OSError, ValueError):  # it is closed while it waits
        for event in events:
            moment, action = int(str(event["timeNano"])) / 1e9, str(event["Action"])
            attributes = event["Actor"]["Attributes"]  # type: ignore[index]
            if action.startswith("exec_start"):
                begun[attributes["execID"]] = moment
            elif action == "exec_die" and attributes["execID"] in begun:
                intervals.append((begun.pop(attributes["execID"]), moment))


def _covered(intervals: Sequence[tuple[float, float]]) -> float:
    """Seconds in which at least one of them was."""
    covered, end = 0.0, 0.0
    for begin, until in sorted(intervals):
        covered += max(0.0, until - max(begin, end))
        end = max(end, until)
    return covered


def _install_cibuildwheel(folder: Path) -> Path:
    if not folder.exists():
        subprocess.run([find_uv_bin(), "venv", "--quiet", str(folder)], check=True)
        install = [find_uv_bin(), "pip", "install", "--quiet", f"--python={folder}/bin/python", "cibuildwheel"]
        subprocess.run(install, check=True)
    return folder / "bin/cibuildwheel"


def _version(program: Path) -> str:
    code = f"from importlib.metadata import version; print(version({program.name!r}))"
    command = [str(program.with_name("python")), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _copy_of(warm: Path, cache: Path) -> Path:
    """Of hard links: a run that adds something leaves the other as it was."""
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(warm, cache, copy_function=os.link, symlinks=True)
    return cache


def _sdist(project: str, work: Path) -> Path:
    if project == _SMALL:
        return _small_sdist(work)
    if Path(project).is_file():
        return Path(project).resolve()
    from crosswheel.hosts import local_host
    from crosswheel.model import deaf
    from crosswheel.source import fetch

    return fetch(project, local_host(offline=False, listener=deaf), work, deaf).path


def _small_sdist(work: Path) -> Path:
    """One C++ file: enough to make every engine fetch and prepare what it needs."""
    folder, name = work / "sources", f"{_SMALL}-1.0"
    folder.mkdir(exist_ok=True)
    files = {"PKG-INFO": _METADATA, "pyproject.toml": _PYPROJECT, "setup.py": _SETUP, f"{_SMALL}.cc": _EXTENSION}
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in files.items():
            (folder / member).write_text(text)
            archive.add(folder / member, f"{name}/{member}")
    return path


def _table(rows: Mapping[str, Mapping[str, object]]) -> str:
    lines = ["| row | wall s | of cibuildwheel's | processors s | own MiB | outside s |", "|---|---|---|---|---|---|"]
    baseline = rows.get(_BASELINE)
    for name, row in rows.items():
        runs = row["runs"]
        assert isinstance(runs, list)
        wall, processors, peak = (_median(runs, key) for key in ("seconds", "processors", "peak"))
        outside = "" if any(run["outside"] is None for run in runs) else f"{_median(runs, 'outside'):.1f}"
        ratio = f"{wall / float(str(baseline['seconds'])):.2f}" if baseline else ""
        lines.append(f"| {ROWS[name][1]} | {wall:.1f} | {ratio} | {processors:.0f} | {peak:.0f} | {outside} |")
    return "\n".join(lines)


def _median(runs: Sequence[Mapping[str, float]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


_METADATA = f"Metadata-Version: 2.1\nName: {_SMALL}\nVersion: 1.0\n"
_PYPROJECT = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
_SETUP = f"""\
from setuptools import Extension, setup

setup(name="{_SMALL}", version="1.0", ext_modules=[Extension("{_SMALL}", ["{_SMALL}.cc"], language="c++")])
"""
_EXTENSION = f"""\
#include <Python.h>
#include <iostream>
#include <string>
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{_SMALL}"}};
PyMODINIT_FUNC PyInit_{_SMALL}(void) {{
    std::cerr << std::string("hello") << std::endl;
    return PyModule_Create(&module);
}}
"""

if __name__ == "__main__":
    main()
