"""The engine `cross`: cross-compiles on this machine with Zig, without container, emulation and root.

Build requirements are installed for this machine and run at its speed; the backend's hooks see the target's
sysconfig, compilers and build-system files.
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.engines.target_requirements import RULE, TargetRequirements
from crosswheel.engines.workspace import UNCOMPILED, HostWorkspace, private_environ
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Note, Sdist, deaf
from crosswheel.model.targets import Target
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import answers_in
from crosswheel.system.sandbox import Layer, Sandbox
from crosswheel.toolchains import zig_library
from crosswheel.toolchains.build_systems import parallel_environ
from crosswheel.toolchains.cargo_cache import cargos_of, open_cargo_cache, user_cargo_home, vendored_by
from crosswheel.toolchains.configuration import compiles_of, configure, environ_of
from crosswheel.toolchains.description import Description, derivable, describe, find_real
from crosswheel.toolchains.exe_wrapper import ExeWrapper, find_exe_wrapper
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.rust import cargo_environ, pyo3_environ
from crosswheel.toolchains.startup import HOOKS, IMPERSONATE, SIDE_BY_SIDE, install_startup, note_uncompiled, start_over
from crosswheel.toolchains.sysroot import Sysroot, sysroot_of
from crosswheel.toolchains.zig import Zig, changes_of, ensure_zig, make_objects, source_version, warm_up


class Cross:
    family: Family | None = None

    @property
    def toolchain(self) -> dict[str, str]:
        return {
            "zig": version_of("zig"),
            "driver": source_version("zigcc"),
            "libraries": zig_library.VERSION,
            "requirements": RULE,
        }

    def offer(self, target: Target, config: Config, facts: Facts) -> Interpreter | str:
        interpreter = facts.host.interpreters.get(target.python)
        if interpreter is None:
            return f"no CPython {target.python.version} on this machine to run the build backend"
        return _refusal(target, interpreter, config, facts) or interpreter

    def prepare(self, target: Target, config: Config, services: Services, *, cxx: bool) -> None:
        host = services.facts.host
        if refusal := host.allowed.namespaces:
            told = Note(f"builds on this machine can read your files: {refusal}")
            services.facts.once.answer("sandbox", lambda: services.listener(told))
        zig = ensure_zig(host.index, host.cache, host.processes, services.listener)
        services.sysroot_image(target, config)
        sysroot = _sysroot(target, config, services.facts)
        if sysroot and sysroot.gcc:
            return  # its libraries are compiled already
        warm_up(zig, target, cxx=cxx, processes=host.processes, listener=services.listener)

    @contextmanager
    def open(
        self,
        job: Job,
        sdist: Sdist,
        config: Config,
        services: Services,
        folder: Path,
        log: Path,
        *,
        bare: bool = False,
    ) -> Iterator[HostWorkspace]:
        host = services.facts.host
        target, sysroot = job.target, _sysroot(job.target, config, services.facts)
        deadline = time.monotonic() + config.build.timeout
        folder.mkdir(parents=True)
        mark = folder / "asked-for-a-compiler"
        zig = _tripwire(folder, mark) if bare else ensure_zig(host.index, host.cache, host.processes, deaf)
        try:
            toolchain = folder / "toolchain"
            compilers = {name: str(toolchain / "bin" / program) for name, program in _COMPILERS.items()}
            python, description = _made_and_described(job, sysroot, compilers, host, folder, log, deadline)
            kept = zig.objects / f"{sdist.name}-{target}"
            objects = make_objects(folder / "objects" if bare or config.build.fresh else kept)
            wrapper = None if bare else find_exe_wrapper(target, [sysroot.root] if sysroot else [], host, folder)
            made = configure(
                toolchain, zig, objects, target, description, sysroot, python, wrapper, debug=config.build.debug_info
            )
            (packages,) = python.parent.parent.glob("lib/python*/site-packages")
            requirements = TargetRequirements(
                python.parent.parent, packages, made.requirements, target, host.index, services.facts.once
            )
            starts = [IMPERSONATE, SIDE_BY_SIDE, note_uncompiled(folder / UNCOMPILED)]
            if made.target_python.exists():
                starts.append(start_over(str(made.target_python), target.ext_suffix))
            install_startup(packages, *starts)
            environ = {
                **host.build_environ,
                **private_environ(folder),
                **environ_of(made, sysroot),
                **cargo_environ(target, made.bin),
                **(wrapper.environ if wrapper else {}),
                **pyo3_environ(target, description, toolchain / "pyo3"),
                **parallel_environ(job.processors or host.cpus),
                "CROSSWHEEL_TARGET": str(description.path),
                **config.build.environment,
            }
            crates: tuple[Path, ...] = ()
            if sdist.needs_of("rust"):
                place = folder / "cargo" if bare or config.build.fresh else cargos_of(host.cache) / sdist.name
                below = (*self.toolchain.values(), _identity(sysroot, services.facts))
                user = user_cargo_home(host.environ)
                cargo = open_cargo_cache(place, str(target), user, environ, below)
                environ, crates = {**cargo.environ(folder), **environ}, (cargo.folder, *vendored_by(user))
            environ = _with_programs(environ, made.bin, python.parent)
            shown = (*crates, *([sysroot.root] if sysroot else []))
            with changes_of(objects, folder / "runtimes") as changes:
                yield HostWorkspace(
                    host=host,
                    root=folder,
                    python=python,
                    log=log,
                    deadline=deadline,
                    environ=environ,
                    meson_options=(f"--cross-file={made.meson}",),
                    tripwire=mark,
                    hooks=packages / HOOKS,
                    compiles=compiles_of(toolchain),
                    kept=(zig.cache, objects, *crates[:1]),
                    requirements=None if bare else requirements,
                    sandbox=_sandbox(host, folder, python, environ, zig, Layer(zig.cache, changes), wrapper, shown),
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sysroot(target: Target, config: Config, facts: Facts) -> Sysroot | None:
    """The folder that the user names for the architecture, or else the target's image, if the cache has it."""
    if folder := config.build.sysroot(target.arch):
        return Sysroot(folder)
    image = facts.sysroot_image(target, config)
    return sysroot_of(image) if image else None


def _sandbox(
    host: LocalHost,
    folder: Path,
    python: Path,
    environ: Mapping[str, str],
    zig: Zig,
    runtimes: Layer,
    wrapper: ExeWrapper | None,
    shown: Iterable[Path],
) -> Sandbox | None:
    """What hooks see, also `shown`; other projects' builds see none of the runtimes that they add to Zig's."""
    programs = (zig.program.parent, zig.library, *([zig.ccache] if zig.ccache else []))
    sandbox = host.sandbox(folder, python, environ, *programs, *(wrapper.files if wrapper else ()), *shown)
    if sandbox is None:
        return None
    own = () if host.allowed.overlay or not zig.cache.is_dir() else (runtimes,)
    return replace(
        sandbox,
        layers=(*sandbox.layers, *own),
        emulators=wrapper.entries if wrapper and not host.allowed.binfmt else (),
    )


def _identity(sysroot: Sysroot | None, facts: Facts) -> str:
    """A text that changes when the sysroot does."""
    return (sysroot.identity or facts.listing(sysroot.root)) if sysroot else ""


def _made_and_described(
    job: Job,
    sysroot: Sysroot | None,
    compilers: Mapping[str, str],
    host: LocalHost,
    folder: Path,
    log: Path,
    deadline: float,
) -> tuple[Path, Description]:
    """The interpreter of a new build environment, and what the target's CPython says of itself; made side by side."""
    assert job.interpreter is not None  # noqa: S101 - the plan has no job without one
    with ThreadPoolExecutor(max_workers=1) as pool:
        # Another process compiles meanwhile; this one copies headers.
        making = pool.submit(host.make_environment, job.interpreter.path, folder / "environment", log, deadline)
        description = describe(
            job.target,
            job.interpreter,
            sysroot.root if sysroot else None,
            compilers,
            folder / "python",
            host.processes,
            host.build_environ,
            answers_in(host.cache),
        )
        return making.result(), description


def _with_programs(environ: Mapping[str, str], *folders: Path) -> dict[str, str]:
    """The variables with these folders first in PATH."""
    path = (*map(str, folders), environ.get("PATH", "/usr/bin:/bin"))
    return {**environ, "PATH": ":".join(path)}


def _refusal(target: Target, interpreter: Interpreter, config: Config, facts: Facts) -> str:
    if config.build.before_all or config.build.before_build:
        return "before-all and before-build only run in containers"
    sysroot = _sysroot(target, config, facts)
    real = find_real(target, sysroot.root if sysroot else None)
    if real is None and not derivable():
        remedy = f"crosswheel pull --unpacked, or name a folder with it as sysroot.{target.arch} in [tool.crosswheel]"
        return f"the target's CPython cannot be derived from that of a {platform.machine()} machine; {remedy}"
    if (target.policy.libc, target.policy.minor) == ("musl", 1):
        return "Zig's musl is 1.2, which is newer than musllinux_1_1; use --policy musllinux_1_2"
    if real is None and not interpreter.headers:
        return f"{interpreter.path} has no headers; install python3-dev, or uv python install {target.python.version}"
    return ""


_COMPILERS = {"CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib"}


def _tripwire(folder: Path, mark: Path) -> Zig:
    """A fake compiler that only records that it was called."""
    program = folder / "tripwire"
    program.write_text(f'#!/bin/sh\n: > "{mark}"\necho "no compiler here yet" >&2\nexit 1\n')
    program.chmod(0o755)
    # It has no runtimes, so there are none whose changes would go to a layer.
    return Zig(program=program, library=folder, driver=program, cache=folder / "none", objects=folder, ccache=None)
