"""Tests of wheels where containers are forbidden: the image's interpreter under QEMU, in the folder of its files.

QEMU finds libraries and files of the target below that folder (its option -L). The target's interpreter runs as
`python` and `sys.executable`; other programs of the target do not run.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crosswheel.containers import binfmt
from crosswheel.containers.emulation import CPU, Ending, Running, best_way, program
from crosswheel.containers.opt_python import read_pythons
from crosswheel.engines.facts import Facts, reference_of
from crosswheel.engines.network import network_of
from crosswheel.engines.workspace import private_environ, write_constraints
from crosswheel.errors import CrosswheelError
from crosswheel.images.store import UnpackedImage, find_unpacked
from crosswheel.model.config import Config
from crosswheel.model.targets import Architecture, Target
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import CommandFailed
from crosswheel.system.scratch import temporary_folder

HOW = "under QEMU with the image's files, without a container"

_EXECUTABLE = "CROSSWHEEL_PYTHON"
_STARTUP = f"import os, sys\nsys.executable = os.environ[{_EXECUTABLE!r}]\n"
_PATIENCE = 10.0  # seconds for a program of three instructions
_NAMES = ("python", "python3")
_FROM_IMAGE = ("LD_LIBRARY_PATH", "LANG", "LC_ALL")


@dataclass(frozen=True)
class QemuTest:
    """An image's interpreter for tests; `python` is its path in the folder, `running` has QEMU's processor."""

    host: LocalHost
    emulator: Path
    image: UnpackedImage
    python: Path
    running: Running
    network: Mapping[str, str]

    def run(
        self,
        folder: Path,
        requirements: Sequence[str],
        command: Sequence[str],
        log: Path,
        deadline: float,
        constraints: Sequence[str] = (),
    ) -> None:
        """Install requirements in `folder`, a new one, and run a command of this machine that calls `python`.

        `constraints` are lines of a constraints file.
        Raises CommandFailed, TimeLimit, Stopped.
        """
        folder.mkdir(parents=True)
        packages, programs, empty = folder / "packages", folder / "bin", folder / "empty"
        for place in (packages, programs, empty):
            place.mkdir()
        (packages / "sitecustomize.py").write_text(_STARTUP)
        for name in (*_NAMES, self.python.name):
            self._write_program(programs / name)
        # uv asks the interpreter which wheels it takes.
        limits = write_constraints(folder, constraints)
        self.host.install(requirements, programs / "python", log, deadline, into=packages, constraints=limits)
        self.host.processes.run(
            command,
            env=self._environ(folder),
            cwd=empty,
            log=log,
            deadline=deadline,
            confinement=self.host.confinement(folder),
        )

    def _write_program(self, path: Path) -> None:
        """A program of this machine that starts the interpreter."""
        given = {name: value for name, value in self.image.environ.items() if name in _FROM_IMAGE}
        words = [str(self.emulator), "-L", str(self.image.root)]
        words += [word for name, value in given.items() for word in ("-E", f"{name}={value}")]
        # The image's folder is never written to.
        words += [str(self.python), "-X", f"pycache_prefix={path.parent.parent / 'bytecode'}"]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        path.chmod(0o755)

    def _environ(self, folder: Path) -> dict[str, str]:
        environ = {**self.host.build_environ, **self.network, **private_environ(folder), **self.running.environ}
        return {
            **environ,
            "PATH": f"{folder / 'bin'}:{environ.get('PATH', '/usr/bin:/bin')}",
            "PYTHONPATH": str(folder / "packages"),
            _EXECUTABLE: str(folder / "bin" / "python"),
        }


def find_qemu_test(target: Target, config: Config, facts: Facts) -> QemuTest | str:
    """The test for a target, if this machine has QEMU and the unpacked image; else the reason why there is none."""
    return facts.once.answer(("qemu-test", target), lambda: _find(target, config, facts))


def _find(target: Target, config: Config, facts: Facts) -> QemuTest | str:
    if config.test.images:
        return "other images need containers"
    test = config.test
    if test.before or test.sources or test.has_arguments or (config.mode and config.mode.test_environment):
        return "before-test, test-sources and options in test-requires need containers"
    try:
        image = find_unpacked(facts.host.cache, reference_of(target, config), target.arch)
    except CrosswheelError as error:
        return error.message
    if image is None:
        return f"{reference_of(target, config)} is not unpacked"
    return _in(image, target, facts)


def _in(image: UnpackedImage, target: Target, facts: Facts) -> QemuTest | str:
    interpreter = read_pythons(image.root).get(target.python)
    if interpreter is None:
        return f"{image.reference} has no {target.python}"
    emulator = binfmt.find_emulator(target.arch, facts.host.environ)
    if emulator is None:
        return f"this machine has no {binfmt.emulator_name(target.arch)}"
    running = _running(target.arch, emulator, facts.host)
    if isinstance(running, str):
        return running
    python = (image.root / interpreter.path.relative_to("/")).resolve()
    return QemuTest(facts.host, emulator, image, python, running, network_of(facts.host).environ)


def _running(arch: Architecture, emulator: Path, host: LocalHost) -> Running | str:
    with temporary_folder() as folder:
        path = folder / "program"
        path.write_bytes(program(arch))
        path.chmod(0o700)

        def ask(cpu: str) -> Ending:
            environ, deadline = {CPU: cpu} if cpu else {}, time.monotonic() + _PATIENCE
            try:
                host.processes.run([str(emulator), str(path)], env=environ, deadline=deadline)
            except CommandFailed as error:
                return Ending(error.returncode, error.output)
            return Ending(0, "")

        return best_way(arch, ask)
