"""A workspace in a container: files are copied in before commands run, and out afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crosswheel.containers.environment import EMPTY, site_packages
from crosswheel.containers.host import Container
from crosswheel.engines.container_libraries import found_libraries, search_command
from crosswheel.engines.near_wheels import carried
from crosswheel.engines.worked_out import worked_out
from crosswheel.engines.workspace import MADE, write_constraints
from crosswheel.formats.packages import Package
from crosswheel.model.adoption import PROJECT
from crosswheel.model.job import LaidOver, Usage
from crosswheel.model.targets import Target
from crosswheel.system.installer import install, without_secrets
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import CommandFailed
from crosswheel.toolchains.bytecode import put_bytecode_of_packages
from crosswheel.toolchains.ccache import hits_and_misses
from crosswheel.toolchains.gcc_fallback import commands_in
from crosswheel.toolchains.toolbox import UV

COMPILES = f"{MADE}/compiles"
"""The file of ccache's statistics, which is copied out with the results."""
COMMANDS = f"{MADE}/commands"
"""The file of the compiler driver's notes, which is copied out, too."""

# The loader's search path (ld.so(8)): LD_LIBRARY_PATH, the folders in its cache, the default folders. Debian's loader
# has one for its architecture, and an image without a cache needs it.
_LOADER_FOLDERS = """
echo "$LD_LIBRARY_PATH" | tr : '\\n'
ldconfig -p 2>/dev/null | sed -n 's,.* => \\(/.*\\)/[^/]*$,\\1,p' | sort -u
echo /usr/local/lib64 /usr/local/lib /lib64 /usr/lib64 /lib /usr/lib /usr/lib/*-linux-gnu*
"""

_LARGEST = 1 << 30  # bytes; libraries are read into memory

# The project's folder after `before-all`, with the files that it made.
PREPARED = PurePosixPath("/var/lib/crosswheel")
_BUILD_FILES = "for name in pyproject.toml setup.py; do if [ -f $name ]; then echo $name; fi; done"
_COPY = 'if [ -d "$1" ]; then cp -a "$1" "$2"; fi'


@dataclass(frozen=True)
class WholeProject:
    """The project's folder in the container, at /project; `here` is a folder with its build files on this machine.

    `interpreter` is the image's own, for the project's commands. `plain` are the workspace's variables before
    `assignments`, which are names and shell words that the container has worked out.
    """

    here: Path
    interpreter: Path
    plain: Mapping[str, str]
    assignments: tuple[tuple[str, str], ...] = ()

    def there(self, text: str) -> str:
        """A text in which the folder's path is that in the container."""
        return text.replace(str(self.here), PROJECT)


@dataclass(frozen=True)
class ContainerWorkspace:
    """A container with a build environment of one of its interpreters, and a folder on this machine for transfers.

    `environ` extends the container's variables for hooks, `installer_environ` for uv, which gets the caller's index
    with its credentials. `library_folders` is a shell command that prints the folders of the target's libraries.
    """

    host: LocalHost
    container: Container
    root: Path
    target: Target
    python: Path
    log: Path
    deadline: float | None
    environ: Mapping[str, str]
    installer_environ: Mapping[str, str]
    meson_options: tuple[str, ...] = ()
    library_folders: str = _LOADER_FOLDERS
    hooks: Path | None = None
    whole: WholeProject | None = None
    """The whole project in the container, if it is built in cibuildwheel's way."""

    @property
    def asked_for_compiler(self) -> bool:
        """Always False: the image already has a compiler."""
        return False

    @property
    def environ_without_python(self) -> dict[str, str]:
        """The environment without a Python in PATH except the image's."""
        environ = {name: value for name, value in self.environ.items() if name != "VIRTUAL_ENV"}
        own = str(self.python.parent)
        return {**environ, "PATH": ":".join(path for path in environ["PATH"].split(":") if path != own)}

    @property
    def laid_over(self) -> tuple[LaidOver, ...]:
        return ()

    def put(self, path: Path) -> None:
        self.container.put(path)

    def get(self, folder: Path) -> None:
        self.container.get(folder, folder)

    def install(self, requirements: Iterable[str], constraints: Sequence[str] = ()) -> None:
        listed = sorted(requirements)
        if listed:

            def run(command: Sequence[str], environ: Mapping[str, str]) -> None:
                self.container.run(command, env=environ, cwd=str(EMPTY), log=self.log, deadline=self.deadline)

            limits: list[str] = []
            if file := write_constraints(self.root, constraints):
                self.container.put(file)
                limits = ["--constraint", str(file)]
            command = [UV, "pip", "install", "--python", str(self.python), *limits, "--", *listed]
            near = carried(self.container, self.host.index.settings, listed, self.target)
            environ = {**self.installer_environ, **near}
            # With wheels from here, an sdist of a newer version must not win.
            install(run, command, environ, without_secrets(environ), run if near else None)
            if self.container.emulated:
                tag = self.target.python
                put_bytecode_of_packages(self.container, site_packages(tag), tag, self.host)

    def run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        """Run a command as in the protocol; files named in a hook's arguments are copied in before, and out afterwards.

        The arguments of the project's own commands are not examined.
        """
        there = self.whole.there if self.whole else str
        words = cmd[1:] if cmd[0] == str(self.python) else ()
        named = [Path(word) for word in words if word.startswith("/") and Path(word).exists()]
        self.container.put(*named)
        try:
            self.container.run(
                cmd,
                env={**self.environ, **{name: there(value) for name, value in (extra_environ or {}).items()}},
                cwd=there(cwd or str(self.root)),
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

    def run_own(self, command: str, path: Sequence[str] = ()) -> None:
        """Run a command of the project in cibuildwheel's way: at /project, with the image's own interpreter.

        `path` stands first in its PATH instead of that interpreter's folder. Raises CommandFailed.
        """
        assert self.whole  # noqa: S101
        environ = {name: value for name, value in self.environ.items() if name != "VIRTUAL_ENV"}
        own = str(self.python.parent)
        first = list(path) or [str(self.whole.interpreter.parent)]
        if path:
            # Other folders come first, so what was worked out from PATH is worked out again.
            assigned = {name for name, _ in self.whole.assignments}
            environ = {name: value for name, value in environ.items() if name not in assigned}
            environ |= {name: value for name, value in self.whole.plain.items() if name in assigned}
        folders = [folder for folder in environ["PATH"].split(":") if folder != own]
        environ["PATH"] = ":".join([*first, *folders])
        if path:
            environ |= worked_out(self.container, self.whole.assignments, environ, self.deadline)
        self.container.run(["sh", "-c", command], env=environ, cwd=PROJECT, log=self.log, deadline=self.deadline)

    def get_build_files(self) -> Path:
        """Copy the project's build files, which its commands may have changed; return their folder here."""
        assert self.whole  # noqa: S101
        self.whole.here.mkdir(parents=True, exist_ok=True)
        names = self.container.run(["sh", "-c", _BUILD_FILES], cwd=PROJECT, deadline=self.deadline)
        for name in names.split():
            self.container.get(f"{PROJECT}/{name}", self.whole.here)
        return self.whole.here

    def before_all(self, command: str, source: Path) -> None:  # noqa: ARG002
        """Copy the files that `before-all` left in the project's folder; the image has the rest."""
        left = f"{PREPARED / source.name}/."
        self.container.run(["sh", "-c", _COPY, "sh", left, str(source)], log=self.log, deadline=self.deadline)

    def interact(self, cmd: Sequence[str], cwd: Path) -> int:
        place = self.whole.there(str(cwd)) if self.whole else str(cwd)
        return self.container.interact(cmd, env=self.environ, cwd=place, deadline=self.deadline)

    def libraries(self, names: Iterable[str]) -> Mapping[str, Package]:
        owners: dict[str, Package] = {}
        wanted, folder = set(names), self.root / "libraries"
        command = search_command(sorted(wanted), self.library_folders)
        for name, path, owner in found_libraries(self.container.run(command, deadline=self.deadline)):
            if name in wanted:
                owners |= {name: owner} if owner else {}
                self.container.get(path, folder / name / "found")
                found = list((folder / name / "found").iterdir())
                # The build ran as root and may have replaced the programs that find them.
                if len(found) == 1 and found[0].is_file() and found[0].stat().st_size <= _LARGEST:
                    found[0].replace(folder / f"{name}.found")
                    shutil.rmtree(folder / name)
                    (folder / f"{name}.found").replace(folder / name)
                else:
                    shutil.rmtree(folder / name)
        return owners

    def usage(self) -> Usage:
        hits, misses = hits_and_misses(self.root / COMPILES)
        commands = commands_in(self.root / COMMANDS)
        return Usage(self.container.memory, hits, misses, commands.all, commands.by_gcc, commands.gcc_seconds)
