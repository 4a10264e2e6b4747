"""`wheelhouse`: build what a dependency tree lacks, and gather all of it in one folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.commands import wheels as building
from crosswheel.commands.call import Call, Own, from_code, public
from crosswheel.commands.readiness import judged_tree
from crosswheel.commands.result import Result
from crosswheel.errors import CrosswheelError, WheelsMissing
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.model.config import Config
from crosswheel.model.job import Failure, Listener, Note, chore
from crosswheel.model.pyproject import read_toml
from crosswheel.model.targets import oldest_policy
from crosswheel.pipeline import source as sources
from crosswheel.publishing.static_index import write_static_index
from crosswheel.reporting.document import Document, write_json
from crosswheel.reporting.wheelhouse import wheelhouse_document, wheelhouse_markdown, wheelhouse_text
from crosswheel.steps.wheelhouse import keep
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.scratch import temporary_folder
from crosswheel.trees.building import BuildState, Package, PackageOutcome, build_requirements, packages_to_build
from crosswheel.trees.cells import Cell
from crosswheel.trees.inputs import read_inputs
from crosswheel.trees.order import build_order
from crosswheel.trees.proof import prove
from crosswheel.trees.readiness import TreeReadiness
from crosswheel.trees.verdicts import Verdict, lacking_in

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.auditing.rules.rule import Rule
    from crosswheel.model.keyword_types import Paths, PathText, WheelhouseOptions
    from crosswheel.steps import Steps, Work


@dataclass(frozen=True)
class WheelhouseReport(Result):
    """The packages that were built, and the folder; `.missing` are the wheels that an installer would still lack.

    `proof` is uv's answer for each Python and platform: empty if it finds the whole tree in the folder alone.
    """

    folder: Path
    trees: tuple[TreeReadiness, ...]
    outcomes: tuple[PackageOutcome, ...]
    missing: tuple[Verdict, ...]
    proof: Mapping[Cell, str] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)
    dry_run: bool = False
    """True for `--dry-run`: nothing is built or fetched, what would be built is shown."""

    @property
    def exit_code(self) -> int:
        """The code of the first failed build; that of WheelsMissing if a wheel is missing for another reason."""
        if self.dry_run:
            return 0
        failures = [failure for outcome in self.outcomes for failure in outcome.failures]
        if failures:
            return failures[0].exit_code
        return WheelsMissing.exit_code if self.missing or any(self.proof.values()) else 0

    def document(self) -> Document:
        return wheelhouse_document(self)

    def summary(self) -> str:
        return wheelhouse_markdown(self)

    def text(self, console: Console | None = None) -> str:
        return wheelhouse_text(self, console)


@public
def wheelhouse(
    requirements: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    steps: Steps[Work] | None = None,
    rules: Iterable[Rule] = (),
    **options: Unpack[WheelhouseOptions],
) -> WheelhouseReport:
    """Gather the wheels of a dependency tree in a folder; build those that the index lacks for the platforms.

    `requirements` are as for `readiness`. Each missing package is built, audited and tested as `wheels` does it, after
    the packages that its build needs; after a failure the others go on. `all=True` builds also what the index has. The
    folder has a static index in `simple`, and `pip install --no-index --find-links FOLDER` takes it. `project`,
    `listener`, `steps` and `rules` are as for `wheels`.

    Returns a WheelhouseReport: `.outcomes` (one for each package that was built), `.missing`, `.proof`, `.ok`,
    `.exit_code`, `.document()` (wheelhouse.json); str() is the summary.
    Raises UsageError for wrong options, SourceError for requirements that cannot be resolved, IndexUnreachable.
    """
    own = Own(steps, tuple(rules))
    return from_code(run, "wheelhouse", project, listener, {"requirements": requirements, **options}, own)


def run(call: Call) -> WheelhouseReport:
    config, folder, began = call.config, call.config.output.folder, time.monotonic()
    host = local_host(offline=config.build.offline, listener=call.listener)
    trees = tuple(
        judged_tree(tree, config, host, call.listener) for tree in read_inputs(config.trees.requirements, call.project)
    )
    states = {"to build", "wheel"} if config.trees.build_all else {"to build"}
    packages = packages_to_build(verdict for tree in trees for verdict in tree.verdicts if verdict.state in states)
    if config.output.dry_run:
        waiting = tuple(PackageOutcome(package, "skipped", reason="not built: --dry-run") for package in packages)
        return WheelhouseReport(folder, trees, waiting, _missing(trees, ()), dry_run=True)
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = tuple(_build_all(packages, host, call))
    _gather(trees, states, host, call)
    with chore(f"writing the index of {folder}", call.listener):
        write_static_index(folder)
    with chore(f"asking uv whether {folder} has all", call.listener), temporary_folder() as temporary:
        proof = prove((verdict for tree in trees for verdict in tree.verdicts), folder, host, Path(temporary))
    names = tuple(path.name for path in folder.glob("*.whl"))
    report = WheelhouseReport(folder, trees, outcomes, _missing(trees, names), proof, time.monotonic() - began)
    write_json(folder / "wheelhouse.json", report.document())
    return report


def _missing(trees: Iterable[TreeReadiness], names: tuple[str, ...]) -> tuple[Verdict, ...]:
    return tuple(verdict for tree in trees for verdict in tree.verdicts if lacking_in(verdict, names))


def _build_all(packages: tuple[Package, ...], host: LocalHost, call: Call) -> Iterator[PackageOutcome]:
    """Each package after those that its build needs, as far as these are built here, too."""
    with temporary_folder() as folder:
        needs = {package.name: _needs(package, host, Path(folder), call.listener) for package in packages}
    order, cycle = build_order(needs)
    if cycle:
        call.listener(Note(f"the builds of {', '.join(cycle)} need each other: one takes a published wheel"))
    failed: set[str] = set()
    for name in order:
        for package in (package for package in packages if package.name == name):
            if lost := sorted(needs[name] & failed):
                outcome = PackageOutcome(package, "skipped", reason=f"its build needs {', '.join(lost)}, which failed")
            else:
                outcome = _build(package, call)
            if outcome.state != "built":
                failed.add(name)
            yield outcome


def _needs(package: Package, host: LocalHost, folder: Path, listener: Listener) -> frozenset[str]:
    """What a package's build requires; nothing if its sdist cannot be had, which its build will say."""
    try:
        sdist = sources.fetch(_source(package), host, folder, listener)
        unpacked = unpack_sdist(sdist, folder / package.name)
        pyproject = unpacked / "pyproject.toml"
        return build_requirements(read_toml(pyproject) if pyproject.is_file() else {})
    except CrosswheelError:
        return frozenset()


def _source(package: Package) -> str:
    return f"{package.name}=={package.version}"


def _build(package: Package, call: Call) -> PackageOutcome:
    began, wheels, failures = time.monotonic(), [], []
    for config in _configurations(package, call.config):
        try:
            report = building.run(replace(call, config=config))
        except CrosswheelError as error:
            kind = type(error).__name__
            failures.append(Failure(kind, error.exit_code, "", error.message, error.hint, cause=error.cause))
            continue
        if report.interrupted:
            raise KeyboardInterrupt
        wheels += [keep(wheel.path, call.config.output.folder, sha256=wheel.sha256) for wheel in report.wheels]
        failures += [outcome.failure for outcome in report.outcomes if outcome.failure]
    state: BuildState = "failed" if failures else "built"
    return PackageOutcome(package, state, tuple(wheels), tuple(failures), time.monotonic() - began)


def _configurations(package: Package, config: Config) -> Iterator[Config]:
    """One run of `wheels` for each platform; wheels for an older glibc serve the platform as well."""
    platforms: dict[tuple[str, str], list[Cell]] = {}
    for cell in package.cells:
        platforms.setdefault((cell.policy.perennial, cell.arch.name), []).append(cell)
    for cells in platforms.values():
        policy = cells[0].policy
        build = replace(
            config.build,
            source=_source(package),
            arch=(cells[0].arch,),
            python=tuple(dict.fromkeys(cell.python for cell in cells)),
            policy=oldest_policy(cells[0].arch) if policy.libc == "glibc" else policy,
        )
        logs = config.output.folder / "builds" / f"{package.name}-{package.version}"
        yield replace(config, build=build, output=replace(config.output, folder=logs, json=None, sarif=None))


def _gather(trees: Iterable[TreeReadiness], built: Container[str], host: LocalHost, call: Call) -> None:
    """Download the wheels that the index has, without those of the states that are built."""
    from pypi_simple import DistributionPackage

    ready = {
        verdict.file: verdict
        for tree in trees
        for verdict in tree.verdicts
        if not verdict.is_missing
        and verdict.state not in built
        and verdict.url
        and not (call.config.output.folder / verdict.file).is_file()
    }
    for name, verdict in ready.items():
        file = DistributionPackage(
            filename=name,
            url=verdict.url,
            project=verdict.name,
            version=verdict.version,
            package_type="wheel",
            digests={"sha256": verdict.sha256} if verdict.sha256 else {},
            requires_python=None,
            has_sig=None,
        )
        try:
            keep(host.index.fetch(file), call.config.output.folder)
        except CrosswheelError as error:
            call.listener(Note(f"{name} could not be downloaded: {error.message}"))
