"""Write an sdist's archive so that the same content is the same bytes, whoever packed it, wherever and when."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crosswheel.formats.tars import open_tar
from crosswheel.formats.zips import RATIO, UNPACKED
from crosswheel.system.budget import Budget

_LEVEL = 9
_BLOCK = 1 << 20


def seal_sdist(path: Path, epoch: int) -> None:
    """In its place: members in the order of their names, dated to `epoch` and nobody's, each file with what is in it.

    Raises tarfile.TarError, OverBudget, and what zlib and the disk raise.
    """
    draft = path.with_name(f".{path.name}.sealing")
    try:
        with (
            _decompressed(path) as plain,
            open_tar(plain) as given,
            draft.open("wb") as file,
            # Neither a file's name nor a moment of its own in its header.
            gzip.GzipFile("", "wb", _LEVEL, file, mtime=epoch) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as sealed,
        ):
            for found, member in _members(given, epoch):
                data = given.extractfile(found) if member.isreg() else None
                sealed.addfile(member, data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _decompressed(path: Path) -> Iterator[Path]:
    """For members in another order: each step back in a compressed file would read it from its beginning."""
    budget = Budget(max(UNPACKED, RATIO * path.stat().st_size), "bytes when it is unpacked")
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tar") as plain:
        with gzip.open(path) as packed:
            while block := packed.read(_BLOCK):
                budget.spend(len(block))
                plain.write(block)
        plain.flush()
        yield Path(plain.name)


def _members(archive: tarfile.TarFile, epoch: int) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarInfo]]:
    """Each as it was found, and as it is to be; of two under one name the last, which is what unpacking gives."""
    last = {member.name: member for member in archive}
    for name, found in sorted(last.items()):
        member = tarfile.TarInfo(name)
        member.mtime = epoch
        if found.isdir():
            member.type, member.mode = tarfile.DIRTYPE, 0o755
        elif found.issym():
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, found.linkname, 0o777
        elif found.isreg() or found.islnk():
            # A hard link is another name of a file: which of them is the link depends on the order.
            member.size = _size(archive, found)
            member.mode = 0o755 if found.mode & 0o100 else 0o644
        else:
            member = found  # a device or the like, which whoever unpacks it refuses
        yield found, member


def _size(archive: tarfile.TarFile, found: tarfile.TarInfo) -> int:
    while found.islnk():
        found = archive.getmember(found.linkname)
    return found.size
