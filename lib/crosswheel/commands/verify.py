"""`verify`: read a release back from an index, and check that pip chooses it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.auditing.rules.wheelhouse import entry
from crosswheel.commands.audit import targets_of
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.errors import VerifyFailed
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.formats.wheels import Wheel, read_wheel
from crosswheel.model.config import Config
from crosswheel.model.job import Listener
from crosswheel.model.targets import Target, oldest_policy
from crosswheel.pipeline.plan import served_targets
from crosswheel.publishing.repositories import Repository, find_repository
from crosswheel.publishing.verification import Verification
from crosswheel.reporting.document import Document
from crosswheel.reporting.verify import verify_document, verify_text
from crosswheel.steps.verify import verify as read_back
from crosswheel.system.pip_settings import read_pip_settings
from crosswheel.system.process import Processes

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import Paths, PathText, VerifyOptions


@dataclass(frozen=True)
class VerifyReport(Result):
    """The files that the index serves, in `.found`; without differences, exactly the built ones."""

    found: Verification

    @property
    def exit_code(self) -> int:
        return 0 if self.found.ok else VerifyFailed.exit_code

    def document(self) -> Document:
        return verify_document(self.found)

    def text(self, console: Console | None = None) -> str:
        return verify_text(self.found, console)


@public
def verify(
    wheels: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[VerifyOptions],
) -> VerifyReport:
    """Read a release back from an index, and check that pip chooses its files. Sends and installs nothing.

    `wheels` are wheels, sdists and folders of them; default: the output folder. `project` is the folder whose
    pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`) while it works.

    Returns a VerifyReport: `.found` (`.found.differences`, `.found.choices`), `.ok` (no difference), `.exit_code`,
    `.document()` (what --json writes); str() is the text.
    Raises UsageError for wrong options, NothingToDo where there is no file, IndexUnreachable, NoCredentials,
    AuditFailed or SourceError for a file that cannot be read.
    """
    return from_code(run, "verify", project, listener, {"wheels": wheels, **options})


def run(call: Call) -> VerifyReport:
    files = read_distributions(call.config.output.files)
    targets = release_targets(files, call.config, call.project)
    settings = read_pip_settings(Processes(), call.environ)
    repository = find_repository(call.config.release.repository, call.config, call.environ, settings)
    return verified(repository, files, targets, call)


def verified(
    repository: Repository, files: Sequence[Distribution], targets: Sequence[Target], call: Call
) -> VerifyReport:
    """Read the release back, for `patience` seconds at most."""
    found = read_back(
        repository,
        files,
        targets,
        call.listener,
        patience=call.config.release.patience,
        jobs=call.config.build.jobs,
        ignore=call.config.audit.ignore,
        exclude=call.config.audit.exclude,
        environ=call.environ,
    )
    return VerifyReport(found)


def release_targets(distributions: Sequence[Distribution], config: Config, project: Path) -> tuple[Target, ...]:
    """The targets that the wheels serve by their tags, and those of the project's configuration."""
    wheels = [read_wheel(file.path) for file in distributions if file.kind == "wheel"]
    served = (target for wheel in wheels for target in _served(wheel, config))
    targets = {*served, *targets_of([entry(wheel) for wheel in wheels], config, project)}
    return tuple(sorted(targets, key=lambda target: (str(target.arch), target.policy, target.python)))


def _served(wheel: Wheel, config: Config) -> Iterator[Target]:
    """The targets of one wheel; a pure wheel counts for the configured architectures."""
    pure = [(oldest_policy(arch), arch) for arch in config.build.arch] if wheel.is_pure else []
    required = str(wheel.metadata.get("Requires-Python", ""))
    return served_targets(wheel.tags, required, (*wheel.platforms, *pure))
