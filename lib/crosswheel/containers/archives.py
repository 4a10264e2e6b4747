"""Tar archives: how files reach a Docker Engine and come back, made without owners and unpacked without trust."""

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

SPOOL = 16 * 1024 * 1024  # bytes of an archive that are kept in memory


def archive_of(files: Mapping[str, bytes], mode: int = 0o644) -> io.BytesIO:
    """An archive of these files, ready to be read."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        for name, content in files.items():
            _add_file(opened, name, content, mode)
    archive.seek(0)
    return archive


@dataclass
class Parcel:
    """Files on their way: packed at once, as they are now, and sent together. Each time costs an engine a process."""

    _file: IO[bytes] | None = None
    _archive: tarfile.TarFile | None = None

    def add(self, path: Path, name: PurePosixPath) -> None:
        """A file, or a folder with all that is in it."""
        self._opened.add(path, _relative(name), filter=anonymous)

    def write(self, name: PurePosixPath, content: bytes) -> None:
        _add_file(self._opened, _relative(name), content, 0o644)

    @contextmanager
    def sent(self) -> Iterator[IO[bytes] | None]:
        """What has come together since the last time, as an archive; None where nothing has."""
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
        """What nobody wants any more; also where the disk is full."""
        if self._file:
            with suppress(OSError):
                self._file.close()

    @property
    def _opened(self) -> tarfile.TarFile:
        if self._archive is None:
            # Both are closed when it is sent.
            self._file = tempfile.SpooledTemporaryFile(max_size=SPOOL)  # noqa: SIM115
            self._archive = tarfile.open(fileobj=self._file, mode="w")  # noqa: SIM115
        return self._archive


def _relative(name: PurePosixPath) -> str:
    """As archives have it that are unpacked at the root."""
    return str(name).lstrip("/")


def _add_file(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """One owner, and no user's name: what is built must not depend on who copied it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def unpack_files(archive: IO[bytes], to: Path) -> None:
    """The regular files alone, without the folder that holds them; links, devices and what leads outside stay in.

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
            # Bytecode, for one, is compared with it.
            os.utime(target, (member.mtime, member.mtime))
