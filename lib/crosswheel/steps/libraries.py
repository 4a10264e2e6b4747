"""Gathers the libraries to graft into a wheel: from build requirements and the target's sysroot, or from the container.

They are copied to a separate folder with the names that the wheel needs, and only these are grafted: libraries in this
machine's own folders differ between machines.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from crosswheel.auditing.rules.promise import promise_of
from crosswheel.formats.elf import BadElf, Elf, read_elf
from crosswheel.formats.package_databases import owner_in
from crosswheel.formats.packages import Package
from crosswheel.formats.wheels import Wheel
from crosswheel.model.targets import Architecture, Target
from crosswheel.steps.work import Work
from crosswheel.toolchains.sysroot import Sysroot

_MOST_LINKS = 40  # the limit in Linux too


@dataclass(frozen=True)
class Libraries:
    """A folder of libraries with the packages that own them, and why others that were asked for are not in it."""

    folder: Path
    owners: dict[str, Package] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def gather_libraries(work: Work, wheel: Wheel) -> Libraries:
    """The external libraries of the wheel and their dependencies, as far as they are found.

    Libraries in the policy and libraries that `exclude` names are left out; they are never grafted.
    """
    promise = promise_of(work.job.target.policy, work.job.target.arch)
    libraries = Libraries(work.workspace.root / "libraries")
    inside = {PurePosixPath(member).name for member in wheel.members}
    needed = {name for elf in wheel.elves.values() if isinstance(elf, Elf) for name in elf.needed}
    asked = set(inside)

    def may_be_grafted(name: str) -> bool:
        # The wheel is not trusted: a name must not lead out of the folder.
        names_a_file = "/" not in name and name not in {"", ".", ".."}
        excluded = any(fnmatchcase(name, pattern) for pattern in work.config.audit.exclude)
        return names_a_file and not excluded and not (promise and promise.allows_library(name))

    while new := {name for name in needed - asked if may_be_grafted(name)}:
        asked |= new
        _fetch(new, work, libraries)
        needed = {library for name in new for library in _needed(libraries.folder / name)}
    return libraries


def _fetch(names: Collection[str], work: Work, libraries: Libraries) -> None:
    target = work.job.target
    libraries.owners.update(work.workspace.libraries(names))
    for path in (libraries.folder / name for name in names):
        if path.exists() and (complaint := _unfit(path, target.arch)):
            path.unlink()
            libraries.refused[path.name] = f"the one in the container {complaint}"
    if sysroot := _sysroot(work):
        for name in names:
            if not (libraries.folder / name).exists():
                _copy_from(sysroot, name, target, libraries)


def _sysroot(work: Work) -> Path | None:
    """The folder that the user names for the architecture, or the image that the wheel was built against."""
    target, family = work.job.target, work.composition.engines[work.job.engine].family
    if folder := work.config.build.sysroot(target.arch):
        return folder
    image = None if family else work.facts.sysroot_image(target, work.config)
    return image.root if image else None


def _copy_from(sysroot: Path, name: str, target: Target, libraries: Libraries) -> None:
    """Copy the first suitable file, like the loader; folders of several architectures may be mixed."""
    for path in (folder / name for folder in Sysroot(sysroot).libraries(target)):
        if not os.path.lexists(path):
            continue
        real = _resolved(sysroot, path)
        if complaint := _unfit(real, target.arch) if real else "is a link to a file that the sysroot lacks":
            libraries.refused.setdefault(name, f"{path} {complaint}")
        elif real:
            libraries.folder.mkdir(exist_ok=True)
            shutil.copyfile(real, libraries.folder / name)
            if owner := owner_in(sysroot, PurePosixPath("/", real.relative_to(sysroot))):
                libraries.owners[name] = owner
            return


def _resolved(sysroot: Path, path: Path) -> Path | None:
    """The file of a path as on the target: links stay inside the sysroot."""
    links, left = 0, [*reversed(path.relative_to(sysroot).parts)]
    at = sysroot
    while left:
        part = left.pop()
        if part == "..":
            at = at if at == sysroot else at.parent
        elif (at / part).is_symlink():
            links += 1
            goal = (at / part).readlink()
            at = sysroot if goal.is_absolute() else at
            left += reversed([one for one in goal.parts if one != "/"])
            if links > _MOST_LINKS:
                return None
        else:
            at /= part
    return at if at.is_file() else None


def _unfit(path: Path, arch: Architecture) -> str:
    """The reason why the loader would refuse it on the target; empty if it would not."""
    try:
        elf = read_elf(path.read_bytes())
    except BadElf as error:
        return f"cannot be loaded: {error}"
    if (elf.machine, elf.bits, elf.byteorder) == (arch.machine, arch.bits, arch.byteorder):
        return ""
    return f"is not for {arch}: it is {elf.machine}, {elf.bits} bit, {elf.byteorder} endian"


def _needed(library: Path) -> Iterator[str]:
    if library.is_file():
        yield from read_elf(library.read_bytes()).needed
