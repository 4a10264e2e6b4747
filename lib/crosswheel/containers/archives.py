"""Tar archives: how files reach a Docker Engine and come back, made without owners and unpacked without trust."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO


def archive_of(files: Mapping[str, bytes], mode: int = 0o644) -> io.BytesIO:
    """An archive of these files, ready to be read."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            opened.addfile(member, io.BytesIO(content))
    archive.seek(0)
    return archive


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
