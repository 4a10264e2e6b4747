"""The engine `cross`: cross-compiles on this machine with Zig, without container, emulation and root.

Build requirements are installed for this machine and run at its speed; the backend's hooks see the target's
sysconfig, compilers and build-system files.
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crosswheel.engines.cross_environment import make_environment
from crosswheel.engines.facts import Facts
from crosswheel.engines.needs import refuse_imports, refuse_programs
from crosswheel.engines.services import Services
from crosswheel.engines.target_requirements import RULE, TargetRequirements
from crosswheel.engines.workspace import HostWorkspace
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Note, Sdist, deaf
from crosswheel.model.targets import Target
from crosswheel.toolchains import zig_library
from crosswheel.toolchains.cargo_cache import cargos_of
from crosswheel.toolchains.configuration import compiles_of
from crosswheel.toolchains.description import derivable, find_real
from crosswheel.toolchains.pinned import version_of
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
        facts, host = services.facts, services.facts.host
        deadline = time.monotonic() + config.build.timeout
        folder.mkdir(parents=True)
        mark, fresh = folder / "asked-for-a-compiler", bare or config.build.fresh
        zig = _tripwire(folder, mark) if bare else ensure_zig(host.index, host.cache, host.processes, deaf)
        try:
            objects = make_objects(folder / "objects" if fresh else zig.objects / f"{sdist.name}-{job.target}")
            sysroot = _sysroot(job.target, config, facts)
            made = make_environment(
                job, host, sysroot, zig, objects, folder, log, deadline, runs=not bare, debug=config.build.debug_info
            )
            if not bare and not made.runs_target_python:
                refuse_imports(sdist.needs, job.target, sysroot.root if sysroot else None)
            if not bare and made.wrapper is None:
                refuse_programs(sdist.needs, job.target, sysroot.root if sysroot else None)
            environ = made.environ(config)
            crates: tuple[Path, ...] = ()
            if sdist.needs_of("rust"):
                place = folder / "cargo" if fresh else cargos_of(host.cache) / sdist.name
                environ, crates = made.with_cargo(environ, place, (*self.toolchain.values(), _identity(sysroot, facts)))
            environ, toolchain = made.with_programs(environ), made.toolchain
            requirements = TargetRequirements(
                made.root, made.packages, toolchain.requirements, job.target, host.index, facts.once
            )
            with changes_of(objects, folder / "runtimes") as changes:
                yield HostWorkspace(
                    host=host,
                    root=folder,
                    python=made.python,
                    log=log,
                    deadline=deadline,
                    environ=environ,
                    meson_options=(f"--cross-file={toolchain.meson}",),
                    tripwire=mark,
                    hooks=made.hooks,
                    compiles=compiles_of(toolchain.folder),
                    kept=(zig.cache, objects, *crates[:1]),
                    requirements=None if bare else requirements,
                    sandbox=made.sandbox(environ, changes, *crates),
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sysroot(target: Target, config: Config, facts: Facts) -> Sysroot | None:
    """The folder that the user names for the architecture, or else the target's image, if the cache has it."""
    if folder := config.build.sysroot(target.arch):
        return Sysroot(folder)
    image = facts.sysroot_image(target, config)
    return sysroot_of(image) if image else None


def _identity(sysroot: Sysroot | None, facts: Facts) -> str:
    """A text that changes when the sysroot does."""
    return (sysroot.identity or facts.listing(sysroot.root)) if sysroot else ""


def _refusal(target: Target, interpreter: Interpreter, config: Config, facts: Facts) -> str:
    if config.build.before_all or config.build.before_build:
        return "before-all and before-build only run in containers"
    if config.builds_in_containers:
        return "the project's configuration for cibuildwheel has values or commands that only a container can work out"
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


def _tripwire(folder: Path, mark: Path) -> Zig:
    """A fake compiler that only records that it was called."""
    program = folder / "tripwire"
    program.write_text(f'#!/bin/sh\n: > "{mark}"\necho "no compiler here yet" >&2\nexit 1\n')
    program.chmod(0o755)
    # It has no runtimes, so there are none whose changes would go to a layer.
    return Zig(program=program, library=folder, driver=program, cache=folder / "none", objects=folder, ccache=None)
