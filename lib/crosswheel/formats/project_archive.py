"""Archives of whole project folders, as they go into containers: with .git and untracked files."""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crosswheel.system.hashes import sha256_of

TOP = "project"
"""The folder in the archive with the project."""

_OF_THIS_MACHINE = {"__pycache__"}


@dataclass(frozen=True)
class Content:
    """A sha256 of the names, modes and contents that count, and the newest modification of them, in Unix seconds."""

    sha256: str
    newest: float


def without_git(inside: PurePosixPath) -> bool:
    """Whether a path counts: reading a repository changes it, and an sdist has the version that comes from it."""
    return ".git" not in inside.parts


def pack_project(folder: Path, archive: Path, left_out: Collection[Path], *, top: str = TOP) -> None:
    """Write the archive of a folder, except for `left_out`, bytecode and virtual environments (PEP 405)."""
    with tarfile.open(archive, "w") as packed:
        for path in _paths(folder, left_out):
            member = packed.gettarinfo(path, str(PurePosixPath(top, path.relative_to(folder))))
            if member is None:  # a socket
                continue
            # One owner: builds must not depend on the user, and git refuses repositories of others.
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            if member.isreg():
                with path.open("rb") as file:
                    packed.addfile(member, file)
            else:
                packed.addfile(member)


def content_of_project(
    folder: Path, left_out: Collection[Path], *, counts: Callable[[PurePosixPath], bool] = without_git
) -> Content:
    """The content of what `pack_project` would pack now."""
    digest, newest = hashlib.sha256(), 0.0
    for path in _paths(folder, left_out):
        inside = PurePosixPath(path.relative_to(folder))
        status = path.lstat()
        if not counts(inside) or stat.S_ISSOCK(status.st_mode):
            continue
        content = ""
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = sha256_of(path)
        digest.update(f"{inside}\0{stat.S_IMODE(status.st_mode):o}\0{content}\0".encode("utf-8", "surrogateescape"))
        newest = newest if path.is_dir() else max(newest, status.st_mtime)
    return Content(digest.hexdigest(), newest)


def _paths(folder: Path, left_out: Collection[Path]) -> Iterator[Path]:
    """The folder, and everything in it that is packed, in a fixed order."""
    yield folder
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if path in left_out:
            continue
        if not entry.is_dir(follow_symlinks=False):
            yield path
        elif entry.name not in _OF_THIS_MACHINE and not (path / "pyvenv.cfg").exists():
            yield from _paths(path, left_out)


def unpack_project(archive: Path, folder: Path) -> Path:
    """Unpack such an archive into a new folder; return the project's. Links that lead out of it are left out."""
    folder.mkdir(parents=True)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter=_inside)  # noqa: S202 - the filter drops what leads outside
    return folder / TOP


def _inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None
