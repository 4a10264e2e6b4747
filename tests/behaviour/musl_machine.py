"""Facts of code for musl: Debian has its headers and libraries, and no CPython, so a small program asks the modules."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from behaviour.compilers import Compiler, cross_tools, tools_environ
from behaviour.machines import Facts
from crosswheel.model.targets import load_table
from debian import DebianUnavailable, unpacked

SOURCES = Path(__file__).with_name("musl")
_TIMEOUT = 300


@dataclass(frozen=True)
class MuslMachine:
    """`debian`, `triple` and `musl` are Debian's names of the architecture, of its gcc and of musl's folders."""

    arch: str
    debian: str
    triple: str
    musl: str
    loader: str
    suite: str = "bookworm"
    minor: int = 11

    @property
    def platform(self) -> str:
        return f"musllinux_1_2_{self.arch}"

    def root(self, cache: Path) -> Path:
        """The folder of its files; skips if this machine cannot have them."""
        try:
            return unpacked(self.debian, ("musl-dev",), self.suite, cache)
        except DebianUnavailable as error:
            pytest.skip(f"no musl for {self.arch}: {error}")

    def gcc(self, root: Path, cache: Path) -> Compiler:
        """Debian's gcc with the words of musl-gcc; its libatomic and its start files are for glibc."""
        tools = cross_tools(self.triple, cache)
        program = str(tools / "usr" / "bin" / f"{self.triple}-gcc")
        (own,) = (tools / "usr" / "lib").glob(f"gcc*/{self.triple}/*/include")
        outline = ["-mno-outline-atomics"] if self.arch == "aarch64" else []
        return Compiler(
            {".c": program},
            compiling=["-nostdinc", f"-isystem{root}/usr/include/{self.musl}", f"-isystem{own}", *outline],
            linking=["-nostdlib", f"-L{self._libraries(root)}"],
            environ=tools_environ(tools),
            libraries=["-lc", "-lgcc"],
        )

    def ask(self, compiler: Compiler, root: Path, folder: Path, modules: Sequence[str]) -> Facts:
        """The facts of the modules in a folder; the program that asks is made by gcc, the `compiler`."""
        emulator = shutil.which(f"qemu-{load_table('targets.toml')['arch'][self.arch]['qemu']}-static")
        if emulator is None:
            pytest.skip(f"no QEMU for {self.arch} is installed")
        program = self._make_program(compiler, root, folder)
        done = subprocess.run(
            [emulator, "-L", str(root), str(program), str(folder), *modules],
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{self.arch}: exit code {done.returncode}\n{done.stderr}"
        return {name: value for line in done.stdout.splitlines() for name, value in json.loads(line).items()}

    def _make_program(self, compiler: Compiler, root: Path, folder: Path) -> Path:
        libraries, made = self._libraries(root), folder / "tell"
        command = [
            compiler.commands[".c"],
            *compiler.compiling,
            "-w",
            "-fPIE",
            "-pie",
            "-rdynamic",
            f"-Wl,--dynamic-linker=/lib/{self.loader}",
            f"{libraries}/Scrt1.o",
            f"{libraries}/crti.o",
            str(SOURCES / "tell.c"),
            *compiler.linking,
            *compiler.libraries,
            f"{libraries}/crtn.o",
            "-o",
            str(made),
        ]
        compiler.run(command, folder)
        return made

    def _libraries(self, root: Path) -> Path:
        return root / "usr" / "lib" / self.musl


MUSL_MACHINES = (
    MuslMachine("aarch64", "arm64", "aarch64-linux-gnu", "aarch64-linux-musl", "ld-musl-aarch64.so.1"),
    MuslMachine("armv7l", "armhf", "arm-linux-gnueabihf", "arm-linux-musleabihf", "ld-musl-armhf.so.1"),
    MuslMachine("s390x", "s390x", "s390x-linux-gnu", "s390x-linux-musl", "ld-musl-s390x.so.1"),
    MuslMachine("x86_64", "amd64", "x86_64-linux-gnu", "x86_64-linux-musl", "ld-musl-x86_64.so.1"),
)
