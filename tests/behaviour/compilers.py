"""The compilers whose code is asked: Debian's gcc for the architecture, and cross with and without an image."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from behaviour.machines import Machine
from crosswheel.images.store import UnpackedImage
from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag, Target, oldest_policy, parse_architecture, parse_platform
from crosswheel.system.local_host import local_host
from crosswheel.toolchains.configuration import configure
from crosswheel.toolchains.description import Description
from crosswheel.toolchains.sysroot import Sysroot, sysroot_of
from crosswheel.toolchains.zig import ensure_zig, make_objects, warm_up
from debian import DebianUnavailable, unpacked

if TYPE_CHECKING:
    from behaviour.musl_machine import MuslMachine

SOURCES = Path(__file__).with_name("facts")

IEEE = "ieee image"
"""The runtime of images whose gcc has IEEE's long double on POWER, as RHEL's; Debian's has it by a flag."""

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
    libraries: Sequence[str] = ("-lpthread", "-ldl", "-lm", "-latomic")

    def make(self, sources: Iterable[Path], folder: Path, headers: Path, flags: Sequence[str] = ()) -> None:
        """An extension of each source in the folder, made by a compile and a link, as setuptools does it."""
        words = [*_FLAGS, *flags, f"-I{headers}"]

        def one(source: Path) -> None:
            command = self.commands[source.suffix]
            made = folder / source.stem
            self.run([command, *self.compiling, *words, "-c", str(source), "-o", f"{made}.o"], folder)
            linking = [*self.linking, *self.libraries]
            self.run([command, "-shared", *flags, f"{made}.o", *linking, "-o", f"{made}.so"], folder)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(one, sources))

    def run(self, command: Sequence[str], folder: Path) -> None:
        """Run a command in the folder; it is an error if it fails."""
        environ = {"PATH": os.defpath, "HOME": str(folder), **self.environ}
        done = subprocess.run(
            command, cwd=folder, env=environ, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


def gcc(machine: Machine, root: Path, cache: Path, runtime: str = "image") -> Compiler:
    """Debian's gcc for the architecture, which runs on this machine, with the files of `root`; skips without it."""
    tools = cross_tools(machine.triple, cache)
    (libraries,) = (path.parent for path in root.glob("usr/lib/*/libc.so"))
    programs = tools / "usr" / "bin"
    words = [f"--sysroot={root}", *(["-mabi=ieeelongdouble"] if runtime == IEEE else [])]
    return Compiler(
        {".c": f"{programs}/{machine.triple}-gcc", ".cpp": f"{programs}/{machine.triple}-g++"},
        compiling=words,
        # Before the folder of the compiler's own libc.so, which names absolute paths.
        linking=[*words, f"-L{libraries}"],
        environ=tools_environ(tools),
    )


def cross_tools(triple: str, cache: Path) -> Path:
    """The folder of Debian's cross compilers for an architecture, which run on this machine; skips without them."""
    if platform.machine() != "x86_64":
        pytest.skip("Debian's cross compilers are taken from its packages for x86_64")
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get is not installed")
    try:
        # On an x86_64 Debian, that of its own architecture has no triple in its name.
        package = "g++" if triple == "x86_64-linux-gnu" else f"g++-{triple}"
        return unpacked("amd64", (package,), _GCC_SUITE, cache)
    except DebianUnavailable as error:
        pytest.skip(f"no cross compilers: {error}")


def tools_environ(tools: Path) -> Mapping[str, str]:
    """The libraries that the cross compilers load."""
    return {"LD_LIBRARY_PATH": str(tools / "usr" / "lib" / "x86_64-linux-gnu")}


def cross(machine: Machine | MuslMachine, root: Path, folder: Path, runtime: str) -> Compiler:
    """Compilers of the engine cross, in a new folder: against the files of an image, or with Zig's own runtime."""
    with_image = runtime not in {"zig", "musl"}
    host = local_host(offline=False, listener=deaf)
    zig = ensure_zig(host.index, host.cache, host.processes, deaf)
    architecture = parse_architecture(machine.arch)
    policy = oldest_policy(architecture) if runtime == "zig" else parse_platform(machine.platform)[0]
    target = Target(PythonTag(machine.minor), architecture, policy)
    if not with_image:
        warm_up(zig, target, cxx=False, processes=host.processes, listener=deaf)
    made = configure(
        folder / "toolchain",
        zig,
        make_objects(folder / "objects"),
        target,
        Description(folder / "target.json", folder / "include", ()),
        _image(machine, root, runtime) if with_image else None,
        folder / "bin" / "python",
        None,
        debug=False,
    )
    return Compiler({".c": made.program("cc"), ".cpp": made.program("c++")})


def _image(machine: Machine | MuslMachine, root: Path, runtime: str) -> Sysroot:
    architecture = parse_architecture(machine.arch)
    paths = {"PATH": "/usr/bin:/bin"}
    found = sysroot_of(UnpackedImage("facts:1", f"sha256:{machine.arch}", architecture, root, paths, ()))
    assert found.gcc
    assert not found.gcc.ieee_long_double
    return replace(found, gcc=replace(found.gcc, ieee_long_double=runtime == IEEE))
