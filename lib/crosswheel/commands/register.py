"""`register`: make the Docker host run programs of every configured architecture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from crosswheel import __version__
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.containers.docker_host import connect
from crosswheel.containers.emulation import Running, survey
from crosswheel.containers.providers import SCOPE, choose_provider, failure
from crosswheel.errors import CannotRun
from crosswheel.model.job import Listener, Note
from crosswheel.model.targets import Architecture
from crosswheel.report.document import SCHEMA, Document
from crosswheel.report.untrusted import one_line
from crosswheel.report.wording import running_text
from crosswheel.system.process import Processes

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import PathText, RegisterOptions

Survey: TypeAlias = dict[Architecture, "Running | CannotRun"]


@dataclass(frozen=True)
class RegisterReport(Result):
    """Whether the Docker host ran each architecture `before` and runs it `after`.

    `provider` is the source of the emulators, empty if nothing was registered; `error` says what still does not run.
    """

    docker_host: str
    before: Survey
    after: Survey
    provider: str = ""
    error: CannotRun | None = None

    @property
    def exit_code(self) -> int:
        return self.error.exit_code if self.error else 0

    @property
    def failure(self) -> CannotRun | None:
        return self.error

    def document(self) -> Document:
        rows = [
            {"arch": arch.name, "before": _answer(self.before[arch]), "after": _answer(self.after[arch])}
            for arch in self.before
        ]
        heading = {"schema": SCHEMA, "kind": "register", "crosswheel": __version__}
        return {**heading, "docker_host": self.docker_host, "provider": self.provider, "architectures": rows}

    def text(self, _console: Console | None = None) -> str:
        """Empty: the listener has reported every line."""
        return ""

    def __str__(self) -> str:
        lines = (*_runs(self.after, self.docker_host), *(error.message for error in _missing(self.after).values()))
        return "\n".join(map(one_line, lines))


@public
def register(
    *, project: PathText = ".", listener: Listener | None = None, **options: Unpack[RegisterOptions]
) -> RegisterReport:
    """Make the Docker host run programs of every configured architecture: look, change what is missing, look again.

    `project` is the folder whose pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`): it
    hears what will change before it does. With dry_run=True nothing is changed.

    Returns a RegisterReport: `.before`, `.after`, `.provider`, `.error`, `.ok`, `.exit_code`, `.document()` (what
    --json writes); str() is a line for each architecture.
    Raises UsageError for wrong options, EngineUnavailable, CannotRun if nothing could be registered.
    """
    return from_code(run, "register", project, listener, options)


def run(call: Call) -> RegisterReport:
    config, listener = call.config, call.listener
    host = connect(config.containers.docker_host, call.environ)
    before = survey(host, config.build.arch)
    found = RegisterReport(host.address, before, before)
    _tell(before, host.address, listener)
    missing = tuple(_missing(before))
    if not missing:
        return found
    provider = choose_provider(
        config.containers.provider,
        host,
        missing,
        mirrors=config.containers.mirrors,
        environ=call.environ,
        processes=Processes(),
    )
    for change in provider.changes(missing):
        listener(Note(f"{'would' if config.output.dry_run else 'will'} {change}"))
    listener(Note(SCOPE))
    if config.output.dry_run:
        return replace(found, provider=provider.name)
    said = provider.act(missing, listener)
    # Everything: who makes room for new entries may have lost others.
    after = survey(host, config.build.arch)
    still = _missing(after)
    if not still:
        _tell({arch: after[arch] for arch in missing}, host.address, listener)
    error = failure(provider, still, said) if still else None
    return replace(found, after=after, provider=provider.name, error=error)


def _missing(found: Survey) -> dict[Architecture, CannotRun]:
    return {arch: answer for arch, answer in found.items() if isinstance(answer, CannotRun)}


def _tell(found: Survey, address: str, listener: Listener) -> None:
    for text in _runs(found, address):
        listener(Note(text))


def _runs(found: Survey, address: str) -> Iterator[str]:
    for arch, answer in found.items():
        if isinstance(answer, Running):
            yield f"{arch} runs {running_text(answer)} on {address}"


def _answer(answer: Running | CannotRun) -> dict[str, Any]:
    if isinstance(answer, CannotRun):
        return {"runs": False, "natively": False, "cpu": "", "reason": answer.message}
    return {"runs": True, "natively": answer.natively, "cpu": answer.cpu, "reason": ""}
