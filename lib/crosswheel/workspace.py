"""A place where the hooks of a build backend run and wheels come out; nothing above it knows which place it is."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.hosts import LocalHost
from crosswheel.model import Interpreter
from crosswheel.process import log_tail


@dataclass(frozen=True)
class HostWorkspace:
    """A folder on this machine with a build environment of one interpreter.

    `environ` is what the hooks see: the target's. `meson_options` are `meson setup` options for that target.
    """

    host: LocalHost
    root: Path
    python: Path
    log: Path
    deadline: float | None
    environ: Mapping[str, str] = field(default_factory=dict)
    meson_options: tuple[str, ...] = ()
    tripwire: Path | None = None

    @property
    def asked_for_compiler(self) -> bool:
        """Whether a build in a workspace without compilers called one."""
        return self.tripwire is not None and self.tripwire.exists()

    def install(self, requirements: Iterable[str]) -> None:
        """Put build requirements into the environment: for this machine, with the caller's settings."""
        self.host.install(requirements, self.python, self.log, self.deadline)

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        """Run a command in the target's environment; the runner that `build.ProjectBuilder` takes (PEP 517)."""
        self.host.processes.run(
            cmd,
            env={**self.environ, **(extra_environ or {})},
            cwd=Path(cwd) if cwd else self.root,
            log=self.log,
            deadline=self.deadline,
        )

    def tail(self, lines: int = 30) -> tuple[str, ...]:
        """The last lines of the log."""
        return log_tail(self.log, lines)


def plain_workspace(
    host: LocalHost, interpreter: Interpreter, folder: Path, log: Path, timeout: float
) -> HostWorkspace:
    """A workspace of this machine itself, for sources that hold nothing to compile. The caller removes `folder`."""
    deadline = time.monotonic() + timeout
    folder.mkdir(parents=True)
    python = host.make_environment(interpreter.path, folder / "environment", log, deadline)
    (folder / "home").mkdir()
    environ = {**host.build_environ, "HOME": str(folder / "home")}
    environ["PATH"] = f"{python.parent}:{environ.get('PATH', os.defpath)}"
    return HostWorkspace(host, folder, python, log, deadline, environ)
