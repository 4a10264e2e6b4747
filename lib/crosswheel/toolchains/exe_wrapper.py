"""Runs programs of the target on this machine during a cross build: by its processor, or by a QEMU for one program.

Build systems start programs that they have just compiled: tests of the C library, code generators, the target's
interpreter. Meson calls the program in front of these exe_wrapper, and CMake CMAKE_CROSSCOMPILING_EMULATOR. If the
kernel has an entry for QEMU (containers/binfmt.py), Makefiles and setup.py files can start them without it.
"""

from __future__ import annotations

import errno
import os
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.containers.binfmt import find_any_emulator, new_handler
from crosswheel.containers.emulation import Ending, Running, best_way, program
from crosswheel.errors import TimeLimit
from crosswheel.model.targets import Target, load_table
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import CommandFailed, Processes

_THIS_MACHINE = Path("/")
_PATIENCE = 10.0  # seconds for a program of three instructions


@dataclass(frozen=True)
class ExeWrapper:
    """The way in which programs of a target run here.

    `emulator` is QEMU, or None if the kernel starts them. `root` is the folder with the target's loader and
    libraries; if it is None, only static programs run. `directly`: the kernel starts them, with or without emulator.
    """

    running: Running
    emulator: Path | None
    root: Path | None
    directly: bool

    @property
    def files(self) -> tuple[Path, ...]:
        """What a build must see of it."""
        return tuple(path for path in (self.emulator, self.root) if path and path != _THIS_MACHINE)

    @property
    def entries(self) -> tuple[str, ...]:
        """The lines for a namespace's own binfmt_misc, by which its kernel starts the programs."""
        return (new_handler(self.running.arch, self.emulator).line,) if self.emulator else ()

    @property
    def environ(self) -> dict[str, str]:
        """The variables that QEMU reads (its manual, "QEMU User space emulator"); a processor needs none."""
        if self.running.natively:
            return {}
        root = {"QEMU_LD_PREFIX": str(self.root)} if self.root and self.root != _THIS_MACHINE else {}
        return {**root, **self.running.environ}

    def script(self, *words: str) -> str:
        """A program that runs a program of the target: `words` and its own arguments are that program and arguments."""
        variables = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.environ.items())
        command = shlex.join([*([str(self.emulator)] if self.emulator else []), *words])
        return f'#!/bin/sh\n{variables}exec {command} "$@"\n'


def find_exe_wrapper(target: Target, roots: Iterable[Path], host: LocalHost, folder: Path) -> ExeWrapper | None:
    """The way to run programs of `target`, or None; a test program is written into `folder`, and run.

    The libraries are from the first of `roots` that has them, or from this machine's packages for the architecture.
    A program for musl needs none, because Zig links it statically.
    """
    root = next((root for root in (*roots, *_packaged(target)) if has_loader(root, target)), None)
    if root is None and target.policy.libc != "musl":
        return None
    path = folder / f"exit-42-{target.arch}"
    path.write_bytes(program(target.arch))
    path.chmod(0o755)
    emulator = find_any_emulator(target.arch, host.environ)
    started = best_way(target.arch, _asking([str(path)], host.processes))
    if isinstance(started, Running):
        if started.natively and target.policy.libc != "musl" and not has_loader(_THIS_MACHINE, target):
            return None
        return ExeWrapper(started, None if started.natively else emulator, root, directly=True)
    if emulator is None:
        return None
    started = best_way(target.arch, _asking([str(emulator), str(path)], host.processes))
    if isinstance(started, Running):
        return ExeWrapper(started, emulator, root, directly=host.allowed.binfmt is None)
    return None


def has_loader(root: Path, target: Target) -> bool:
    """Whether a folder has the C library's dynamic loader, by which programs of the target start."""
    if target.policy.libc == "musl":
        return any(root.glob("lib/ld-musl-*.so.1"))
    loader: str = load_table("targets.toml")["arch"][target.arch.name]["loader"]
    return (root / loader.lstrip("/")).exists()


def _packaged(target: Target) -> tuple[Path, ...]:
    """Where distributions have another architecture's libraries: for cross-compilers, and side by side (multiarch)."""
    return Path("/usr") / target.multiarch, _THIS_MACHINE


def _asking(command: list[str], processes: Processes) -> Callable[[str], Ending]:
    def ask(cpu: str) -> Ending:
        environ: Mapping[str, str] = {"QEMU_CPU": cpu} if cpu else {}
        try:
            processes.run(command, env=environ, deadline=time.monotonic() + _PATIENCE)
        except CommandFailed as error:
            return Ending(error.returncode, error.output)
        except TimeLimit as error:
            return Ending(None, error.message)
        except OSError as error:
            if error.errno == errno.ETXTBSY:
                # Another thread has started a process while the program was still open for writing.
                return ask(cpu)
            return Ending(None, os.strerror(error.errno or 0).lower())
        return Ending(0, "")

    return ask
