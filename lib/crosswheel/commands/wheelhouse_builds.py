"""Builds the packages of a tree that have no wheel: each as `wheels` does it, after those that its build needs."""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path

from packaging.utils import canonicalize_name

from crosswheel import __version__
from crosswheel.commands import wheels as building
from crosswheel.commands.call import Call
from crosswheel.commands.scheduler import has_pool
from crosswheel.engines.in_containers import MEMORY_SHARE
from crosswheel.errors import CrosswheelError
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.model.config import Config
from crosswheel.model.job import Event, Failure, JobFinished, Listener, Note, Planned, Progress, StepStarted
from crosswheel.model.pyproject import read_toml
from crosswheel.model.targets import oldest_policy
from crosswheel.pipeline import source as sources
from crosswheel.pipeline.in_order import carry_out
from crosswheel.steps.wheelhouse import keep
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import answers_in
from crosswheel.system.room import Room
from crosswheel.system.scratch import temporary_folder
from crosswheel.trees.building import BuildState, Package, PackageOutcome, build_requirements, sdist_of, source_of
from crosswheel.trees.cells import Cell
from crosswheel.trees.order import build_order
from crosswheel.trees.readiness import TreeReadiness

_DOWNLOADS = 8  # at the same time
_ON_WORKERS = 32  # packages at the same time where other machines build them


def required_by_tests(trees: Iterable[TreeReadiness]) -> Mapping[str, set[str]]:
    """What each package requires when it is installed, as for a test."""
    found: dict[str, set[str]] = defaultdict(set)
    for tree in trees:
        for name, users in tree.required_by.items():
            for user in users:
                found[canonicalize_name(user)].add(name)
    return found


def build_all(
    packages: tuple[Package, ...], required: Mapping[str, set[str]], host: LocalHost, call: Call
) -> Iterator[PackageOutcome]:
    """Each package after those that its build needs, as far as these are built here, too, and then its test.

    Packages that need nothing of each other are built at the same time.
    """
    with ThreadPoolExecutor(max_workers=_DOWNLOADS) as pool, temporary_folder() as folder:
        places = dict(zip(packages, pool.map(partial(_place, host=host), packages), strict=True))
        asked = [pool.submit(_needs, place, host, Path(folder), call.listener) for place in places.values()]
        needs = {package.name: future.result() for package, future in zip(places, asked, strict=True)}
    order = build_order(needs, required)
    if order.cycle:
        call.listener(Note(f"the builds of {', '.join(order.cycle)} need each other: one takes a published wheel"))
    room = Room(call.config.build.jobs or host.cpus, int(host.memory * MEMORY_SHARE))
    call = replace(call, room=room, wheels=(call.config.output.folder,))
    telling, done = _Telling(call.listener), count(1)

    def of(package: Package) -> Call:
        return replace(call, listener=partial(telling, package))

    def work(name: str, so_far: Mapping[str, Sequence[PackageOutcome]]) -> Sequence[PackageOutcome]:
        lost = sorted(other for other in needs[name] if any(one.stops_others for one in so_far.get(other, ())))
        outcomes = []
        for package in (package for package in packages if package.name == name):
            outcome = _skipped(package, lost) if lost else _build(package, places[package], of(package))
            outcomes.append(outcome)
            call.listener(Progress("building", next(done), len(packages)))
        return outcomes

    together = _ON_WORKERS if has_pool(call) else room.seats
    outcomes = carry_out(order.waits_for, work, together, room.processes.stop)
    return (outcome for name in order.one_by_one for outcome in outcomes[name])


def _skipped(package: Package, lost: Iterable[str]) -> PackageOutcome:
    return PackageOutcome(package, "skipped", reason=f"its build needs {', '.join(lost)}, which failed")


def _place(package: Package, host: LocalHost) -> str | CrosswheelError:
    """What to build a package from: the sdist that the tree names, in the cache; otherwise as `source_of` says."""
    try:
        file = sdist_of(package)
        return str(host.index_of(file.url).fetch(file)) if file else source_of(package)
    except CrosswheelError as error:
        return error


def _needs(place: str | CrosswheelError, host: LocalHost, folder: Path, listener: Listener) -> frozenset[str]:
    """What a build requires; nothing if its sdist cannot be had, which the build will say.

    An sdist is unpacked for it once: large ones take seconds.
    """
    try:
        if isinstance(place, CrosswheelError):
            return frozenset()
        sdist = sources.fetch(place, host, folder, listener)
        question, answers = ("build requirements", sdist.sha256, __version__), answers_in(host.cache)
        if (kept := answers.recall(*question)) is not None:
            return frozenset(kept)
        pyproject = unpack_sdist(sdist, Path(tempfile.mkdtemp(dir=folder), "sdist")) / "pyproject.toml"
        found = build_requirements(read_toml(pyproject) if pyproject.is_file() else {})
        answers.keep(sorted(found), *question)
    except CrosswheelError:
        return frozenset()
    return found


def _build(package: Package, place: str | CrosswheelError, call: Call) -> PackageOutcome:
    began, wheels, failures, engines = time.monotonic(), [], [], {call.config.build.engine}
    for config in _configurations(package, str(place), call.config):
        try:
            if isinstance(place, CrosswheelError):
                raise place
            report = building.run(replace(call, config=config))
        except CrosswheelError as error:
            kind = type(error).__name__
            failures.append(Failure(kind, error.exit_code, "", error.message, error.hint, cause=error.cause))
            continue
        if report.interrupted:
            raise KeyboardInterrupt
        wheels += [keep(wheel.path, call.config.output.folder, sha256=wheel.sha256) for wheel in report.wheels]
        failures += [outcome.failure for outcome in report.outcomes if outcome.failure]
        engines |= {outcome.job.engine for outcome in report.outcomes}
    state: BuildState = "failed" if failures else "built"
    seconds = time.monotonic() - began
    return PackageOutcome(package, state, tuple(wheels), tuple(failures), seconds, across="cross" in engines)


@dataclass
class _Telling:
    """Passes on what the runs of `wheels` say, with the names of their packages; what several note, once."""

    listener: Listener
    noted: set[str] = field(default_factory=set)

    def __call__(self, package: Package, event: Event) -> None:
        name = f"{package.name} {package.version}"
        if isinstance(event, StepStarted | JobFinished):
            self.listener(replace(event, project=name))
        elif isinstance(event, Note):
            if event.text not in self.noted:
                self.noted.add(event.text)
                self.listener(Note(f"{name}: {event.text}"))
        elif not isinstance(event, Planned):
            self.listener(event)


def _configurations(package: Package, source: str, config: Config) -> Iterator[Config]:
    """One run of `wheels` for each platform; wheels for an older glibc serve the platform as well."""
    platforms: dict[tuple[str, str], list[Cell]] = {}
    for cell in package.cells:
        platforms.setdefault((cell.policy.perennial, cell.arch.name), []).append(cell)
    for cells in platforms.values():
        policy = cells[0].policy
        build = replace(
            config.build,
            source=source,
            arch=(cells[0].arch,),
            python=tuple(dict.fromkeys(cell.python for cell in cells)),
            policy=oldest_policy(cells[0].arch) if policy.libc == "glibc" else policy,
        )
        logs = config.output.folder / "builds" / f"{package.name}-{package.version}"
        yield replace(config, build=build, output=replace(config.output, folder=logs, json=None, sarif=None))
