"""`release`: check, upload and verify a tagged release.

Nothing is stored between runs: git and the indexes show what was done, so the next run finishes a stopped one.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.check import builds_of, checked
from crosswheel.commands.result import Result
from crosswheel.commands.upload import UploadReport, delivered, rehearsed
from crosswheel.commands.verify import release_targets, verified
from crosswheel.errors import CheckFailed, CrosswheelError, NotReleasable, UsageError
from crosswheel.formats.distributions import Distribution, files_in, read_distributions
from crosswheel.formats.wheels import read_wheel
from crosswheel.model.config import Config
from crosswheel.model.job import Fact, Listener, Stage, Told, deaf
from crosswheel.publishing.changelog import ChangelogEntry, read_entry
from crosswheel.publishing.comparison import in_order
from crosswheel.publishing.delivery import connect
from crosswheel.publishing.manifest import Manifest, tool_versions
from crosswheel.publishing.repositories import Repository, find_repository
from crosswheel.publishing.verification import Verification
from crosswheel.reporting.document import Document
from crosswheel.reporting.manifest import manifest_document, manifest_markdown, write_manifest
from crosswheel.reporting.release import question_text
from crosswheel.reporting.wording import count_text
from crosswheel.steps.sequence import Steps, name_of, step
from crosswheel.system.git import Checkout, read_checkout, releasable_tag
from crosswheel.system.pip_settings import read_pip_settings
from crosswheel.system.process import Processes

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import Paths, PathText, ReleaseOptions

_LOCK = ".crosswheel-release.lock"


@dataclass(frozen=True)
class ReleaseReport(Result):
    """A complete release; `.manifest` lists its files and their origin. None after a dry run."""

    files: tuple[Distribution, ...]
    manifest: Manifest | None = None

    def document(self) -> Document:
        """release.json; after a dry run, empty."""
        return manifest_document(self.manifest) if self.manifest else {}

    def text(self, _console: Console | None = None) -> str:
        """Empty: the listener has reported every stage."""
        return ""

    def __str__(self) -> str:
        return manifest_markdown(self.manifest) if self.manifest else "a dry run: nothing was sent"


@public
def release(
    wheels: Paths | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    steps: Steps[ReleaseWork] | None = None,
    **options: Unpack[ReleaseOptions],
) -> ReleaseReport:
    """Check a tagged release, upload it, and verify that the index serves what was built.

    `wheels` are wheels, sdists and folders of them; default: the output folder. `project` is the folder whose git tag,
    changelog and pyproject.toml count. `listener` is called with events (`crosswheel.model.job`): each stage before it
    runs, and what came out. `steps` are those of the release, such as RELEASE.after("verify", announce), with RELEASE
    from crosswheel.commands.release. From code nobody is asked: either yes=True or dry_run=True must be given.

    Returns a ReleaseReport: `.files`, `.manifest`, `.ok`, `.exit_code`, `.document()` (release.json). Called again, it
    goes on where it stopped.
    Raises UsageError for wrong options; NotReleasable, CheckFailed, FileClash, NoCredentials before anything is sent;
    then UploadFailed, IndexUnreachable and VerifyFailed.
    """
    return from_code(partial(run, steps=steps), "release", project, listener, {"wheels": wheels, **options})


def run(call: Call, steps: Steps[ReleaseWork] | None = None) -> ReleaseReport:
    """Run the stages; with --dry-run, indexes are read and nothing is sent."""
    config = call.config
    if not (config.release.yes or config.output.dry_run or call.ask):
        raise UsageError(
            "there is no terminal to confirm on, and --yes was not given",
            hint="crosswheel release --yes; or --dry-run, to see what it would do",
        )
    # A dry run writes no file, not even a lock.
    with nullcontext() if config.output.dry_run else _alone(config):
        work = fold(RELEASE if steps is None else steps, _begin(call))
    return ReleaseReport(work.files, work.manifest)


def fold(steps: Steps[ReleaseWork], work: ReleaseWork) -> ReleaseWork:
    """Run the steps in order, and report each before it runs. The first error ends the release."""
    call = work.call
    pairs = [(one, aim) for one in steps if not (aim := aim_of(one)).rehearses or work.staging]
    for number, (run_step, aim) in enumerate(pairs, start=1):
        call.listener(Stage(aim.name, aim.text(work), number, len(pairs)))
        if call.config.output.dry_run and aim.after_sending:
            call.listener(Fact("skipped: a dry run sends nothing", holds=False))
        else:
            work = run_step(work)
    return work


@contextmanager
def _alone(config: Config) -> Iterator[None]:
    """Hold a lock per folder. Raises NotReleasable if another release of these files is running."""
    import filelock

    folders = sorted({path.parent.resolve() for path in files_in(config.output.files)})
    with ExitStack() as locks:
        for folder in folders:
            lock = filelock.FileLock(folder / _LOCK, blocking=False)
            try:
                locks.enter_context(lock)
            except filelock.Timeout:
                raise NotReleasable(
                    f"another release from {folder} is in progress",
                    hint="wait for its end; crosswheel status shows its progress",
                ) from None
        yield


@dataclass(frozen=True)
class ReleaseWork:
    """One release under way. A step takes it and returns it with what the step found."""

    call: Call
    files: tuple[Distribution, ...]
    repository: Repository
    staging: Repository | None = None
    checkout: Checkout | None = None
    tag: str = ""
    entry: ChangelogEntry | None = None
    checked: bool = False
    """Whether the files have passed the check; other files are not uploaded."""
    verifications: tuple[Verification, ...] = ()
    manifest: Manifest | None = None

    @property
    def folder(self) -> Path:
        """The folder of the wheels."""
        return self.files[0].path.parent

    @property
    def count(self) -> str:
        return count_text(len(self.files), "file")


@dataclass(frozen=True)
class Aim:
    """How a step is announced, and when it runs.

    `text` says what it does. `rehearses`: only with a staging index. `after_sending`: not in a dry run.
    """

    name: str
    text: Callable[[ReleaseWork], str]
    rehearses: bool = False
    after_sending: bool = False


_AIM = "__crosswheel_aim__"
_Step: TypeAlias = Callable[[ReleaseWork], ReleaseWork]


def stage(
    aim: Callable[[ReleaseWork], str], *, name: str = "", rehearses: bool = False, after_sending: bool = False
) -> Callable[[_Step], _Step]:
    """Decorate a step of a release. An undecorated step is announced by its docstring and skipped in a dry run."""

    def decorate(function: _Step) -> _Step:
        shown = name or function.__name__
        setattr(function, _AIM, Aim(shown, aim, rehearses, after_sending))
        return step(name=f"{shown}-staging" if rehearses else shown)(function)

    return decorate


def aim_of(function: _Step) -> Aim:
    """The aim of a step; by default its name and the first line of its docstring."""
    text = (inspect.getdoc(function) or "").partition("\n")[0]
    aim: Aim = getattr(function, _AIM, Aim(name_of(function), lambda _work: text, after_sending=True))
    return aim


def _begin(call: Call) -> ReleaseWork:
    config = call.config
    files = in_order(read_distributions(config.output.files), sdist_first=config.release.sdist_first)
    # Asking pip takes half a second.
    settings = read_pip_settings(Processes(), call.environ)
    find = partial(find_repository, config=config, environ=call.environ, settings=settings)
    staging = find(config.release.staging) if config.release.staging else None
    repository = find(config.release.repository)
    if staging and staging.upload_url == repository.upload_url:
        raise UsageError(
            f"staging: it is {repository.name} itself", hint="--staging with another index, or without --staging"
        )
    return ReleaseWork(call, files, repository, staging)


@stage(lambda work: f"looking whether the working tree is clean and tagged {_tag(work)}")
def commit(work: ReleaseWork) -> ReleaseWork:
    call = work.call
    # The released files and the locks beside them are no changes of the commit.
    released = [path for file in work.files for path in (file.path, file.path.with_name(_LOCK))]
    apart = [call.config.output.folder, work.folder, *released]
    checkout = read_checkout(call.project, Processes(), call.environ, apart)
    tag = releasable_tag(checkout, work.files[0].version, call.config.release.tag_format)
    call.listener(Fact(f"{tag} is {checkout.commit[:12]}"))
    return replace(work, checkout=checkout, tag=tag)


@stage(lambda work: f"looking for an entry for {work.files[0].version}")
def changelog(work: ReleaseWork) -> ReleaseWork:
    entry = read_entry(work.call.project, work.files[0].version, work.call.config.release.changelog)
    work.call.listener(Fact(f"{entry.path.name}: {entry.title}"))
    return replace(work, entry=entry)


@stage(lambda work: f"checking {work.count}")
def check(work: ReleaseWork) -> ReleaseWork:
    report = checked(work.files, work.call)
    work.call.listener(Told(report))
    if errors := sum(finding.is_error for finding in report.findings):
        raise CheckFailed(f"{count_text(errors, 'error')} in these files", hint="crosswheel check, then correct them")
    return replace(work, checked=True)


@stage(lambda work: _sends(work.staging, work), name="upload", rehearses=True)
def upload_to_staging(work: ReleaseWork) -> ReleaseWork:
    assert work.staging  # noqa: S101
    # Before the rehearsal: check that the real index accepts us.
    if rehearsed(work.repository, work.files, work.call).files and not work.call.config.output.dry_run:
        with connect(work.repository, deaf):
            pass
    return _upload(work, work.staging)


@stage(lambda work: _sends(work.repository, work))
def upload(work: ReleaseWork) -> ReleaseWork:
    return _upload(work, work.repository)


def _upload(work: ReleaseWork, repository: Repository) -> ReleaseWork:
    if not work.checked:
        raise CheckFailed("nothing was sent: no step has checked these files", hint="keep the step 'check'")
    call, began = work.call, time.monotonic()
    dry_run = call.config.output.dry_run
    sent = rehearsed(repository, work.files, call)
    if not dry_run:
        if sent.files and repository is work.repository:
            _ask(work, len(sent.files))
        sent = delivered(repository, work.files, call)
    call.listener(Told(UploadReport(repository, work.files, sent, dry_run, time.monotonic() - began)))
    return work


def _ask(work: ReleaseWork, count: int) -> None:
    """Confirm the upload: an index never allows a file name twice."""
    if work.call.config.release.yes or work.call.ask is None:
        return
    if not work.call.ask(question_text(work.files[0], count, work.repository.name)):
        hint = "crosswheel release, to start again"
        raise CrosswheelError(f"stopped: nothing was sent to {work.repository.name}", hint=hint)


@stage(lambda work: _asks(work.staging), name="verify", rehearses=True, after_sending=True)
def verify_staging(work: ReleaseWork) -> ReleaseWork:
    assert work.staging  # noqa: S101
    return _verify(work, work.staging)


@stage(lambda work: _asks(work.repository), after_sending=True)
def verify(work: ReleaseWork) -> ReleaseWork:
    return _verify(work, work.repository)


def _verify(work: ReleaseWork, repository: Repository) -> ReleaseWork:
    targets = release_targets(work.files, work.call.config, work.call.project)
    report = verified(repository, work.files, targets, work.call)
    work.call.listener(Told(report))
    if report.found.failure:
        raise report.found.failure
    return replace(work, verifications=(*work.verifications, report.found))


@stage(lambda work: f"writing release.json and release.md to {work.folder}", after_sending=True)
def manifest(work: ReleaseWork) -> ReleaseWork:
    assert work.checkout  # noqa: S101
    assert work.entry  # noqa: S101
    builds = builds_of(work.files)
    made = Manifest(
        distributions=work.files,
        checkout=work.checkout,
        tag=work.tag,
        entry=work.entry,
        released=time.time(),
        builds=builds,
        verifications=work.verifications,
        tools=tool_versions(builds),
        sboms={file.filename: read_wheel(file.path).sboms for file in work.files if file.kind == "wheel"},
    )
    write_manifest(work.folder, made)
    work.call.listener(Fact(f"{made.release} is released"))
    return replace(work, manifest=made)


def _asks(repository: Repository | None) -> str:
    return f"asking {repository.name if repository else ''} what it serves, and pip what it chooses"


def _sends(repository: Repository | None, work: ReleaseWork) -> str:
    doing = "finding" if work.call.config.output.dry_run else "sending"
    return f"{doing} what {repository.name if repository else ''} lacks of {work.count}"


def _tag(work: ReleaseWork) -> str:
    return work.call.config.release.tag_format.format(version=work.files[0].version)


RELEASE: Steps[ReleaseWork] = Steps(
    (commit, changelog, check, upload_to_staging, verify_staging, upload, verify, manifest)
)
"""From a tagged commit to an index that serves what was built. Without a staging index, two steps are left out."""
