"""Sending a release to an index: what it lacks and nothing else, one file after the other, so that it can be repeated.

Whatever happens on the way, the index is asked again what it has before a file is sent once more; and in the end
whether it lists what it took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from crosswheel.errors import IndexUnreachable, NoCredentials, UploadFailed, VerifyFailed
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Listener, Note
from crosswheel.release.attestations import add_attestation, make_attestations
from crosswheel.release.comparison import Sent, clash_text, compare, in_order, refuse_clashes
from crosswheel.release.delivery import Server, Trouble, connect, read_package, sealed
from crosswheel.release.published import PublishedFile
from crosswheel.release.repositories import Repository

if TYPE_CHECKING:
    import tenacity
    from twine.package import PackageFile

PATIENCE = 300  # seconds: caches in front of an index take a while to see what is new
_ATTEMPTS = 6
_LONGEST_PAUSE = 30.0


def upload(
    repository: Repository,
    distributions: Iterable[Distribution],
    published: Callable[[], Mapping[str, PublishedFile]],
    listener: Listener,
    *,
    sdist_first: bool = False,
    patience: float = PATIENCE,
) -> Sent:
    """Send what the index lacks; `published` asks the index what it has at that moment.

    An index may take `patience` seconds until it lists what it took. Raises FileClash, NoCredentials and CheckFailed
    before anything is sent; then UploadFailed, IndexUnreachable, CheckFailed for a file that has changed since; and
    VerifyFailed where the index does not list what was sent.
    """
    files = tuple(distributions)
    there = published()
    comparison = compare(files, there)
    refuse_clashes(repository, comparison)
    for file in comparison.same:
        if (known := there[file.filename]).yanked:
            reason = f": {known.yanked_reason}" if known.yanked_reason else ""
            listener(Note(f"{file.filename} is there, and yanked{reason}"))
    missing = in_order(comparison.missing, sdist_first=sdist_first)
    if not missing:
        return Sent()
    packages = [read_package(distribution) for distribution in missing]
    with connect(repository, listener) as server, repository.trust.for_all():
        make_attestations(repository, missing, listener)
        for distribution, package in zip(missing, packages, strict=True):
            add_attestation(distribution, package)
        for distribution in missing:
            with sealed(distribution) as package:
                add_attestation(distribution, package)
                _Parcel(distribution, package, server, published).send()
    return Sent(missing, _look(repository, files, published, listener, patience))


def _look(
    repository: Repository,
    files: tuple[Distribution, ...],
    published: Callable[[], Mapping[str, PublishedFile]],
    listener: Listener,
    patience: float,
) -> str:
    """Until the index lists all files with our hashes; why nobody can look, or empty."""
    import tenacity

    unhashed: list[str] = []

    def wrong() -> list[str]:
        comparison = compare(files, published())
        unhashed[:] = [file.filename for file, known in comparison.clashing if not known.sha256]
        return [
            *(f"  {file.filename}: not there" for file in comparison.missing),
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
        return error.message
    if differences:
        raise VerifyFailed(
            "\n".join([f"{repository.name} took the files, and does not list them as they were sent", *differences]),
            hint="crosswheel verify, in a while; if it stays so, see that `index` names where this index is read",
        )
    return f"it tells no sha256 of {', '.join(unhashed)}" if unhashed else ""


def _tell_listing(name: str, listener: Listener, state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    said = str(error).partition("\n")[0] if error else f"{name} does not list all files as they were sent yet"
    listener(Note(f"{said}; looking again in {state.upcoming_sleep:.0f} s"))


@dataclass(frozen=True)
class _Parcel:
    """One file, and whom to ask whether it has arrived."""

    distribution: Distribution
    package: PackageFile = field(repr=False)
    server: Server = field(repr=False)
    published: Callable[[], Mapping[str, PublishedFile]] = field(repr=False)

    def send(self) -> None:
        """Until it is there."""
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
            self.server.send(self.distribution, self.package)
        except UploadFailed:
            # Another run may have been faster, or the attempt before this one did arrive.
            if not self._may_be_there():
                raise

    def _is_there(self) -> bool:
        comparison = compare([self.distribution], self.published())
        refuse_clashes(self.server.repository, comparison)
        return bool(comparison.same)

    def _may_be_there(self) -> bool:
        """Likewise; an index that cannot be asked now does not hide what went wrong before."""
        with suppress(IndexUnreachable):
            return self._is_there()
        return False

    def _tell(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0
        message = error.error.message if isinstance(error, Trouble) else str(error).partition("\n")[0]
        self.server.listener(Note(f"{message}; trying again in {seconds:.0f} s"))


def _pause(state: tenacity.RetryCallState) -> float:
    """Longer each time, and never less than the server asks for."""
    import tenacity

    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, Trouble) else 0
    return max(asked, tenacity.wait_exponential(max=30)(state))
