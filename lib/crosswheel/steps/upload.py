"""The step `upload`: sends the missing files of a release to an index, one after another; it can be repeated.

After an error the index is asked for its files before a file is sent again; at the end, whether it lists all files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from crosswheel.errors import IndexUnreachable, NoCredentials, UploadFailed, VerifyFailed
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Listener, Note
from crosswheel.publishing.admission import refuse_unwelcome
from crosswheel.publishing.attestations import make_attestations
from crosswheel.publishing.comparison import Sent, clash_text, compare, in_order, refuse_clashes
from crosswheel.publishing.delivery import Parcel, Server, Trouble, connect, read_parcel, sealed
from crosswheel.publishing.published import PublishedProject
from crosswheel.publishing.repositories import Repository

if TYPE_CHECKING:
    import tenacity

PATIENCE = 300  # seconds: caches in front of an index show new files with a delay
_ATTEMPTS = 6
_LONGEST_PAUSE = 30.0


def rehearse(
    repository: Repository,
    distributions: Iterable[Distribution],
    project: PublishedProject,
    *,
    ignore: Mapping[str, str] | None = None,
    sdist_first: bool = False,
) -> Sent:
    """What `upload` would send to an index with this project; nothing is sent.

    `ignore` maps index rules that are switched off to reasons. Raises FileClash if the index has other bytes under a
    name, UploadFailed if it would refuse a file.
    """
    comparison = compare(distributions, project.files)
    refuse_clashes(repository, comparison)
    missing = in_order(comparison.missing, sdist_first=sdist_first)
    refuse_unwelcome(repository, missing, project, ignore or {})
    return Sent(missing, project=project)


def upload(
    repository: Repository,
    distributions: Iterable[Distribution],
    published: Callable[[], PublishedProject],
    listener: Listener,
    *,
    ignore: Mapping[str, str] | None = None,
    sdist_first: bool = False,
    patience: float = PATIENCE,
) -> Sent:
    """Send the files that the index lacks; `published` returns the index's current files.

    An index may take `patience` seconds until it lists what it took. Raises FileClash, NoCredentials, CheckFailed and,
    where the index would refuse a file by a rule that is not in `ignore`, UploadFailed before anything is sent; then
    UploadFailed, IndexUnreachable, CheckFailed for a file that has changed since; and VerifyFailed where the index does
    not list what was sent.
    """
    files = tuple(distributions)
    there = published()
    planned = rehearse(repository, files, there, ignore=ignore, sdist_first=sdist_first)
    for file in files:
        if (known := there.files.get(file.filename)) and known.yanked:
            reason = f": {known.yanked_reason}" if known.yanked_reason else ""
            listener(Note(f"{file.filename} is on the index, but yanked{reason}"))
    missing = planned.files
    if not missing:
        return planned
    for distribution in missing:
        read_parcel(distribution)  # raises for an invalid file before the first one is sent
    with connect(repository, listener) as server, repository.trust.for_all():
        make_attestations(repository, missing, listener)
        for distribution in missing:
            with sealed(distribution) as parcel:
                _Delivery(parcel, server, published).send()
    return replace(_look(repository, files, published, listener, patience), files=missing)


def _look(
    repository: Repository,
    files: tuple[Distribution, ...],
    published: Callable[[], PublishedProject],
    listener: Listener,
    patience: float,
) -> Sent:
    """Until the index lists all files with our hashes; with why nobody can look, where that is so."""
    import tenacity

    unhashed: list[str] = []
    project = PublishedProject()

    def wrong() -> list[str]:
        nonlocal project
        project = published()
        comparison = compare(files, project.files)
        unhashed[:] = [file.filename for file, known in comparison.clashing if not known.sha256]
        return [
            *(f"  {file.filename}: missing" for file in comparison.missing),
            *(clash_text(file, known) for file, known in comparison.clashing if known.sha256),
        ]

    look = tenacity.Retrying(
        retry=tenacity.retry_if_result(bool) | tenacity.retry_if_exception_type(IndexUnreachable),
        wait=tenacity.wait_exponential(multiplier=0.5, max=_LONGEST_PAUSE),
        stop=tenacity.stop_after_delay(patience),
        before_sleep=partial(_tell_listing, repository.name, listener),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else (),
    )
    try:
        differences = look(wrong)
    except (IndexUnreachable, NoCredentials) as error:
        return Sent(unseen=error.message, project=project)
    if differences:
        raise VerifyFailed(
            "\n".join([f"{repository.name} accepted the files, but does not list them unchanged", *differences]),
            hint="run crosswheel verify later; if it keeps failing, check the read address in `index`",
        )
    return Sent(unseen=f"it states no sha256 for {', '.join(unhashed)}" if unhashed else "", project=project)


def _tell_listing(name: str, listener: Listener, state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    said = str(error).partition("\n")[0] if error else f"{name} does not list all files unchanged yet"
    listener(Note(f"{said}; next check in {state.upcoming_sleep:.0f} s"))


@dataclass(frozen=True)
class _Delivery:
    """One file to send, and the function that asks whether it has arrived."""

    parcel: Parcel
    server: Server = field(repr=False)
    published: Callable[[], PublishedProject] = field(repr=False)

    def send(self) -> None:
        """Send the file, with retries, until it has arrived."""
        import tenacity

        retry = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS),
            wait=_pause,
            retry=tenacity.retry_if_exception_type((Trouble, IndexUnreachable)),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            for attempt in retry:
                with attempt:
                    self._try(again=attempt.retry_state.attempt_number > 1)
        except Trouble as trouble:
            if not self._may_be_there():
                raise trouble.error from None

    def _try(self, *, again: bool) -> None:
        if again and self._is_there():
            return
        try:
            self.server.send(self.parcel)
        except UploadFailed:
            # Another run may have sent it, or the previous attempt did arrive.
            if not self._may_be_there():
                raise

    def _is_there(self) -> bool:
        comparison = compare([self.parcel.distribution], self.published().files)
        refuse_clashes(self.server.repository, comparison)
        return bool(comparison.same)

    def _may_be_there(self) -> bool:
        """Whether the file has arrived; errors of the question are ignored, in favour of the earlier error."""
        with suppress(IndexUnreachable):
            return self._is_there()
        return False

    def _tell(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        message = error.error.message if isinstance(error, Trouble) else str(error).partition("\n")[0]
        self.server.listener(Note(f"{message}; next attempt in {seconds:.0f} s"))


def _pause(state: tenacity.RetryCallState) -> float:
    """The pause in seconds: longer each time, and at least what the server asks for."""
    import tenacity

    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, Trouble) else 0
    return max(asked, tenacity.wait_exponential(max=30)(state))
