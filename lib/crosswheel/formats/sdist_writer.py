"""Writes reproducible sdist archives: the same content gives the same bytes."""

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
    """Rewrite an sdist in place: members sorted by name, dated to `epoch` (seconds since 1970), without owners.

    Raises tarfile.TarError, OverBudget, zlib.error and OSError.
    """
    draft = path.with_name(f".{path.name}.sealing")
    try:
        with (
            _decompressed(path) as plain,
            open_tar(plain) as given,
            draft.open("wb") as file,
            # No file name and no time in the gzip header.
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
    """The uncompressed archive in a temporary file, because seeking backwards in a compressed one is slow."""
    budget = Budget(max(UNPACKED, RATIO * path.stat().st_size), "bytes when it is unpacked")
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".tar") as plain:
        with gzip.open(path) as packed:
            while block := packed.read(_BLOCK):
                budget.spend(len(block))
                plain.write(block)
        plain.flush()
        yield Path(plain.name)


def _members(archive: tarfile.TarFile, epoch: int) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarInfo]]:
    """Pairs of old and new member; of two with one name the last, which unpacking would leave."""
    last = {member.name: member for member in archive}
    for name, found in sorted(last.items()):
        member = tarfile.TarInfo(name)
        member.mtime = epoch
        if found.isdir():
            member.type, member.mode = tarfile.DIRTYPE, 0o755
        elif found.issym():
            member.type, member.linkname, member.mode = tarfile.SYMTYPE, found.linkname, 0o777
        elif found.isreg() or found.islnk():
            # A hard link is another name of a file: the order decides which of them is the link.
            member.size = _size(archive, found)
            member.mode = 0o755 if found.mode & 0o100 else 0o644
        else:
            member = found  # a device or similar, which unpacking refuses
        yield found, member


def _size(archive: tarfile.TarFile, found: tarfile.TarInfo) -> int:
    while found.islnk():
        found = archive.getmember(found.linkname)
    return found.size
