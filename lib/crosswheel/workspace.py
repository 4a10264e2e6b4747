"""A place where the hooks of a build backend run and wheels come out; nothing above it knows which place it is."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Protocol

from crosswheel.containers.container import Container
from crosswheel.containers.environment import site_packages
from crosswheel.hosts import LocalHost
from crosswheel.model import Interpreter, Usage
from crosswheel.process import CommandFailed, Meter
from crosswheel.targets import PythonTag
from crosswheel.toolchains.bytecode import put_bytecode_of_packages
from crosswheel.toolchains.ccache import hits_and_misses
from crosswheel.toolchains.toolbox import UV

# In a workspace's root: what comes out of it together, the wheel with it, and what ccache says of the compiles.
MADE = "made"
COMPILES = f"{MADE}/compiles"
_MOST = 1024 * 1024  # letters, one for each compile; a build may write there as much as it likes


class Workspace(Protocol):
    """Where commands run and files go in and out. Paths are the same on both sides.

    `root` is a folder of this machine that the job may fill; `python` the build environment's interpreter, where the
    hooks run; `meson_options` what `meson setup` must be told of the target; `hooks` the program in the environment
    that runs several hooks (toolchains/inside/hooks.py), None where it is not there.
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

    def put(self, path: Path) -> None:
        """Make a file or folder of this machine known to the commands that run there."""
        ...

    def get(self, folder: Path) -> None:
        """Bring what commands made in a folder to this machine."""
        ...

    def install(self, requirements: Iterable[str]) -> None:
        """Put build requirements into the environment, with the caller's index settings."""
        ...

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        """Run a command in the target's environment; the runner that `build.ProjectBuilder` takes (PEP 517)."""
        ...

    def interact(self, cmd: Sequence[str], cwd: Path) -> int:
        """Run a command in the hooks' environment with this process's input and output; gives its exit code."""
        ...

    def libraries(self, names: Iterable[str]) -> Path | None:
        """A folder of this machine with those of the shared libraries that the place has; None where it has none."""
        ...

    def before_all(self, command: str, source: Path) -> None:
        """Do to the project's folder what a command of its own does that builds begin with."""
        ...

    def usage(self) -> Usage:
        """What the commands that ran here took so far."""
        ...


@dataclass(frozen=True)
class HostWorkspace:
    """A folder on this machine with a build environment of one interpreter. `environ` is what the hooks see."""

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

    @property
    def asked_for_compiler(self) -> bool:
        """Whether a build in a workspace without compilers called one."""
        return self.tripwire is not None and self.tripwire.exists()

    def put(self, path: Path) -> None:
        """It is here already."""

    def get(self, folder: Path) -> None:
        """It is here already."""

    def install(self, requirements: Iterable[str]) -> None:
        self.host.install(requirements, self.python, self.log, self.deadline)

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        self.host.processes.run(
            cmd,
            env={**self.environ, **(extra_environ or {})},
            cwd=Path(cwd) if cwd else self.root,
            log=self.log,
            deadline=self.deadline,
            meter=self.meter,
        )

    def before_all(self, command: str, source: Path) -> None:
        self.run_hook(["sh", "-c", command], cwd=str(source))

    def interact(self, cmd: Sequence[str], cwd: Path) -> int:
        return self.host.processes.interact(cmd, env=self.environ, cwd=cwd, deadline=self.deadline)

    def libraries(self, names: Iterable[str]) -> Path | None:  # noqa: ARG002 - a sysroot is named in the configuration
        return None

    def usage(self) -> Usage:
        """As in the protocol. Counted are compiles of one source to one object that went well.

        Links are not, nor what a configure script, Meson or CMake compiles to see whether it can be.
        """
        letters = b""
        if self.compiles and self.compiles.is_file():
            with self.compiles.open("rb") as file:
                letters = file.read(_MOST)
        return Usage(memory=self.meter.peak, hits=letters.count(b"h"), misses=letters.count(b"m"))


# Where the loader looks (ld.so(8)): LD_LIBRARY_PATH, its cache's folders, the default ones.
_LOADER_FOLDERS = """
echo "$LD_LIBRARY_PATH" | tr : '\\n'
ldconfig -p 2>/dev/null | sed -n 's,.* => \\(/.*\\)/[^/]*$,\\1,p' | sort -u
echo /usr/local/lib64 /usr/local/lib /lib64 /usr/lib64 /lib /usr/lib
"""

# Links are followed, for the engine copies a link as a link.
_FIND_LIBRARIES = """
folders=$({folders})
for name do
  for folder in $folders; do
    if [ -e "$folder/$name" ]; then
      echo "$name $(readlink -f "$folder/$name")"
      break
    fi
  done
done
"""


# The folder of a project where `before-all` has run, with what it left there.
PREPARED = PurePosixPath("/var/lib/crosswheel")
_COPY = 'if [ -d "$1" ]; then cp -a "$1" "$2"; fi'


@dataclass(frozen=True)
class ContainerWorkspace:
    """A container with a build environment of one of its interpreters, and a folder here that files pass through.

    `environ` is what the hooks see over the container's own variables, `installer_environ` what uv sees: the
    caller's index with its credentials, which the hooks do not get. `library_folders` is shell that prints where the
    target's libraries are.
    """

    host: LocalHost
    container: Container
    root: Path
    tag: PythonTag
    python: Path
    log: Path
    deadline: float | None
    environ: Mapping[str, str]
    installer_environ: Mapping[str, str]
    meson_options: tuple[str, ...] = ()
    library_folders: str = _LOADER_FOLDERS
    hooks: Path | None = None

    @property
    def asked_for_compiler(self) -> bool:
        """Never in vain: its image has one."""
        return False

    def put(self, path: Path) -> None:
        self.container.put(path)

    def get(self, folder: Path) -> None:
        self.container.get(folder, folder)

    def install(self, requirements: Iterable[str]) -> None:
        listed = sorted(requirements)
        if listed:
            command = [UV, "pip", "install", "--python", str(self.python), "--", *listed]
            self.container.run(
                command, env=self.installer_environ, cwd=str(self.root), log=self.log, deadline=self.deadline
            )
            if self.container.emulated:
                put_bytecode_of_packages(self.container, site_packages(self.tag), self.tag, self.host)

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        """As in the protocol; what the words of a hook name on this machine goes in before, and back after.

        Of the project's own commands, nobody knows what their words are.
        """
        words = cmd[1:] if cmd[0] == str(self.python) else ()
        named = [Path(word) for word in words if word.startswith("/") and Path(word).exists()]
        self.container.put(*named)
        try:
            self.container.run(
                cmd,
                env={**self.environ, **(extra_environ or {})},
                cwd=cwd or str(self.root),
                log=self.log,
                deadline=self.deadline,
            )
        except CommandFailed:
            self._fetch(named)
            raise
        self._fetch(named)

    def _fetch(self, named: Iterable[Path]) -> None:
        for path in named:
            if path.is_dir():
                self.container.get(path, path)

    def before_all(self, command: str, source: Path) -> None:  # noqa: ARG002
        """The image has it already; what it left in the folder is put there."""
        left = f"{PREPARED / source.name}/."
        self.container.run(["sh", "-c", _COPY, "sh", left, str(source)], log=self.log, deadline=self.deadline)

    def interact(self, cmd: Sequence[str], cwd: Path) -> int:
        return self.container.interact(cmd, env=self.environ, cwd=str(cwd), deadline=self.deadline)

    def libraries(self, names: Iterable[str]) -> Path | None:
        # They come from a wheel that anybody may have made: a name is no way out of a folder.
        wanted = {name for name in names if "/" not in name}
        folder = self.root / "libraries"
        command = ["sh", "-c", _FIND_LIBRARIES.format(folders=self.library_folders), "sh", *sorted(wanted)]
        for line in self.container.run(command, deadline=self.deadline).splitlines():
            name, _, path = line.partition(" ")
            if name in wanted:
                self.container.get(path, folder / name / "found")
                (found,) = (folder / name / "found").iterdir()
                found.replace(folder / f"{name}.found")
                shutil.rmtree(folder / name)
                (folder / f"{name}.found").replace(folder / name)
        return folder if folder.is_dir() else None

    def usage(self) -> Usage:
        hits, misses = hits_and_misses(self.root / COMPILES)
        return Usage(self.container.memory, hits, misses)


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


def idle_workspace(host: LocalHost, folder: Path, log: Path, timeout: float) -> HostWorkspace:
    """One for a wheel that is built already: nothing runs in it. The caller removes `folder`."""
    folder.mkdir(parents=True)
    return HostWorkspace(host, folder, folder / "nothing", log, time.monotonic() + timeout)
