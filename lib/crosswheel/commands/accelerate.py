"""`accelerate`: run a command that starts emulated containers, unchanged and faster."""

from __future__ import annotations

import functools
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.accelerating.accelerator import Accelerator
from crosswheel.accelerating.desk import Desk, open_desk
from crosswheel.accelerating.equipment import Place, log_lines
from crosswheel.accelerating.leftovers import new_label, remove_leftovers
from crosswheel.accelerating.shims import write_shims
from crosswheel.accelerating.tally import Compiled, Tally, started_lines, tally_lines
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.containers.docker_host import DockerHost
from crosswheel.errors import CommandNotFound, CrosswheelError, UsageError
from crosswheel.model.job import Listener, Note
from crosswheel.model.targets import Architecture
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.untrusted import one_line
from crosswheel.steps.machine import Machine
from crosswheel.steps.register import register
from crosswheel.system.local_host import local_host
from crosswheel.system.process import Processes

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import AccelerateOptions, PathText

_LONGEST = 80  # bytes of a folder's path; the address of a Unix socket has 107 at most


@dataclass(frozen=True)
class AccelerateReport(Result):
    """The exit code of the command, and what was done for it; with dry_run, the exit code is 0."""

    command: tuple[str, ...]
    code: int
    tally: Tally
    dry_run: bool = False

    @property
    def exit_code(self) -> int:
        return 0 if self.dry_run else self.code

    def document(self) -> Document:
        heading = {"schema": SCHEMA, "kind": "accelerate", "crosswheel": __version__}
        containers = [vars(each) for each in self.tally.started]
        seconds = {verb: round(time, 3) for verb, time in self.tally.seconds.items()}
        compilers = vars(self.tally.compiled)
        return {
            **heading,
            "command": list(self.command),
            "exit_code": self.code,
            "containers": containers,
            "compilers": compilers,
            "seconds": seconds,
        }

    def text(self, _console: Console | None = None) -> str:
        lines = started_lines(self.tally) if self.dry_run else tally_lines(self.tally)
        return "".join(f"crosswheel: {one_line(line)}\n" for line in lines)


@public
def accelerate(
    command: str | Sequence[str],
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[AccelerateOptions],
) -> AccelerateReport:
    """Run a command that starts emulated containers with docker or podman, unchanged and faster.

    `command` is a list of words, or a text that is quoted as for a shell; it runs in the current folder, with this
    process's input and output. `project` is the folder whose pyproject.toml counts for crosswheel. `listener` is called
    with events (`crosswheel.model.job`). With dry_run=True the command runs up to its first container, which is not
    started.

    Returns an AccelerateReport: `.code` is the command's own exit code (128 + the signal that ended it), `.tally` says
    what was accelerated, what was not, and why; str() has it in words.
    Raises UsageError for wrong options, CommandNotFound.
    """
    text = command if isinstance(command, str) else shlex.join(command)
    return from_code(run, "accelerate", project, listener, {"command": text, **options})


def run(call: Call) -> AccelerateReport:
    words, environ, processes = _words(call), dict(call.environ), Processes()
    dry_run = call.config.output.dry_run
    with tempfile.TemporaryDirectory(prefix="cw-", dir=_short_folder()) as name:
        folder = Path(name)
        accelerator = Accelerator(
            host=functools.cache(lambda: local_host(offline=False, listener=call.listener, within=processes)),
            register=lambda docker, arch: _register(docker, arch, call),
            listener=call.listener,
            folder=folder,
            labels=new_label(),
            dry_run=dry_run,
        )
        try:
            with open_desk(folder, accelerator.answer) as desk:
                environ = write_shims(folder / "bin", desk.address, environ)
                try:
                    code, asked = processes.run_like_shell(words, env=environ)
                finally:
                    # Nobody waits for what a shim has asked meanwhile.
                    processes.stop()
            if asked:
                remove_leftovers(accelerator)
            return AccelerateReport(words, code, _tally(accelerator, desk, call), dry_run)
        finally:
            accelerator.close()


def _words(call: Call) -> tuple[str, ...]:
    """The words of the command. Raises UsageError, CommandNotFound."""
    try:
        words = shlex.split(call.config.containers.command)
    except ValueError as error:
        text = f"the command cannot be split into words: {error}"
        raise UsageError(text, hint="quote it as for a shell, or give a list of words") from error
    if not words:
        raise UsageError("no command was given", hint="crosswheel accelerate -- cibuildwheel --platform linux")
    if shutil.which(words[0], path=call.environ.get("PATH")) is None:
        raise CommandNotFound(
            f"{words[0]}: command not found, or not executable", hint=f"command -v {shlex.quote(words[0])}"
        )
    return tuple(words)


def _short_folder() -> str | None:
    return "/tmp" if len(tempfile.gettempdir()) > _LONGEST else None  # noqa: S108 - mkdtemp makes a private folder


def _register(docker: DockerHost, arch: Architecture, call: Call) -> None:
    build = replace(call.config.build, arch=(arch,))
    machine = register(Machine(docker, replace(call.config, build=build), call.listener, call.environ))
    if machine.registration and machine.registration.error:
        raise machine.registration.error


def _tally(accelerator: Accelerator, desk: Desk, call: Call) -> Tally:
    counted = [_compiled(cache, place, call.listener) for cache, place in accelerator.caches.items()]
    return Tally(tuple(accelerator.started), tuple(desk.ran), sum(counted, Compiled()))


def _compiled(cache: str, place: Place, listener: Listener) -> Compiled:
    try:
        return Compiled.of(*log_lines(cache, place))
    except CrosswheelError as error:
        listener(Note(f"the calls of compilers could not be counted: {error.message}"))
        return Compiled()
