"""`release`: from a tagged commit to an index that is proved to serve exactly what was built.

Nothing is remembered between runs: what was done is asked of git and of the indexes, so that a run that was stopped,
wherever that was, is finished by the next.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from crosswheel.commands.check import builds_of, checked
from crosswheel.commands.settings import settings
from crosswheel.commands.verify import release_targets
from crosswheel.errors import CheckFailed, CrosswheelError, NotReleasable, UsageError, explaining
from crosswheel.formats.distributions import Distribution, files_in, read_distributions
from crosswheel.model.config import Config
from crosswheel.model.job import deaf
from crosswheel.release.changelog import Entry, read_entry
from crosswheel.release.comparison import Sent, compare, in_order, refuse_clashes
from crosswheel.release.delivery import connect
from crosswheel.release.manifest import Manifest, tool_versions
from crosswheel.release.published import PublishedFile, published_files
from crosswheel.release.repositories import Repository, find_repository
from crosswheel.release.verification import Verification
from crosswheel.report.audit import audit_text
from crosswheel.report.console import console_for
from crosswheel.report.manifest import write_manifest
from crosswheel.report.release import Stage, fact_text, question_text, skipped_text, stage_text
from crosswheel.report.run import display
from crosswheel.report.upload import Sending, upload_text
from crosswheel.report.verify import verify_text
from crosswheel.report.wording import count_text
from crosswheel.steps.upload import upload as send
from crosswheel.steps.verify import verify as read_back
from crosswheel.system.git import Checkout, read_checkout, releasable_tag
from crosswheel.system.package_index import read_pip_settings
from crosswheel.system.process import Processes
from crosswheel.system.terminal import forget_typed, is_interactive

if TYPE_CHECKING:
    from rich.console import Console

_LOCK = ".crosswheel-release.lock"


@explaining()
def release(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Stage by stage, each told before it runs; with --dry-run indexes are asked, and nothing is sent."""
    config = settings(project, options)
    if not (config.release.yes or config.output.dry_run or is_interactive()):
        raise UsageError(
            "there is no terminal to confirm on, and --yes was not given",
            hint="crosswheel release --yes, or --dry-run to see what it would do",
        )
    # A dry run leaves nothing behind, not even a lock.
    with nullcontext() if config.output.dry_run else _alone(config):
        files = in_order(read_distributions(config.output.files), sdist_first=config.release.sdist_first)
        # Asked of pip once, which takes half a second.
        find = partial(
            find_repository, config=config, environ=os.environ, settings=read_pip_settings(Processes(), os.environ)
        )
        staging = find(config.release.staging) if config.release.staging else None
        repository = find(config.release.repository)
        if staging and staging.upload_url == repository.upload_url:
            raise UsageError(f"staging: it is {repository.name} itself", hint="another index, or none")
        _Run(config, project, stream, files, staging, repository).execute()
    return 0


@contextmanager
def _alone(config: Config) -> Iterator[None]:
    """Raises NotReleasable where another release of these files is under way; a lock ends with whoever has it."""
    import filelock

    folders = sorted({path.parent.resolve() for path in files_in(config.output.files)})
    with ExitStack() as locks:
        for folder in folders:
            lock = filelock.FileLock(folder / _LOCK, blocking=False)
            try:
                locks.enter_context(lock)
            except filelock.Timeout:
                raise NotReleasable(
                    f"another release of what is in {folder} is under way",
                    hint="wait until it ends; crosswheel status shows how far it is",
                ) from None
        yield


@dataclass
class _Run:
    """The files of one release on their way; every stage raises what is wrong, and then no other begins."""

    config: Config
    project: Path
    stream: TextIO
    files: tuple[Distribution, ...]
    staging: Repository | None
    repository: Repository
    verifications: list[Verification] = field(default_factory=list)
    checkout: Checkout = field(init=False)
    tag: str = field(init=False)
    entry: Entry = field(init=False)

    def execute(self) -> None:
        stages, config = list(self._stages()), self.config
        for number, (stage, run) in enumerate(stages, start=1):
            self._say(stage_text(stage, number, len(stages), self._console))
            if config.output.dry_run and stage.after_sending:
                self._say(skipped_text(self._console))
            else:
                run()

    def _stages(self) -> Iterator[tuple[Stage, Callable[[], None]]]:
        version, count = self.files[0].version, count_text(len(self.files), "file")
        tag = self.config.release.tag_format.format(version=version)
        yield Stage("commit", f"working tree clean, tagged {tag}"), self._commit
        yield Stage("changelog", f"an entry for {version}"), self._changelog
        yield Stage("check", f"{count} fit to be released"), self._check
        for repository in filter(None, (self.staging, self.repository)):
            name = repository.name
            yield Stage("upload", f"what {name} lacks of {count}"), partial(self._upload, repository)
            proof = Stage("verify", f"{name} serves them, and pip takes them", after_sending=True)
            yield proof, partial(self._verify, repository)
        yield Stage("manifest", f"release.json and release.md in {self._folder}", after_sending=True), self._manifest

    def _commit(self) -> None:
        # What is released, and the locks beside it, belong to no commit; what else lies there may.
        released = [path for file in self.files for path in (file.path, file.path.with_name(_LOCK))]
        apart = [self.config.output.folder, self._folder, *released]
        self.checkout = read_checkout(self.project, Processes(), os.environ, apart)
        self.tag = releasable_tag(self.checkout, self.files[0].version, self.config.release.tag_format)
        self._say(fact_text(f"{self.tag} is {self.checkout.commit[:12]}", self._console))

    def _changelog(self) -> None:
        self.entry = read_entry(self.project, self.files[0].version, self.config.release.changelog)
        self._say(fact_text(f"{self.entry.path.name}: {self.entry.title}", self._console))

    def _check(self) -> None:
        report = checked(self.files, self.config, self.project, self.stream)
        self._say(audit_text(report, self._console))
        if errors := sum(finding.is_error for finding in report.findings):
            raise CheckFailed(f"{count_text(errors, 'error')} in these files", hint="mend them; crosswheel check")

    def _upload(self, repository: Repository) -> None:
        began = time.monotonic()
        # Nothing is sent anywhere that could not be released.
        if repository is self.staging and self._missing(self.repository) and not self.config.output.dry_run:
            with connect(self.repository, deaf):
                pass
        sent = Sent(self._missing(repository))
        if not self.config.output.dry_run:
            if sent.files and repository is self.repository:
                self._ask(len(sent.files))
            with display(self.stream, os.environ) as listener:
                sent = send(
                    repository,
                    self.files,
                    self._published(repository),
                    listener,
                    sdist_first=self.config.release.sdist_first,
                    patience=self.config.release.patience,
                )
        seconds = time.monotonic() - began
        done = Sending(repository, self.files, sent, dry_run=self.config.output.dry_run, seconds=seconds)
        self._say(upload_text(done, self._console))

    def _missing(self, repository: Repository) -> tuple[Distribution, ...]:
        """Raises FileClash."""
        comparison = compare(self.files, self._published(repository)())
        refuse_clashes(repository, comparison)
        return comparison.missing

    def _published(self, repository: Repository) -> Callable[[], Mapping[str, PublishedFile]]:
        return partial(published_files, repository, self.files[0].name)

    def _ask(self, count: int) -> None:
        """An index never forgets a file name: before the first one is sent somebody has to say so."""
        if self.config.release.yes:
            return
        forget_typed()
        self._say(question_text(self.files[0], count, self.repository))
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            hint = "crosswheel release, when it is time"
            raise CrosswheelError(f"stopped before anything was sent to {self.repository.name}", hint=hint)

    def _verify(self, repository: Repository) -> None:
        targets = release_targets(self.files, self.config, self.project)
        config = self.config
        with display(self.stream, os.environ) as listener:
            done = read_back(
                repository,
                self.files,
                targets,
                listener,
                patience=config.release.patience,
                jobs=config.build.jobs,
                ignore=config.audit.ignore,
            )
        self._say(verify_text(done, self._console))
        if done.failure:
            raise done.failure
        self.verifications.append(done)

    def _manifest(self) -> None:
        builds = builds_of(self.files)
        manifest = Manifest(
            distributions=self.files,
            checkout=self.checkout,
            tag=self.tag,
            entry=self.entry,
            released=time.time(),
            builds=builds,
            verifications=tuple(self.verifications),
            tools=tool_versions(builds),
        )
        write_manifest(self._folder, manifest)
        self._say(fact_text(f"{manifest.release} is released", self._console))

    @property
    def _folder(self) -> Path:
        """Where the wheels are."""
        return self.files[0].path.parent

    @property
    def _console(self) -> Console:
        return console_for(self.stream, os.environ)

    def _say(self, text: str) -> None:
        """At once: whoever is killed next should have told what was under way."""
        self.stream.write(text)
        self.stream.flush()
