"""`doctor`: show what this machine and its Docker hosts can do, and fix what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crosswheel.commands import register
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.errors import CrosswheelError
from crosswheel.model.job import Listener, Note, deaf
from crosswheel.reporting.doctor import diagnosis_document, diagnosis_text
from crosswheel.reporting.document import Document
from crosswheel.system.local_host import LocalHost, local_host
from crosswheel.system.locks import at_work
from crosswheel.toolchains.zig import ensure_zig
from crosswheel.upkeep.doctor import Diagnosis, Problem, diagnose

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import DoctorOptions, PathText


@dataclass(frozen=True)
class DoctorReport(Result):
    """The diagnosis; `.diagnosis.problems` lists each problem with the command that fixes it."""

    diagnosis: Diagnosis

    @property
    def exit_code(self) -> int:
        """The code of the first problem that prevents something that was asked for."""
        return self.diagnosis.exit_code

    def document(self) -> Document:
        return diagnosis_document(self.diagnosis)

    def text(self, console: Console | None = None) -> str:
        return diagnosis_text(self.diagnosis, console)


@public
def doctor(
    *, project: PathText = ".", listener: Listener | None = None, **options: Unpack[DoctorOptions]
) -> DoctorReport:
    """Show what this machine and its Docker hosts can do; fix=True first fixes what it can.

    `project` is the folder whose pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`).

    Returns a DoctorReport: `.diagnosis` (`.machine`, `.places`, `.problems`), `.ok`, `.exit_code`, `.document()` (what
    --json writes); str() is the table.
    Raises UsageError for wrong options.
    """
    return from_code(run, "doctor", project, listener, options)


def run(call: Call) -> DoctorReport:
    host = local_host(offline=call.config.build.offline, listener=deaf)
    found = diagnose(call.config, host)
    if call.config.upkeep.fix:
        _mend(found.problems, call, host)
        found = diagnose(call.config, host)
    return DoctorReport(found)


def _mend(problems: Iterable[Problem], call: Call, host: LocalHost) -> None:
    """Run each remedy once; a failure is reported to the listener."""

    def fetch_zig() -> None:
        with at_work(host.cache):
            ensure_zig(host.index, host.cache, host.processes, call.listener)

    def register_emulators() -> None:
        if failure := register.run(call).failure:
            raise failure

    remedies = {"zig": fetch_zig, "register": register_emulators}
    for mending in dict.fromkeys(problem.mending for problem in problems if problem.mending):
        _try(remedies[mending], call.listener)


def _try(remedy: Callable[[], None], listener: Listener) -> None:
    try:
        remedy()
    except CrosswheelError as error:
        listener(Note(str(error)))
