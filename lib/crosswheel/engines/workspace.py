"""Workspaces: places where the hooks of a build backend run; callers do not depend on the kind of place."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from crosswheel.engines.target_requirements import TargetRequirements
from crosswheel.formats.packages import Package
from crosswheel.model.job import Interpreter, LaidOver, Usage
from crosswheel.system.local_host import LocalHost
from crosswheel.system.namespaces import Namespace
from crosswheel.system.process import CommandFailed, Meter
from crosswheel.system.sandbox import Sandbox, repository_of
from crosswheel.toolchains.cargo_cache import open_cargo_home, user_cargo_home, vendored_by
from crosswheel.toolchains.ccache import hits_and_misses

MADE = "made"
"""The folder in a workspace's root with its results: the wheel and the answers of hooks."""

_NO_SOLUTION = "No solution found"  # uv's words

UNCOMPILED = f"{MADE}/uncompiled"
"""The file in which setuptools records extensions that it did not compile."""


class Workspace(Protocol):
    """The interface of a place for commands and files. Paths are the same on both sides.

    `root` is a folder of this machine for the job; `python` the build environment's interpreter in the place;
    `meson_options` the options of `meson setup` for the target; `hooks` the program in the environment that runs
    several hooks (toolchains/inside/hooks.py), or None.
    """

    @property
    def host(self) -> LocalHost: ...
    @property
    def root(self) -> Path: ...
    @property
    def python(self) -> Path: ...
    @property
    def log(self) -> Path: ...
    @property
    def deadline(self) -> float | None: ...
    @property
    def meson_options(self) -> tuple[str, ...]: ...
    @property
    def hooks(self) -> Path | None: ...
    @property
    def asked_for_compiler(self) -> bool: ...

    @property
    def laid_over(self) -> tuple[LaidOver, ...]:
        """The build requirements whose libraries and headers were to be replaced by the target's."""
        ...

    def put(self, path: Path) -> None:
        """Make a file or folder of this machine available to the commands."""
        ...

    def get(self, folder: Path) -> None:
        """Copy the results of commands in a folder to this machine."""
        ...

    def install(self, requirements: Iterable[str], constraints: Sequence[str] = ()) -> None:
        """Put build requirements into the environment, with the caller's index settings.

        `constraints` are lines of a constraints file.
        """
        ...

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        """Run a command in the target's environment: a runner for `build.ProjectBuilder` (PEP 517)."""
        ...

    def interact(self, cmd: Sequence[str], cwd: Path) -> int:
        """Run a command in the hooks' environment with this process's input and output; return its exit code."""
        ...

    def libraries(self, names: Iterable[str]) -> Mapping[str, Package]:
        """Copy those of the shared libraries that the place has to `root`/libraries.

        Returns the packages that own them, by name, as far as the place's package database knows.
        """
        ...

    def before_all(self, command: str, source: Path) -> None:
        """Apply the results of the project's `before-all` to its folder."""
        ...

    def usage(self) -> Usage:
        """The resources of the commands so far."""
        ...


@dataclass(frozen=True)
class HostWorkspace:
    """A folder on this machine with a build environment of one interpreter. `environ` is for the hooks."""

    host: LocalHost
    root: Path
    python: Path
    log: Path
    deadline: float | None
    environ: Mapping[str, str] = field(default_factory=dict)
    meson_options: tuple[str, ...] = ()
    tripwire: Path | None = None
    hooks: Path | None = None
    meter: Meter = field(default_factory=Meter, compare=False)
    compiles: Path | None = None
    kept: tuple[Path, ...] = ()
    """The caches of its compilers: the only part of the cache that builds may write to."""
    sandbox: Sandbox | None = None
    """What hooks see of this machine; None if the kernel has no namespaces for us, and only the caches are closed."""
    requirements: TargetRequirements | None = None
    """What is laid over the build requirements; None if they are the target's, or nothing is compiled."""
    given: list[Path] = field(default_factory=list, compare=False)
    """What was put into the workspace."""

    @property
    def asked_for_compiler(self) -> bool:
        """Whether a build in a workspace without compilers called one."""
        return self.tripwire is not None and self.tripwire.exists()

    @property
    def laid_over(self) -> tuple[LaidOver, ...]:
        return tuple(self.requirements.done.values()) if self.requirements else ()

    def put(self, path: Path) -> None:
        """Nothing to copy: hooks in a sandbox see it, and may change it."""
        self.given.append(path)

    def get(self, folder: Path) -> None:
        """Nothing to copy."""

    def install(self, requirements: Iterable[str], constraints: Sequence[str] = ()) -> None:
        listed = list(requirements)
        if not self._install_near(listed, constraints):
            self._install(listed, constraints)
        if self.requirements:
            self.requirements.lay_over(self.log)

    def _install(self, requirements: Sequence[str], constraints: Sequence[str]) -> None:
        file = write_constraints(self.python.parent.parent, constraints)
        self.host.install(requirements, self.python, self.log, self.deadline, constraints=file)

    def _install_near(self, requirements: Sequence[str], constraints: Sequence[str]) -> bool:
        """Install in the versions of which a folder in find-links has the target's wheels; whether that can be."""
        versions = self.requirements.near_versions() if self.requirements else {}
        if not versions:
            return False
        near = [f"{name}=={version}" for name, version in versions.items()]
        try:
            self._install(requirements, [*near, *constraints])
        except CommandFailed as error:
            if _NO_SOLUTION not in error.output:
                raise
            return False
        return True

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        folder = Path(cwd) if cwd else self.root
        named = [Path(word) for word in cmd[1:] if word.startswith("/")]
        open_to_it = (*self.kept, folder, *filter(Path.is_dir, named))
        with self._entered(folder, open_to_it, named) as namespace:
            self.host.processes.run(
                cmd,
                env={**self.environ, **(extra_environ or {})},
                cwd=folder,
                log=self.log,
                deadline=self.deadline,
                meter=self.meter,
                confinement=None if namespace else self.host.confinement(self.root, *open_to_it),
                namespace=namespace,
            )

    @contextmanager
    def _entered(self, folder: Path, writable: Iterable[Path], readable: Iterable[Path]) -> Iterator[Namespace | None]:
        """The namespace of a command that works in `folder`, or None."""
        if self.sandbox is None:
            yield None
            return
        around = () if self.root in folder.parents else repository_of(folder)
        sandbox = self.sandbox.showing(writable=(*writable, *self.given), readable=(*readable, *around))
        with sandbox.entered() as namespace:
            yield namespace

    def before_all(self, command: str, source: Path) -> None:
        self.run_hook(["sh", "-c", command], cwd=str(source))

    def interact(self, cmd: Sequence[str], cwd: Path) -> int:
        with self._entered(cwd, (*self.kept, cwd), ()) as namespace:
            return self.host.processes.interact(
                cmd, env=self.environ, cwd=cwd, deadline=self.deadline, namespace=namespace
            )

    def libraries(self, names: Iterable[str]) -> Mapping[str, Package]:
        """As in the protocol: those of the target's build requirements."""
        owners: dict[str, Package] = {}
        for name in names:
            if found := self.requirements.library(name) if self.requirements else None:
                path, owners[name] = found
                (self.root / "libraries").mkdir(exist_ok=True)
                shutil.copyfile(path, self.root / "libraries" / name, follow_symlinks=False)
        return owners

    def usage(self) -> Usage:
        """As in the protocol; counts successful compiles of one source to one object.

        Links do not count, nor test compiles of configure scripts, Meson and CMake.
        """
        hits, misses = hits_and_misses(self.compiles) if self.compiles else (0, 0)
        return Usage(memory=self.meter.peak, hits=hits, misses=misses)


def write_constraints(folder: Path, lines: Sequence[str]) -> Path | None:
    """Write a file of constraints in `folder`; None if there are none."""
    if not lines:
        return None
    file = folder / "constraints.txt"
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def private_environ(folder: Path) -> dict[str, str]:
    """The environment of builds: their own HOME and temporary folder, and no repository above `folder`."""
    own = {"HOME": folder / "home", "TMPDIR": folder / "tmp"}
    for place in own.values():
        place.mkdir(mode=0o700)
    return {**{name: str(place) for name, place in own.items()}, "GIT_CEILING_DIRECTORIES": str(folder)}


def plain_workspace(
    host: LocalHost, interpreter: Interpreter, folder: Path, log: Path, timeout: float, cargo: Path | None = None
) -> HostWorkspace:
    """A workspace for this machine's own platform, for pure sources. The caller removes `folder`.

    `cargo` is the folder of a project's Cargo cache, which keeps the crates that an sdist of Rust asks for.
    """
    deadline = time.monotonic() + timeout
    folder.mkdir(parents=True)
    python = host.make_environment(interpreter.path, folder / "environment", log, deadline)
    environ = {**host.build_environ, **private_environ(folder)}
    environ["PATH"] = f"{python.parent}:{environ.get('PATH', os.defpath)}"
    kept: tuple[Path, ...] = ()
    vendored: tuple[Path, ...] = ()
    if cargo:
        kept, user = (cargo,), user_cargo_home(host.environ)
        environ["CARGO_HOME"] = str(open_cargo_home(cargo, user))
        vendored = vendored_by(user)
    sandbox = host.sandbox(folder, python, environ, *vendored)
    return HostWorkspace(host, folder, python, log, deadline, environ, kept=kept, sandbox=sandbox)
