"""`register`: make the Docker host run programs of every configured architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crosswheel import __version__
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.containers.container import remove_stale
from crosswheel.containers.docker_host import connect
from crosswheel.containers.emulation import Running
from crosswheel.errors import CannotRun
from crosswheel.model.job import Listener
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.untrusted import one_line
from crosswheel.steps import PREPARE
from crosswheel.steps.machine import Machine, Survey
from crosswheel.steps.register import not_running, running_lines

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import PathText, RegisterOptions


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
        lines = (
            *running_lines(self.after, self.docker_host),
            *(error.message for error in not_running(self.after).values()),
        )
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
    host = connect(call.config.containers.docker_host, call.environ)
    if not call.config.output.dry_run:
        remove_stale(host)
    machine = PREPARE.without("pull").fold(Machine(host, call.config, call.listener, call.environ))
    assert machine.registration  # noqa: S101
    return RegisterReport(host.address, **vars(machine.registration))


def _answer(answer: Running | CannotRun) -> dict[str, Any]:
    if isinstance(answer, CannotRun):
        return {"runs": False, "natively": False, "cpu": "", "reason": answer.message}
    return {"runs": True, "natively": answer.natively, "cpu": answer.cpu, "reason": ""}
