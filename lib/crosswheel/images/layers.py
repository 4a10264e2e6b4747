"""Unpacks the layers of an image into a folder, as an ordinary user and without trust.

Nothing is written outside the folder, whatever the layers hold: each name is looked up as if the folder were the root
of the file system, links included. Whiteouts remove what lower layers have (OCI image specification, layer.md). All
files belong to the calling user, who may read and write them; setuid bits, extended attributes and devices are left
out. Paths are texts here for speed, as there may be many thousands.
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from crosswheel.formats.tars import Limits, open_tar
from crosswheel.system.budget import Budget, Deadline

_MEMBERS = 2_000_000
_UNPACKED = 32 << 30
_PATIENCE = 3600.0
_LIMITS = Limits(members=_MEMBERS, headers=2 << 30, unpacked=_UNPACKED, seconds=_PATIENCE)

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_OF_AUFS = ".wh..wh."
_MOST_LINKS = 40  # as the kernel follows for one name
_BLOCK = 1 << 20
_PERMISSIONS = 0o777


class BadLayer(ValueError):  # noqa: N818 - reads as what it is
    """The layer has what no builder of images writes, or ends too early."""


@dataclass
class Unpacking:
    """The layers of one image on their way into an empty folder; the limits are for all of them together."""

    root: str
    _links: dict[str, str] = field(default_factory=dict)
    """Each symbolic link with the target that its layer states."""
    _members: Budget = field(default_factory=lambda: Budget(_MEMBERS, "members"))
    _unpacked: Budget = field(default_factory=lambda: Budget(_UNPACKED, "bytes when it is unpacked"))
    _deadline: Deadline = field(default_factory=lambda: Deadline(_PATIENCE))

    @property
    def size(self) -> int:
        """The bytes of all files so far, also of those that later layers have replaced."""
        return self._unpacked.spent

    def apply(self, layer: Path) -> None:
        """Unpack one layer over those before it.

        Raises ValueError (BadLayer, OverBudget), OSError, and the exceptions of `tarfile` and decompressors.
        """
        made: set[str] = set()
        with open_tar(layer, _LIMITS) as archive:
            while member := archive.next():
                cast("Any", archive).members.clear()  # else it keeps all of them
                self._deadline.check()
                self._members.spend(1)
                self._take(member, archive, made)

    def settle(self) -> None:
        """After the last layer: rewrite the links that lead out of the folder, so that programs outside it stay inside.

        ``a/b/../..`` may leave it where b is a link; only now is it known.
        """
        for name, stated in self._links.items():
            parent = os.path.dirname(name)
            place = self._at(name)
            if os.path.islink(place):
                found, left = self._resolve(_contained(parent, stated), parent)
                if left:
                    os.unlink(place)
                    os.symlink(_relative(found, parent), place)

    def _take(self, member: tarfile.TarInfo, archive: tarfile.TarFile, made: set[str]) -> None:
        folder, _, base = _plain(member.name).rpartition("/")
        if base.startswith(_WHITEOUT):
            self._hide(folder, base, made)
        elif base and _is_kept(member):
            parent = self._folder(folder)
            name = os.path.join(parent, base)
            self._make(member, archive, name)
            while name and name not in made:
                made.add(name)
                name = os.path.dirname(name)

    def _make(self, member: tarfile.TarInfo, archive: tarfile.TarFile, name: str) -> None:
        place = self._at(name)
        if member.isdir():
            if not _is_folder(place):
                _remove(place)
                os.mkdir(place)
            os.chmod(place, member.mode & _PERMISSIONS | stat.S_IRWXU)
        elif member.issym():
            self._link(name, member.linkname)
        elif member.islnk():
            self._link_hard(name, _plain(member.linkname))
        else:
            self._unpacked.spend(member.size)
            _remove(place)
            _write(place, member, archive)

    def _link(self, name: str, stated: str) -> None:
        place = self._at(name)
        _remove(place)
        os.symlink(_contained(os.path.dirname(name), stated), place)
        self._links[name] = stated

    def _link_hard(self, name: str, stated: str) -> None:
        """A second name of a file, which may be of a lower layer."""
        folder, _, base = stated.rpartition("/")
        source = os.path.join(self._resolve(folder)[0], base)
        if source == name:
            return
        if source.startswith(f"{name}/"):
            raise BadLayer(f"{name} is another name of {stated}, which is a file below it")
        first, place = self._at(source), self._at(name)
        if os.path.islink(first):
            self._link(name, os.path.join("/", os.path.dirname(source), self._links[source]))
            return
        if not os.path.isfile(first):
            raise BadLayer(f"{name} is another name of {stated}, which is no file in it")
        _remove(place)
        try:
            os.link(first, place)
        except OSError:  # the file system may limit the names of a file, or have none
            self._unpacked.spend(os.stat(first).st_size)
            shutil.copy2(first, place)

    def _hide(self, folder: str, base: str, made: set[str]) -> None:
        """Remove what lower layers have; not what this one has made."""
        parent = self._resolve(folder)[0]
        if base == _OPAQUE:
            self._empty(parent, made)
        elif not base.startswith(_OF_AUFS):
            hidden = base.removeprefix(_WHITEOUT)
            if hidden in {"", ".", ".."}:
                raise BadLayer(f"{base} is no name of a removed file")
            name = os.path.join(parent, hidden)
            if name in made:
                self._empty(name, made)
            else:
                _remove(self._at(name))

    def _empty(self, name: str, made: set[str]) -> None:
        place = self._at(name)
        if _is_folder(place):
            for entry in os.listdir(place):
                inner = os.path.join(name, entry)
                if inner in made:
                    self._empty(inner, made)
                else:
                    _remove(self._at(inner))

    def _folder(self, name: str) -> str:
        """The folder of that name, made where it is missing; as a path inside the root without links."""
        found, _ = self._resolve(name)
        place = self._at(found)
        if not _is_folder(place):
            parts = found.split("/")
            for depth in range(1, len(parts) + 1):
                place = self._at("/".join(parts[:depth]))
                if not _is_folder(place):
                    _remove(place)
                    os.mkdir(place)
        return found

    def _resolve(self, name: str, start: str = "") -> tuple[str, bool]:
        """The path inside the root without links, looked up from `start`; and whether the way there left the root.

        Where it leaves, it goes on at the root, as for a program whose root it is.
        """
        todo, done, left, links = name.split("/")[::-1], start.split("/") if start else [], False, 0
        while todo:
            part = todo.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                left = left or not done
                del done[-1:]
                continue
            try:
                target = os.readlink(self._at("/".join([*done, part])))
            except OSError:  # it is no link, or does not exist
                done.append(part)
                continue
            links += 1
            if links > _MOST_LINKS:
                return "", True
            todo += reversed(target.split("/"))
        return "/".join(done), left

    def _at(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root


def unpack(layers: Iterable[Path], root: Path) -> int:
    """Unpack the layers, from the lowest to the highest, into a new folder; how many bytes were written.

    Raises ValueError (BadLayer, OverBudget), OSError, and the exceptions of `tarfile` and decompressors.
    """
    root.mkdir()
    _check_case(root)
    unpacking = Unpacking(str(root))
    for layer in layers:
        unpacking.apply(layer)
    unpacking.settle()
    return unpacking.size


def _check_case(root: Path) -> None:
    (root / "a").touch()
    is_one = (root / "A").exists()
    (root / "a").unlink()
    if is_one:
        raise OSError(f"{root} is on a file system that takes A and a for the same name, and images have both")


def _plain(name: str) -> str:
    """A name in an archive without dots and slashes at its ends. Raises BadLayer if it leaves the archive."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise BadLayer(f"{name} is outside of the image")
    return "/".join(parts)


def _is_kept(member: tarfile.TarInfo) -> bool:
    return member.isreg() or member.isdir() or member.issym() or member.islnk()


def _contained(parent: str, stated: str) -> str:
    """The target of a link in the folder `parent`; an absolute one is meant from the root of the image."""
    if not stated.startswith("/"):
        return stated
    return _relative("/".join(part for part in stated.split("/") if part not in {"", "."}), parent)


def _relative(name: str, parent: str) -> str:
    depth = parent.count("/") + 1 if parent else 0
    return "/".join([*[".."] * depth, *filter(None, [name])]) or "."


def _is_folder(place: str) -> bool:
    return os.path.isdir(place) and not os.path.islink(place)


def _remove(place: str) -> None:
    if _is_folder(place):
        shutil.rmtree(place)
    else:
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(place)


def _write(place: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    """A new file with the time of the archive, by which Python knows its compiled modules."""
    content = archive.extractfile(member)
    if content is None:
        raise BadLayer(f"{member.name} is no file")
    # A new file at each writing: the old one may have other names.
    with content, open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        if member.issparse():
            _copy_sparse(content, file, member)
        else:
            shutil.copyfileobj(content, file, _BLOCK)
        if file.tell() != member.size:
            raise BadLayer(f"{member.name} ends too early")
        os.fchmod(file.fileno(), member.mode & _PERMISSIONS | stat.S_IRUSR | stat.S_IWUSR)
    os.utime(place, (member.mtime, member.mtime))


def _copy_sparse(content: IO[bytes], file: IO[bytes], member: tarfile.TarInfo) -> None:
    for offset, size in cast("Any", member).sparse:
        content.seek(offset)
        file.seek(offset)
        file.write(content.read(size))
    file.truncate(member.size)
    file.seek(member.size)
