"""`wheelhouse`: build what a dependency tree lacks, and gather all of it in one folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.commands.call import Call, Own, from_code, public
from crosswheel.commands.readiness import judged_tree
from crosswheel.commands.result import Result
from crosswheel.commands.wheelhouse_builds import build_all, required_by_tests
from crosswheel.commands.wheelhouse_upload import find_destination, upload_releases
from crosswheel.errors import CrosswheelError, WheelsMissing
from crosswheel.model.job import Listener, Note, chore
from crosswheel.publishing.static_index import write_static_index
from crosswheel.reporting.document import Document, write_json
from crosswheel.reporting.wheelhouse import wheelhouse_document, wheelhouse_markdown, wheelhouse_text
from crosswheel.steps.wheelhouse import keep
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.scratch import temporary_folder
from crosswheel.trees.building import PackageOutcome, packages_to_build
from crosswheel.trees.cells import Cell
from crosswheel.trees.inputs import read_inputs
from crosswheel.trees.proof import prove
from crosswheel.trees.readiness import TreeReadiness
from crosswheel.trees.uploads import ReleaseUpload, releases_of
from crosswheel.trees.verdicts import Verdict, wheels_by_project, wheels_for

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
    uploads: tuple[ReleaseUpload, ...] = ()
    """One for each release that was to be uploaded; empty without `repository`."""
    repository: str = ""
    seconds: float = field(default=0.0, compare=False)
    dry_run: bool = False
    """True for `--dry-run`: nothing is built or fetched, what would be built is shown."""

    @property
    def exit_code(self) -> int:
        """That of the first failed build or else upload; of WheelsMissing if a wheel is missing for another reason."""
        failures = [failure for outcome in self.outcomes for failure in outcome.failures]
        failures += [upload.failure for upload in self.uploads if upload.failure]
        if failures:
            return failures[0].exit_code
        if self.dry_run:
            return 0
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
    folder has a static index in `simple`, and `pip install --no-index --find-links FOLDER` takes it. `repository` is
    an index of your own: each release is checked, uploaded and verified as by the verbs of these names. `project`,
    `listener`, `steps` and `rules` are as for `wheels`.

    Returns a WheelhouseReport: `.outcomes` (one for each package that was built), `.missing`, `.proof`, `.uploads`,
    `.ok`, `.exit_code`, `.document()` (wheelhouse.json); str() is the summary.
    Raises UsageError for wrong options, SourceError for requirements that cannot be resolved, IndexUnreachable;
    NoCredentials before anything is built.
    """
    own = Own(steps, tuple(rules))
    return from_code(run, "wheelhouse", project, listener, {"requirements": requirements, **options}, own)


def run(call: Call) -> WheelhouseReport:
    config, folder, began = call.config, call.config.output.folder, time.monotonic()
    host = local_host(offline=config.build.offline, listener=call.listener)
    repository = find_destination(call, host)
    trees = tuple(
        judged_tree(tree, config, host, call.listener) for tree in read_inputs(config.trees.requirements, call.project)
    )
    verdicts = tuple(verdict for tree in trees for verdict in tree.verdicts)
    states = {"to build", "wheel"} if config.trees.build_all else {"to build"}
    packages = packages_to_build(verdict for verdict in verdicts if verdict.state in states)
    proof: Mapping[Cell, str] = {}
    if config.output.dry_run:
        outcomes = tuple(PackageOutcome(package, "skipped", reason="not built: --dry-run") for package in packages)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        outcomes = tuple(build_all(packages, required_by_tests(trees), host, call))
        _gather(trees, states, host, call)
        with chore(f"writing the index of {folder}", call.listener):
            write_static_index(folder)
        with chore(f"asking uv whether {folder} has all", call.listener), temporary_folder() as temporary:
            proof = prove(verdicts, folder, host, Path(temporary))
    names = [path.name for path in folder.glob("*.whl")]
    wheels = wheels_by_project(names)
    report = WheelhouseReport(
        folder,
        trees,
        outcomes,
        missing=tuple(verdict for verdict in verdicts if not wheels_for(verdict, wheels)),
        proof=proof,
        uploads=tuple(upload_releases(repository, releases_of(verdicts, names), folder, call)) if repository else (),
        repository=repository.name if repository else "",
        seconds=time.monotonic() - began,
        dry_run=config.output.dry_run,
    )
    if not report.dry_run:
        write_json(folder / "wheelhouse.json", report.document())
    return report


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
            keep(host.index_of(verdict.url).fetch(file), call.config.output.folder)
        except CrosswheelError as error:
            call.listener(Note(f"{name} could not be downloaded: {error.message}"))
