"""The compilers whose code is asked: Debian's gcc for the architecture, and cross with and without an image."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from behaviour.machines import MACHINES, Machine
from crosswheel.images.store import UnpackedImage
from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag, Target, oldest_policy, parse_architecture, parse_platform
from crosswheel.system.local_host import local_host
from crosswheel.toolchains.configuration import configure
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.sysroot import Sysroot, sysroot_of
from crosswheel.toolchains.zig import ensure_zig, make_objects
from debian import DebianUnavailable, unpacked

SOURCES = Path(__file__).with_name("facts")

# What setuptools has from CPython 3.11's own Makefile, and -w, because warnings are no facts.
_FLAGS = ("-DNDEBUG", "-g", "-fwrapv", "-O3", "-fPIC", "-w")
# The order of Debian's suites; a gcc may be for this machine's own one only.
_GCC_SUITE = "bookworm"
_TIMEOUT = 1800


@dataclass(frozen=True)
class Compiler:
    """The commands by language, and words that both add to a compile and to a link."""

    commands: Mapping[str, str]
    compiling: Sequence[str] = ()
    linking: Sequence[str] = ()
    environ: Mapping[str, str] = field(default_factory=dict)

    def make(self, sources: Iterable[Path], folder: Path, headers: Path, flags: Sequence[str] = ()) -> None:
        """An extension of each source in the folder, made by a compile and a link, as setuptools does it."""
        words = [*_FLAGS, *flags, f"-I{headers}"]

        def one(source: Path) -> None:
            command = self.commands[source.suffix]
            made = folder / source.stem
            self._run([command, *self.compiling, *words, "-c", str(source), "-o", f"{made}.o"], folder)
            ends = ["-lpthread", "-ldl", "-lm", "-latomic"]
            self._run([command, "-shared", *flags, f"{made}.o", *self.linking, *ends, "-o", f"{made}.so"], folder)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(one, sources))

    def _run(self, command: Sequence[str], folder: Path) -> None:
        environ = {"PATH": os.defpath, "HOME": str(folder), **self.environ}
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def gcc(machine: Machine, root: Path, cache: Path) -> Compiler:
    """Debian's gcc for the architecture, which runs on this machine, with the files of `root`; skips without it."""
    if platform.machine() != "x86_64":
        pytest.skip("Debian's cross compilers are taken from its packages for x86_64")
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not installed")
    try:
        tools = unpacked("amd64", tuple(each.cross_gcc for each in MACHINES), _GCC_SUITE, cache)
    except DebianUnavailable as error:
        pytest.skip(f"no gcc for {machine.arch}: {error}")
    (libraries,) = (path.parent for path in root.glob("usr/lib/*/libc.so"))
    programs = tools / "usr" / "bin"
    return Compiler(
        {".c": f"{programs}/{machine.triple}-gcc", ".cpp": f"{programs}/{machine.triple}-g++"},
        compiling=[f"--sysroot={root}"],
        # Before the folder of the compiler's own libc.so, which names absolute paths.
        linking=[f"--sysroot={root}", f"-L{libraries}"],
        environ={"LD_LIBRARY_PATH": str(tools / "usr" / "lib" / "x86_64-linux-gnu")},
    )


def cross(machine: Machine, root: Path, folder: Path, *, with_image: bool) -> Compiler:
    """Compilers of the engine cross, in a new folder: against the files of an image, or with Zig's own runtime."""
    host = local_host(offline=False, listener=deaf)
    zig = ensure_zig(host.index, host.cache, host.processes, deaf)
    architecture = parse_architecture(machine.arch)
    policy = parse_platform(machine.platform)[0] if with_image else oldest_policy(architecture)
    made = configure(
        folder / "toolchain",
        zig,
        make_objects(folder / "objects"),
        Target(PythonTag(machine.minor), architecture, policy),
        Description(folder / "target.json", folder / "include", ()),
        _image(machine, root) if with_image else None,
        folder / "bin" / "python",
        None,
        debug=False,
    )
    return Compiler({".c": made.program("cc"), ".cpp": made.program("c++")})


def _image(machine: Machine, root: Path) -> Sysroot:
    architecture = parse_architecture(machine.arch)
    paths = {"PATH": "/usr/bin:/bin"}
    return sysroot_of(UnpackedImage("facts:1", f"sha256:{machine.arch}", architecture, root, paths, ()))
