"""`conda`: make conda packages of audited wheels, in a local channel."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.auditing.run import Audit
from crosswheel.commands.audit import audited
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.conda_packages.archives import write_package
from crosswheel.conda_packages.channel import write_repodata
from crosswheel.conda_packages.conversions import Conversion, LeftOut
from crosswheel.conda_packages.packages import CondaPackage, packages_of, with_fallbacks
from crosswheel.conda_packages.variants import unsuitable
from crosswheel.errors import AuditFailed, CheckFailed, NothingToDo, UsageError
from crosswheel.formats.distributions import files_in
from crosswheel.formats.wheels import named_wheel, read_wheel
from crosswheel.model.job import Listener, counted
from crosswheel.pipeline.source import epoch_of
from crosswheel.reporting.conda import conda_document, conda_text
from crosswheel.reporting.document import Document
from crosswheel.reporting.wording import evidence_text, finding_text
from crosswheel.system.hashes import sha256_of

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import CondaOptions, Paths, PathText


@dataclass(frozen=True)
class CondaReport(Result):
    """The channel, its new packages, and the wheels that became none, each with the reason."""

    channel: Path
    packages: tuple[Conversion, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def exit_code(self) -> int:
        """0 if each wheel for CPython on Linux with glibc is a package, and there is one."""
        codes = {one.exit_code for one in self.left_out} - {0}
        return min(codes, default=0 if self.packages else CheckFailed.exit_code)

    def document(self) -> Document:
        return conda_document(self.channel, self.packages, self.left_out)

    def text(self, console: Console | None = None) -> str:
        return conda_text(self.channel, self.packages, self.left_out, console)


@public
def conda(
    wheels: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[CondaOptions],
) -> CondaReport:
    """Make conda packages of wheels, and write them into a channel, a folder that conda, mamba and pixi install from.

    `wheels` are wheels and folders of them; default: the output folder. Each is audited first. `project` is the folder
    whose pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`) while it works.

    Returns a CondaReport: `.packages`, `.left_out` (wheels with the reason), `.channel`, `.ok`, `.exit_code`,
    `.document()` (what --json writes); str() is the text.
    Raises UsageError for wrong options and files that are not there, NothingToDo where there is no wheel, MissingTool
    without the extra `conda`, CheckFailed for several versions of one project and for packages of one name.
    """
    return from_code(run, "conda", project, listener, {"wheels": wheels, **options})


def run(call: Call) -> CondaReport:
    wheels = _chosen(call.config.output.files)
    _refuse_versions(wheels)
    epoch = epoch_of(call.environ)
    reasons = {path: _unsuitable(path) for path in wheels}
    left_out = [LeftOut(path, reason, 0) for path, reason in reasons.items() if reason]
    packages: list[CondaPackage] = []
    for audit in audited([path for path, reason in reasons.items() if not reason], call):
        found = _packages(audit)
        if isinstance(found, LeftOut):
            left_out.append(found)
        else:
            packages += found
    _refuse_clashes(packages)
    channel = call.config.output.channel
    written = tuple(_written(with_fallbacks(packages), channel, epoch, call))
    if written:
        write_repodata(channel)
    return CondaReport(channel, written, tuple(sorted(left_out, key=lambda one: one.wheel.name)))


def _chosen(named: Sequence[Path]) -> tuple[Path, ...]:
    """The named wheels and those of named folders."""
    hint = "crosswheel wheels, to build them; or crosswheel conda WHEELS"
    missing = [path for path in named if not path.exists()]
    if missing and (len(named) > 1 or missing[0].suffix == ".whl"):
        raise UsageError([f"there is no file or folder {path}" for path in missing], hint="crosswheel conda WHEELS")
    wheels = tuple(path for path in files_in(path for path in named if path.exists()) if path.suffix == ".whl")
    if not wheels:
        raise NothingToDo(f"there is no wheel in {', '.join(map(str, named))}", hint=hint)
    return wheels


def _refuse_versions(wheels: Iterable[Path]) -> None:
    """Raise CheckFailed for several versions of one project: they are leftovers of other runs, as a rule."""
    versions: dict[str, dict[str, str]] = defaultdict(dict)
    for path in wheels:
        try:
            wheel = named_wheel(path)
        except AuditFailed:
            continue  # the audit says what is wrong
        versions[wheel.name].setdefault(str(wheel.version), path.name)
    for name, files in versions.items():
        if len(files) > 1:
            raise CheckFailed(
                f"the wheels have {len(files)} versions of {name}: {', '.join(files.values())}",
                hint="name the wheels of one version; the packages of earlier runs stay in the channel",
            )


def _unsuitable(path: Path) -> str:
    try:
        return unsuitable(named_wheel(path))
    except AuditFailed:
        return ""  # the audit says what is wrong


def _packages(audit: Audit) -> tuple[CondaPackage, ...] | LeftOut:
    if not audit.passed:
        wrong = next(finding for finding in audit.findings if finding.is_error)
        reason = f"{finding_text(wrong)} {evidence_text(wrong)}"
        return LeftOut(audit.path, reason, AuditFailed.exit_code)
    try:
        return packages_of(read_wheel(audit.path))
    except (CheckFailed, AuditFailed) as error:
        return LeftOut(audit.path, error.in_a_line, error.exit_code)


def _refuse_clashes(packages: Iterable[CondaPackage]) -> None:
    projects: dict[str, str] = {}
    files: dict[tuple[str, str], Path] = {}
    for package in packages:
        project = projects.setdefault(package.name, package.wheel.name)
        if project != package.wheel.name:
            raise CheckFailed(
                f"{project} and {package.wheel.name} would both be the conda package {package.name}",
                hint="convert one of them into a channel of its own: crosswheel conda --channel FOLDER WHEELS",
            )
        path = files.setdefault((package.variant.subdir, package.file_name), package.wheel.path)
        if path != package.wheel.path:
            raise CheckFailed(
                f"{path} and {package.wheel.path} are the same wheel, and would be the same package",
                hint="name one of them",
            )


def _written(packages: Sequence[CondaPackage], channel: Path, epoch: int | None, call: Call) -> Iterator[Conversion]:
    """Write each package into the folder of its subdir; zstd takes the time, and does without Python's lock."""

    def write(package: CondaPackage) -> Conversion:
        moment = package.newest if epoch is None else epoch
        path = write_package(package, channel / package.variant.subdir, moment)
        return Conversion(package, path, path.stat().st_size, sha256_of(path))

    with ThreadPoolExecutor(call.config.build.jobs or len(os.sched_getaffinity(0))) as workers:
        yield from counted(workers.map(write, packages), "packing", len(packages), call.listener)
