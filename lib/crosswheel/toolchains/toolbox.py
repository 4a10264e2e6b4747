"""A volume with native programs of the host of containers, mounted read-only by containers of every architecture.

They are static, so they run natively where everything else is emulated: uv installs, ccache caches objects, and Zig's
clang and lld compile and link. It is a volume, not a folder of this machine, because the engine may be remote.
"""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from crosswheel.containers.archives import anonymous
from crosswheel.containers.host import ContainerHost
from crosswheel.containers.images import Image
from crosswheel.containers.ownership import KIND
from crosswheel.errors import MissingTool
from crosswheel.model.job import Listener, Note, chore
from crosswheel.system.local_host import LocalHost
from crosswheel.system.locks import locked, mark_volume
from crosswheel.system.scratch import temporary_folder
from crosswheel.toolchains import zig_library
from crosswheel.toolchains.ccache import fetch_ccache
from crosswheel.toolchains.pinned import fetch_pinned, unpack_wheel, version_of
from crosswheel.toolchains.zig import compile_program, ensure_zig, source_version

MOUNT = PurePosixPath("/opt/crosswheel")
UV = str(MOUNT / "bin" / "uv")
# In a separate folder: build systems that find ccache in PATH use it in their own way.
CCACHE = str(MOUNT / "ccache" / "ccache")
# In PATH before the compilers that ccache shall run; after CLANG_BIN, whose driver starts ccache itself.
CCACHE_BIN = MOUNT / "ccache" / "bin"
# First in PATH, before the container's compilers and archivers, with their names.
CLANG_BIN = MOUNT / "clang" / "bin"
RESOURCES = MOUNT / "clang" / "resources"
# For images with a Fortran compiler: elsewhere it must not appear to exist.
FORTRAN_BIN = MOUNT / "clang" / "fortran"
CLANG_CONFIGURATION = PurePosixPath("/etc/crosswheel/clang")

_COMPILERS = ("cc", "c++", "gcc", "g++", "clang", "clang++", "ar", "ranlib")
# Names that every image has: a tool that the image lacks must not appear to exist.
_CACHED = ("cc", "c++", "gcc", "g++")
_COMPLETE = "complete"


@dataclass(frozen=True)
class Toolbox:
    """A filled volume, with or without `compilers`."""

    volume: str

    @property
    def volumes(self) -> dict[str, str]:
        return {self.volume: str(MOUNT)}


def ensure_toolbox(
    containers: ContainerHost, image: Image, host: LocalHost, listener: Listener, *, compilers: bool
) -> Toolbox:
    """The volume on the host of containers, filled if missing. `image` is any image there; nothing of it is run."""
    machine, volume = _machine(containers), volume_name(containers, compilers=compilers)
    what = f"putting {_kind(compilers=compilers)} of its own kind ({machine}) into a volume, once for all"

    def fill(file: IO[bytes]) -> None:
        with chore(what, listener):
            _write(file, host, machine, listener, compilers=compilers)

    mark_volume(volume, host.cache)
    with locked(host.cache / f"{volume}.lock", host.processes.look):
        containers.ensure_volume(volume, {KIND: "toolbox"})
        containers.fill_volume(volume, MOUNT, image, _COMPLETE, fill)
    return Toolbox(volume)


def volume_name(containers: ContainerHost, *, compilers: bool) -> str:
    """The name of the volume; a crosswheel with different programs uses a different one."""
    return f"crosswheel-{_kind(compilers=compilers)}-{_machine(containers)}-{_version(compilers=compilers)}"


def is_current(volume: str) -> bool:
    """Whether this version of crosswheel uses a volume of that name, on whatever machine."""
    return any(
        volume.startswith(f"crosswheel-{_kind(compilers=compilers)}-")
        and volume.endswith(f"-{_version(compilers=compilers)}")
        for compilers in (True, False)
    )


def _machine(containers: ContainerHost) -> str:
    return containers.arch.name if containers.arch else containers.machine


def _kind(*, compilers: bool) -> str:
    return "tools" if compilers else "uv"


def _version(*, compilers: bool) -> str:
    """A hash of everything in the volume."""
    parts = [
        version_of("uv"),
        version_of("ccache"),
        *([version_of("zig"), source_version("clang"), zig_library.VERSION] if compilers else []),
    ]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


def _write(file: IO[bytes], host: LocalHost, machine: str, listener: Listener, *, compilers: bool) -> None:
    """Write the archive with everything in the volume."""
    with temporary_folder() as folder, tarfile.open(fileobj=file, mode="w") as archive:
        root = Path(folder, "uv")
        unpack_wheel(fetch_pinned("uv", machine, host.index, listener), root)
        (uv,) = root.glob("uv-*.data/scripts/uv")
        _add(archive, uv, "bin/uv")
        _add_ccache(archive, host, machine, Path(folder), listener)
        if compilers:
            _add_compilers(archive, host, machine, Path(folder), listener)


def _add_ccache(archive: tarfile.TarFile, host: LocalHost, machine: str, folder: Path, listener: Listener) -> None:
    """Add ccache; it is optional, and without it every object is compiled each time."""
    try:
        program = fetch_ccache(machine, host.index, folder / "ccache", listener)
    except MissingTool as error:
        listener(Note(f"compiled objects are not cached: {error.message}"))
        return
    _add(archive, program, "ccache/ccache")
    for name in _CACHED:
        _link(archive, f"ccache/bin/{name}", "../ccache")


def _add_compilers(archive: tarfile.TarFile, host: LocalHost, machine: str, folder: Path, listener: Listener) -> None:
    local = ensure_zig(host.index, host.cache, host.processes, listener)
    program = local.program
    if machine != host.machine:
        root = folder / "zig"
        unpack_wheel(fetch_pinned("zig", machine, host.index, listener), root)
        program = root / "ziglang" / "zig"
    driver = folder / "driver"
    compile_program(local, "clang", f"{machine}-linux-musl", driver, host.processes, "-static")
    _add(archive, program, "zig")
    _add(archive, driver, "driver")
    _add(archive, program.parent / "lib" / "include", "clang/resources/include")
    for header in zig_library.HEADERS:
        _add(archive, local.library / header, f"clang/resources/{header}")
    _link(archive, "bin/ld.lld", "../driver")
    for name in _COMPILERS:
        _link(archive, f"clang/bin/{name}", "../../driver")
    _link(archive, "clang/fortran/gfortran", "../../driver")


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    def ours(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.mode = 0o755 if member.isdir() or path.is_file() else 0o644
        return anonymous(member)

    archive.add(path, name, filter=ours)


def _link(archive: tarfile.TarFile, name: str, to: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, to
    archive.addfile(member)
