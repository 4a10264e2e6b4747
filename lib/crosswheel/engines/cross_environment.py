"""The build environment of one cross build and the toolchain for its target, in the job's folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from crosswheel.engines.borrowed_libraries import copy_libraries
from crosswheel.engines.workspace import UNCOMPILED, private_environ
from crosswheel.model.config import Config
from crosswheel.model.job import Job
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import answers_in
from crosswheel.system.sandbox import Layer, Sandbox
from crosswheel.toolchains.build_systems import Configuration, parallel_environ
from crosswheel.toolchains.cargo_cache import open_cargo_cache, user_cargo_home, vendored_by
from crosswheel.toolchains.configuration import configure, environ_of
from crosswheel.toolchains.cpuinfo import cpuinfo
from crosswheel.toolchains.description import Description, describe
from crosswheel.toolchains.exe_wrapper import ExeWrapper, find_exe_wrapper
from crosswheel.toolchains.go import go_environ
from crosswheel.toolchains.rust import cargo_environ, pyo3_environ
from crosswheel.toolchains.startup import (
    HOOKS,
    IMPERSONATE,
    SIDE_BY_SIDE,
    install_startup,
    note_uncompiled,
    note_unrun,
    start_over,
)
from crosswheel.toolchains.sysroot import Sysroot
from crosswheel.toolchains.zig import Zig

_COMPILERS = {"CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib"}


@dataclass(frozen=True)
class CrossEnvironment:
    """`python` is the interpreter of this machine that runs the backend, `description` the target's CPython.

    `sysroot` is None if Zig's own libraries serve, `wrapper` if no program of the target can run here.
    """

    job: Job
    host: LocalHost
    folder: Path
    sysroot: Sysroot | None
    zig: Zig
    python: Path
    description: Description
    wrapper: ExeWrapper | None
    toolchain: Configuration

    @property
    def root(self) -> Path:
        return self.python.parent.parent

    @property
    def packages(self) -> Path:
        (found,) = self.root.glob("lib/python*/site-packages")
        return found

    @property
    def hooks(self) -> Path:
        return self.packages / HOOKS

    @property
    def runs_target_python(self) -> bool:
        return self.toolchain.target_python.exists()

    def environ(self, config: Config) -> dict[str, str]:
        """The variables of hooks; copies the libraries that one of them names."""
        target, folder = self.job.target, self.toolchain.folder
        lent = self.job.interpreter.borrowed if self.job.interpreter else ()
        return {
            **self.host.build_environ,
            **copy_libraries(lent, self.folder / "borrowed"),
            **private_environ(self.folder),
            **environ_of(self.toolchain, self.sysroot),
            **cargo_environ(target, self.toolchain.bin),
            **go_environ(target.arch),
            **(self.wrapper.environ if self.wrapper else {}),
            **pyo3_environ(target, self.description, folder / "pyo3"),
            **parallel_environ(self.job.processors or self.host.cpus),
            "CROSSWHEEL_TARGET": str(self.description.path),
            "CROSSWHEEL_LACKING": str(self.folder / UNCOMPILED),
            **config.build.environment,
        }

    def with_programs(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables with the toolchain and the environment's programs first in PATH."""
        path = (str(self.toolchain.bin), str(self.python.parent), environ.get("PATH", "/usr/bin:/bin"))
        return {**environ, "PATH": ":".join(path)}

    def with_cargo(
        self, environ: Mapping[str, str], place: Path, below: Iterable[str]
    ) -> tuple[dict[str, str], tuple[Path, ...]]:
        """The variables with those of cargo, whose cache is at `place`, and the folders that cargo reads.

        `below` are the texts that change when what it compiles with does.
        """
        user = user_cargo_home(self.host.environ)
        cargo = open_cargo_cache(place, str(self.job.target), user, environ, tuple(below))
        return {**cargo.environ(self.folder), **environ}, (cargo.folder, *vendored_by(user))

    def sandbox(self, environ: Mapping[str, str], runtimes: Path, *crates: Path) -> Sandbox | None:
        """What hooks see, also `crates`; other projects' builds see none of the runtimes that they add to Zig's.

        None if this machine permits no sandbox.
        """
        zig, wrapper, host = self.zig, self.wrapper, self.host
        shown = [zig.program.parent, zig.library, *([zig.ccache] if zig.ccache else []), *crates]
        shown += [*(wrapper.files if wrapper else ()), *([self.sysroot.root] if self.sysroot else [])]
        sandbox = host.sandbox(self.folder, self.python, environ, *shown)
        if sandbox is None:
            return None
        processors = self.toolchain.folder / "cpuinfo"
        processors.write_text(cpuinfo(self.job.target.arch, host.cpus))
        own = () if host.allowed.overlay or not zig.cache.is_dir() else (Layer(zig.cache, runtimes),)
        return replace(
            sandbox,
            layers=(*sandbox.layers, *own),
            emulators=wrapper.entries if wrapper and not host.allowed.binfmt else (),
            cpuinfo=processors,
            programs=None if host.allowed.overlay else self.toolchain.by_path,
        )


def make_environment(
    job: Job,
    host: LocalHost,
    sysroot: Sysroot | None,
    zig: Zig,
    objects: Path,
    folder: Path,
    log: Path,
    deadline: float,
    *,
    runs: bool,
    debug: bool,
) -> CrossEnvironment:
    """Make both in `folder`, with the object cache in `objects`. Without `runs` no program of the target runs."""
    target, toolchain = job.target, folder / "toolchain"
    python, description = _made_and_described(job, host, sysroot, toolchain, log, deadline)
    wrapper = find_exe_wrapper(target, [sysroot.root] if sysroot else [], host, folder) if runs else None
    made = configure(toolchain, zig, objects, target, description, sysroot, python, wrapper, debug=debug)
    environment = CrossEnvironment(job, host, folder, sysroot, zig, python, description, wrapper, made)
    starts = [IMPERSONATE, SIDE_BY_SIDE, note_uncompiled(folder / UNCOMPILED)]
    if environment.runs_target_python:
        starts.append(start_over(str(made.target_python), target.ext_suffix))
    if wrapper is None and runs:
        starts.append(note_unrun(folder / UNCOMPILED))
    install_startup(environment.packages, *starts)
    return environment


def _made_and_described(
    job: Job, host: LocalHost, sysroot: Sysroot | None, toolchain: Path, log: Path, deadline: float
) -> tuple[Path, Description]:
    """The interpreter of a new build environment, and what the target's CPython says of itself; made side by side."""
    assert job.interpreter is not None  # noqa: S101 - the plan has no job without one
    folder = toolchain.parent
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Another process compiles meanwhile; this one copies headers.
        making = pool.submit(host.make_environment, job.interpreter.path, folder / "environment", log, deadline)
        description = describe(
            job.target,
            job.interpreter,
            sysroot.root if sysroot else None,
            {name: str(toolchain / "bin" / program) for name, program in _COMPILERS.items()},
            folder / "python",
            host.processes,
            host.build_environ,
            answers_in(host.cache),
        )
        return making.result(), description
