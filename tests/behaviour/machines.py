"""The architectures that facts are asked on: a root of Debian packages each, with a CPython and a gcc, run by QEMU."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crosswheel.model.targets import load_table
from debian import DebianUnavailable, unpacked

# A fact by "module: name".
Facts = Mapping[str, Any]

# What is printed before a crash tells which module crashed.
_ASKS = """
import importlib, json, sys
for name in sys.argv[1:]:
    print(name, file=sys.stderr, flush=True)
    facts = importlib.import_module(name).facts()
    print(json.dumps({f"{name}: {fact}": value for fact, value in facts.items()}, default=repr), flush=True)
"""

# Without signed pointers, which QEMU takes ten times as long for.
_PROCESSORS = {"aarch64": "cortex-a57"}

# Architectures that an x86_64 runs without QEMU, by the loader and the folder of libraries.
_NATIVE = {"i686": ("ld-linux.so.2", "i386-linux-gnu"), "x86_64": ("ld-linux-x86-64.so.2", "x86_64-linux-gnu")}

_TIMEOUT = 300


@dataclass(frozen=True)
class Machine:
    """`debian` and `triple` are Debian's names of the architecture and of its gcc; `platform` has the suite's glibc."""

    arch: str
    debian: str
    triple: str
    suite: str
    platform: str
    minor: int

    def root(self, cache: Path) -> Path:
        """The folder of its files; skips if this machine cannot have them."""
        packages = ("g++", f"python3.{self.minor}", f"libpython3.{self.minor}-dev")
        try:
            return unpacked(self.debian, packages, self.suite, cache)
        except DebianUnavailable as error:
            pytest.skip(f"no files for {self.arch}: {error}")

    def headers(self, root: Path, folder: Path) -> Path:
        """A new folder with CPython's headers, pyconfig.h of the architecture among them."""
        name = f"python3.{self.minor}"
        shutil.copytree(root / "usr" / "include" / name, folder, symlinks=False)
        (real,) = (root / "usr" / "include").glob(f"*/{name}/pyconfig.h")
        shutil.copyfile(real, folder / "pyconfig.h")
        return folder

    def ask(self, root: Path, folder: Path, modules: Sequence[str]) -> Facts:
        """The facts of the modules in a folder."""
        environ = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(folder), "TZ": "UTC"}
        environ["PYTHONHOME"] = str(root / "usr")
        if self.arch in _PROCESSORS:
            environ["QEMU_CPU"] = _PROCESSORS[self.arch]
        command = [*(self._natively(root) or self._emulated(root)), "-S", "-s", "-c", _ASKS, *modules]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
        assert done.returncode == 0, f"{self.arch}: exit code {done.returncode}\n{done.stderr}"
        return {name: value for line in done.stdout.splitlines() for name, value in json.loads(line).items()}

    def _python(self, root: Path) -> str:
        return str(root / "usr" / "bin" / f"python3.{self.minor}")

    def _natively(self, root: Path) -> list[str] | None:
        """The command of its CPython on this machine's own processor; None where that is another one.

        QEMU 7.2 crashes in most runs in which a program of i686 starts threads late (what gcc made as well as what
        clang made), and an x86_64 processor does not need it.
        """
        if self.arch not in _NATIVE or platform.machine() != "x86_64":
            return None
        loader, folder = _NATIVE[self.arch]
        libraries = root / "usr" / "lib" / folder
        command = [str(libraries / loader), "--library-path", str(libraries)]
        try:
            subprocess.run([*command, "--version"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None  # a kernel without IA32 emulation
        return [*command, self._python(root)]

    def _emulated(self, root: Path) -> list[str]:
        emulator = f"qemu-{load_table('targets.toml')['arch'][self.arch]['qemu']}-static"
        program = shutil.which(emulator)
        if program is None:
            pytest.skip(f"{emulator} is not installed")
        return [program, "-L", str(root), self._python(root)]


MACHINES = (
    Machine("aarch64", "arm64", "aarch64-linux-gnu", "bookworm", "manylinux_2_36_aarch64", 11),
    Machine("armv7l", "armhf", "arm-linux-gnueabihf", "bookworm", "manylinux_2_36_armv7l", 11),
    Machine("i686", "i386", "i686-linux-gnu", "bookworm", "manylinux_2_36_i686", 11),
    Machine("ppc64le", "ppc64el", "powerpc64le-linux-gnu", "bookworm", "manylinux_2_36_ppc64le", 11),
    Machine("s390x", "s390x", "s390x-linux-gnu", "bookworm", "manylinux_2_36_s390x", 11),
    Machine("x86_64", "amd64", "x86_64-linux-gnu", "bookworm", "manylinux_2_36_x86_64", 11),
    # Debian has this architecture since trixie.
    Machine("riscv64", "riscv64", "riscv64-linux-gnu", "trixie", "manylinux_2_41_riscv64", 13),
)
