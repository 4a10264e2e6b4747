"""`readiness`: show which packages of a dependency tree have wheels for other platforms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.errors import CrosswheelError, WheelsMissing
from crosswheel.model.config import Config
from crosswheel.model.job import Listener, chore
from crosswheel.model.pyproject import read_toml
from crosswheel.reporting.document import Document, write_text
from crosswheel.reporting.readiness import readiness_document, readiness_markdown, readiness_text
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.memo import answers_in
from crosswheel.system.scratch import temporary_folder
from crosswheel.trees.cells import Cell
from crosswheel.trees.explanations import explain
from crosswheel.trees.inputs import Tree, read_inputs
from crosswheel.trees.known_verdicts import known_verdicts
from crosswheel.trees.readiness import Advice, TreeReadiness, cells_of, missing_there_too, supported_pythons
from crosswheel.trees.resolution import Choice, Resolution, Resolver
from crosswheel.trees.verdicts import Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import Paths, PathText, ReadinessOptions

_HEAD = 4096  # bytes of a lock file
_LOCKED = re.compile(r"""\A[^\[]*^requires-python *= *["'](.*?)["']""", re.MULTILINE)
_TOGETHER = 4  # resolutions for advice at the same time


@dataclass(frozen=True)
class ReadinessReport(Result):
    """The readiness of each tree; `.missing` lists what an installer would have to build."""

    trees: tuple[TreeReadiness, ...]
    fail_on: str = field(default="never", repr=False)
    refused: tuple[CrosswheelError, ...] = ()
    """Why other trees could not be judged, one error each."""

    @property
    def missing(self) -> tuple[Verdict, ...]:
        """The packages without a wheel, of all trees."""
        return tuple(verdict for tree in self.trees for verdict in tree.missing)

    @property
    def exit_code(self) -> int:
        """That of the first tree that could not be judged; or of WheelsMissing for what `fail_on` names."""
        if self.refused:
            return self.refused[0].exit_code
        return WheelsMissing.exit_code if any(tree.fails(self.fail_on) for tree in self.trees) else 0

    def document(self) -> Document:
        return readiness_document(self.trees, self.refused)

    def summary(self) -> str:
        return self.markdown()

    def markdown(self) -> str:
        """The tables as Markdown, for a pull request."""
        return readiness_markdown(self.trees, self.refused)

    def text(self, console: Console | None = None) -> str:
        return readiness_text(self.trees, console, self.refused)


@public
def readiness(
    requirements: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[ReadinessOptions],
) -> ReadinessReport:
    """Show which packages of a dependency tree have wheels for each Python and platform. Installs nothing.

    `requirements` are requirement files, folders of projects, lock files and single requirements; default: the project.
    Requirements are resolved once by uv for all Pythons and platforms; a lock is judged as it stands. `project` is the
    folder whose pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`) while it works.

    Returns a ReadinessReport: `.trees` (verdicts, explanations and advice), `.missing`, `.refused`, `.ok`,
    `.exit_code`, `.markdown()`, `.document()` (what --json writes); str() is the table. Of several trees, those that
    can be judged are; the errors of the others are in `.refused`.
    Raises UsageError for wrong options and files that are no requirements, SourceError for requirements that cannot be
    resolved or a lock that cannot be read, IndexUnreachable, NoCredentials, MissingTool for a lock of poetry without
    poetry.
    """
    return from_code(run, "readiness", project, listener, {"requirements": requirements, **options})


def run(call: Call) -> ReadinessReport:
    config = call.config
    trees = read_inputs(config.trees.requirements, call.project)
    host = local_host(offline=config.build.offline, listener=call.listener)
    found = [_judged(tree, config, host, call.listener) for tree in trees]
    refused = tuple(one for one in found if isinstance(one, CrosswheelError))
    judged = tuple(one for one in found if isinstance(one, TreeReadiness))
    if refused and not judged:
        raise refused[0]
    report = ReadinessReport(judged, config.trees.fail_on, refused)
    if config.output.markdown:
        write_text(config.output.markdown, report.markdown())
    return report


def _judged(tree: Tree, config: Config, host: LocalHost, listener: Listener) -> TreeReadiness | CrosswheelError:
    try:
        return judged_tree(tree, config, host, listener)
    except CrosswheelError as error:
        return error


def judged_tree(tree: Tree, config: Config, host: LocalHost, listener: Listener) -> TreeReadiness:
    """The readiness of a tree. Raises SourceError, UsageError, IndexUnreachable, NoCredentials, MissingTool."""
    pythons, wanted = config.build.python or supported_pythons(_requires_python(tree)), config.trees
    choice = Choice(wanted.extra, wanted.group, wanted.constraint)
    with temporary_folder() as folder:
        archs = dict.fromkeys(arch.name for _, arch in wanted.platforms)
        machines = (*archs, *([wanted.compare.name] if wanted.compare else []))
        resolver = Resolver(host, Path(folder), choice, machines)
        with chore(f"resolving {tree.named}", listener):
            resolution = resolver.resolve(tree, pythons)
        solved = [python for python in pythons if python not in resolution.unsolved]
        cells = cells_of(solved, wanted.platforms)

        def judged(cells: tuple[Cell, ...]) -> tuple[Verdict, ...]:
            return known_verdicts(resolution.text, cells, answers_in(host.cache), lambda: _judge(resolution, cells))

        verdicts = judged(cells)
        found = TreeReadiness(
            tree.named,
            cells,
            verdicts,
            resolution.required_by,
            unsolved=resolution.unsolved,
            unknown=resolution.unknown,
        )
        if wanted.compare:
            compared = judged(cells_of(solved, wanted.platforms, wanted.compare))
            found = replace(found, left_out=missing_there_too(found.missing, compared))
        released = [verdict for verdict in found.missing if not verdict.is_own]
        if released and not config.build.offline:
            with chore("asking the index for the versions that have wheels", listener):
                found = replace(found, explanations=explain(released, host.indexes, answers_in(host.cache)))
        if found.missing and wanted.advice:
            with chore("resolving with wheels alone", listener):
                found = replace(found, advice=_advice(tree, found, host, choice, Path(folder)))
    return found


def _judge(resolution: Resolution, cells: tuple[Cell, ...]) -> tuple[Verdict, ...]:
    from crosswheel.trees.judging import judge  # slow to import, and rarely needed twice for a tree

    return judge(resolution.lock, cells)


def _requires_python(tree: Tree) -> SpecifierSet:
    """What the projects and the lock of a tree require of Python; anything for a tree without them."""
    texts = []
    for path in tree.files:
        if tree.kind != "requirements":
            with path.open("rb") as lock:
                texts += _LOCKED.findall(lock.read(_HEAD).decode("utf-8", "replace"))
        beside = path.with_name("pyproject.toml")
        table = read_toml(beside).get("project", {}) if beside.is_file() else {}
        if isinstance(table, dict) and isinstance(text := table.get("requires-python"), str):
            texts.append(text)
    try:
        return SpecifierSet(",".join(texts))
    except InvalidSpecifier:
        return SpecifierSet()  # uv has the words for it


def _advice(tree: Tree, found: TreeReadiness, host: LocalHost, choice: Choice, folder: Path) -> tuple[Advice, ...]:
    cells = tuple(dict.fromkeys(verdict.cell for verdict in found.missing))
    with ThreadPoolExecutor(max_workers=_TOGETHER) as pool:
        return tuple(pool.map(partial(_advised, tree, found.verdicts, host, choice, folder), cells))


def _advised(
    tree: Tree, verdicts: Sequence[Verdict], host: LocalHost, choice: Choice, folder: Path, cell: Cell
) -> Advice:
    if tree.kind != "requirements":
        return Advice(cell, reason="a lock is judged as it stands: name its requirements instead")
    place = folder / str(cell)
    place.mkdir()
    pins = Resolver(host, place, choice).pins_of_wheels(tree, cell)
    if isinstance(pins, str):
        return Advice(cell, reason=pins)
    present = {verdict.name: verdict.version for verdict in verdicts if verdict.cell == cell}
    return Advice(cell, {name: version for name, version in pins.items() if present.get(name) != version})
