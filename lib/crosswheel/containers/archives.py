"""Tar archives that carry files to and from a Docker Engine: packed without owners, unpacked without trust."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

SPOOL = 16 * 1024 * 1024  # bytes of an archive kept in memory


def archive_of(files: Mapping[str, bytes], mode: int = 0o644) -> io.BytesIO:
    """An archive of the files, positioned at its start."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        for name, content in files.items():
            _add_file(opened, name, content, mode)
    archive.seek(0)
    return archive


@dataclass
class Parcel:
    """Files to be sent together: packed at once, in their current state. Each upload costs the engine a process."""

    _file: IO[bytes] | None = None
    _archive: tarfile.TarFile | None = None

    def add(self, path: Path, name: PurePosixPath) -> None:
        """Add a file, or a folder with its content."""
        self._opened.add(path, _relative(name), filter=anonymous)

    def write(self, name: PurePosixPath, content: bytes) -> None:
        _add_file(self._opened, _relative(name), content, 0o644)

    @contextmanager
    def sent(self) -> Iterator[IO[bytes] | None]:
        """The files added since the last call, as an archive; None if there are none."""
        file, archive = self._file, self._archive
        self._file = self._archive = None
        if file is None or archive is None:
            yield None
            return
        with file:
            archive.close()
            file.seek(0)
            yield file

    def drop(self) -> None:
        """Discard the files; works on a full disk too."""
        if self._file:
            with suppress(OSError):
                self._file.close()

    @property
    def _opened(self) -> tarfile.TarFile:
        if self._archive is None:
            # Sending closes both.
            self._file = tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115
            self._archive = tarfile.open(fileobj=self._file, mode="w")  # noqa: SIM115
        return self._archive


def _relative(name: PurePosixPath) -> str:
    """The path in an archive that is unpacked at the root."""
    return str(name).lstrip("/")


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Set one owner without a name: builds must not depend on the user who copied the files."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def unpack_files(archive: IO[bytes], to: Path) -> None:
    """Unpack only regular files, without their top folder; links, devices and paths out of it are skipped.

    Raises tarfile.TarError.
    """
    to.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=archive) as opened:
        for member in opened:
            parts = PurePosixPath(member.name).parts
            inside = PurePosixPath(*parts[1:]) if len(parts) > 1 else PurePosixPath(member.name)
            if not member.isfile() or inside.is_absolute() or ".." in inside.parts:
                continue
            content = opened.extractfile(member)
            assert content is not None  # noqa: S101 - regular files have some
            target = to / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                while block := content.read(1 << 20):
                    file.write(block)
            target.chmod(0o644 | member.mode & 0o111)
            # Bytecode, for example, is compared with the time.
            os.utime(target, (member.mtime, member.mtime))
