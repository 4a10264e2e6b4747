"""Zig from the package index, as a C and C++ compiler for every target.

Fetched once per machine into the user's cache, checked by hash. The driver zigcc is compiled by it once, and the
target's libc and libc++ once per target: later runs start at once.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from crosswheel.errors import IndexUnreachable, MissingTool
from crosswheel.index import Index
from crosswheel.model import Listener, Note, chore
from crosswheel.process import CommandFailed, Processes
from crosswheel.targets import Target, load_table

# Compiling these makes Zig build what every job of a target needs first: start files, libc's stubs, runtimes, libc++.
_SAMPLES = {
    "libc": '#include <math.h>\n#include <stdio.h>\nint sample(double x) { return printf("%f", sin(x)); }\n',
    "libc++": "#include <iostream>\n#include <stdexcept>\n"
    'int sample(int n) { if (n > 9) throw std::runtime_error(""); std::cout << n; return n; }\n',
}


@dataclass(frozen=True)
class Zig:
    """An unpacked Zig of this machine, with our driver beside it and the cache of what it compiles."""

    program: Path
    driver: Path
    cache: Path


def zig_target(target: Target) -> str:
    """``aarch64-linux-gnu.2.17`` or ``aarch64-linux-musl``: the libc is the oldest that the policy promises."""
    policy = target.policy.provable
    if policy.libc == "musl":
        return target.arch.zig.replace("-gnu", "-musl")
    return f"{target.arch.zig}.{policy.major}.{max(policy.minor, target.arch.oldest_zig_glibc)}"


def build_target() -> str:
    """The machine that this runs on, in Zig's words."""
    machine = platform.machine()
    libc = "musl" if platform.libc_ver()[0] != "glibc" else "gnu"
    return f"{machine}-linux-{libc}" + (".2.17" if libc == "gnu" else "")


def ensure_zig(index: Index, cache: Path, processes: Processes, listener: Listener) -> Zig:
    """The pinned Zig, fetched and unpacked if this machine has not got it yet."""
    pin = load_table("toolchains.toml")["zig"]
    root = cache / "zig" / pin["version"]
    zig = Zig(
        program=root / "ziglang" / "zig",
        driver=root / f"zigcc-{_driver_version()}",
        cache=cache / "zig" / f"{pin['version']}-objects",
    )
    with _locked(cache / "zig.lock"):
        if not zig.program.is_file():
            _unpack(_fetch(index, pin, listener), root)
        zig.cache.mkdir(parents=True, exist_ok=True)
        if not zig.driver.is_file():
            _compile_driver(zig, processes, listener)
    return zig


def warm_up(zig: Zig, target: Target, *, cxx: bool, processes: Processes, listener: Listener) -> None:
    """Build the target's libc, and libc++ where `cxx`, before any job needs them: once per machine and target."""
    triple = zig_target(target)
    with _locked(zig.cache / f".{triple}.lock"):
        for library in _SAMPLES if cxx else ("libc",):
            mark = zig.cache / f".{triple}-{library}"
            if not mark.exists():
                with chore(f"building {library} for {triple}, once per machine", listener):
                    _compile_sample(zig, triple, library, processes)
                mark.touch()


def _fetch(index: Index, pin: dict[str, object], listener: Listener) -> Path:
    machine = platform.machine()
    hashes = pin["sha256"]
    if not isinstance(hashes, dict) or machine not in hashes:
        raise MissingTool(
            f"there is no Zig for {machine} machines on the package index", hint="build on another machine"
        )
    sha256 = hashes[machine]
    project, version = str(pin["project"]), str(pin["version"])
    for kept in index.kept(f"{project}-{version}-*.whl"):
        if kept.parent.name == sha256:
            return kept
    try:
        files = index.files_of(project)
    except IndexUnreachable as error:
        raise MissingTool(f"the cross engine needs Zig {version}, once: {error.message}", hint=error.hint) from error
    for package in files:
        if package.version == version and (package.digests or {}).get("sha256") == sha256:
            listener(Note(f"fetching Zig {version}, about 100 MB: once per machine"))
            return index.fetch(package, sha256)
    raise MissingTool(
        f"the index has no {project} {version} for {machine} with the pinned sha256 {sha256[:12]}...",
        hint="check that your index mirrors all files of ziglang (pip config list)",
    )


def _unpack(wheel: Path, root: Path) -> None:
    """Unpack beside the final folder, then move: a run that dies half way leaves nothing that looks finished."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".unpacking-") as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)  # ZipFile strips absolute and parent parts of names itself
        program = Path(folder, "ziglang", "zig")
        program.chmod(0o755)
        shutil.rmtree(root, ignore_errors=True)
        Path(folder).rename(root)
        Path(folder).mkdir()


def _zig_environ(zig: Zig) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": str(zig.cache),
        "ZIG_GLOBAL_CACHE_DIR": str(zig.cache),
        "ZIG_LOCAL_CACHE_DIR": str(zig.cache),
    }


def _driver_version() -> str:
    """Its source's own: the cache outlives upgrades, and another release's driver must not serve this one."""
    return hashlib.sha256(resources.files("crosswheel.toolchains").joinpath("zigcc.c").read_bytes()).hexdigest()[:12]


def _compile_driver(zig: Zig, processes: Processes, listener: Listener) -> None:
    source = resources.files("crosswheel.toolchains").joinpath("zigcc.c")
    with resources.as_file(source) as path, tempfile.TemporaryDirectory(dir=zig.driver.parent) as folder:
        built = Path(folder, "zigcc")
        flags = ["-target", build_target(), "-O2", "-s", "-fno-sanitize=undefined"]
        with chore("compiling the compiler driver, once per machine", listener):
            _zig_cc(zig, "cc", [*flags, str(path), "-o", str(built)], processes)
        built.replace(zig.driver)


def _compile_sample(zig: Zig, triple: str, library: str, processes: Processes) -> None:
    mode, ending = ("cc", "c") if library == "libc" else ("c++", "cc")
    with tempfile.TemporaryDirectory(dir=zig.cache) as folder:
        source = Path(folder, f"sample.{ending}")
        source.write_text(_SAMPLES[library])
        # Zig keeps a runtime per flag: ask for what zigcc will ask for.
        flags = ["-target", triple, "-fno-sanitize=undefined", "-g0", "-O3", "-fPIC", "-shared", "-s"]
        _zig_cc(zig, mode, [*flags, str(source), "-o", f"{folder}/sample.so"], processes)


def _zig_cc(zig: Zig, mode: str, arguments: list[str], processes: Processes) -> None:
    try:
        processes.run([str(zig.program), mode, *arguments], env=_zig_environ(zig))
    except CommandFailed as error:
        raise MissingTool(
            f"Zig cannot compile a sample program: {error.output.strip() or error.message}",
            hint=f"rm -r {zig.cache} and run the same command again",
        ) from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the others wait for its work and find it done."""
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path):
        yield
