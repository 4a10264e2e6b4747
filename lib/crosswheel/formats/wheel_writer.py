"""Writes reproducible wheels for exactly the requested platforms: the same content gives the same bytes.

It fixes everything that could differ between two repairs: order, times and permissions of members, RECORD, and the
spelling of tags.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import stat
import time
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from crosswheel.formats.wheel_names import split_name

_SIGNATURES = ("RECORD.jws", "RECORD.p7s")  # signatures of the old RECORD


def seal(made: Path, name: str, platforms: Sequence[str], epoch: int, folder: Path) -> Path:
    """Write the wheel `made`, whose name is `name`, for exactly these platforms into `folder`; return the new path.

    Members are dated to `epoch`, in seconds since 1970, within the range of ZIP archives.
    """
    moment = time.gmtime(epoch)[:6]
    parts = split_name(name)._replace(platform=".".join(sorted(platforms)))
    path = folder / parts.file_name
    tags = sorted(
        f"{python}-{abi}-{one}"
        for python in parts.python.split(".")
        for abi in parts.abi.split(".")
        for one in platforms
    )
    rows: list[tuple[str, str, str]] = []
    with zipfile.ZipFile(made) as given, zipfile.ZipFile(path, "w") as sealed:
        for info in _ordered(given.infolist()):
            data = given.read(info)
            top, _, rest = info.filename.partition("/")
            if top.endswith(".dist-info") and rest == "RECORD":
                data = _record([*rows, (info.filename, "", "")])
            elif top.endswith(".dist-info") and rest == "WHEEL":
                data = _with_tags(data, tags)
            rows.append((info.filename, *_measured(data)))
            sealed.writestr(_header(info, moment), data, zipfile.ZIP_DEFLATED)
    return path


def _ordered(members: Iterable[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The members in order: metadata last, as the wheel format recommends, and RECORD at the end."""

    def key(info: zipfile.ZipInfo) -> tuple[bool, bool, str]:
        top, _, rest = info.filename.partition("/")
        metadata = top.endswith(".dist-info")
        return metadata, metadata and rest == "RECORD", info.filename

    files = (info for info in members if not info.is_dir() and not info.filename.endswith(_SIGNATURES))
    return sorted(files, key=key)


def _header(given: zipfile.ZipInfo, moment: tuple[int, int, int, int, int, int]) -> zipfile.ZipInfo:
    """A member's header; installers only use the executable bit of the permissions."""
    info = zipfile.ZipInfo(given.filename, moment)
    info.create_system = 3  # Unix, for the permissions
    runs = given.external_attr >> 16 & stat.S_IXUSR
    info.external_attr = (stat.S_IFREG | (0o755 if runs else 0o644)) << 16
    return info


def _with_tags(wheel_file: bytes, tags: Iterable[str]) -> bytes:
    lines = wheel_file.decode("utf-8", "surrogateescape").splitlines()
    kept = [line for line in lines if line.strip() and not line.lower().startswith("tag:")]
    return "".join(f"{line}\n" for line in [*kept, *(f"Tag: {tag}" for tag in tags)]).encode("utf-8", "surrogateescape")


def _measured(data: bytes) -> tuple[str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
    return f"sha256={digest}", str(len(data))


def _record(rows: Iterable[tuple[str, str, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")
