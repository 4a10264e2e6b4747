"""Which package owns a file: databases of dpkg, apk and rpm, in a folder with a system.

A folder such as a sysroot has the package database of the system that it was copied from. Its programs cannot run
here, so the database is read itself.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path, PurePosixPath

from crosswheel.formats.packages import Package

_DPKG, _APK = PurePosixPath("var/lib/dpkg"), PurePosixPath("lib/apk/db/installed")
_RPM = ("usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/rpmdb.sqlite")
_NAME, _VERSION, _RELEASE, _ARCH = 1000, 1001, 1002, 1022  # tags of an RPM header
_DIRINDEXES, _BASENAMES, _DIRNAMES = 1116, 1117, 1118
_INT32, _STRING, _STRING_ARRAY = 4, 6, 8  # types in it


def owner_in(root: Path, path: PurePosixPath) -> Package | None:
    """The package that owns a file of the system in `root`, by its path there; None if no database that is read has it.

    Read are the databases of dpkg, of apk, and of rpm as SQLite; not those of rpm as Berkeley DB or NDB.
    """
    names = _names(path)
    for find in (_of_dpkg, _of_apk, _of_rpm):
        with suppress(OSError, sqlite3.Error, struct.error, LookupError, ValueError):
            if package := find(root, names):
                return package
    return None


def _names(path: PurePosixPath) -> frozenset[str]:
    """What databases may call the file: where /lib leads to /usr/lib, packages use either name."""
    text = f"/{path}".replace("//", "/")
    return frozenset({text, text.removeprefix("/usr") if text.startswith("/usr/lib") else f"/usr{text}"})


def _distribution(root: Path) -> str:
    for name in ("etc/os-release", "usr/lib/os-release"):
        with suppress(OSError):
            for line in (root / name).read_text(errors="replace").splitlines():
                if line.startswith("ID="):
                    return line[3:].strip("\"'")
    return ""


def _of_dpkg(root: Path, names: frozenset[str]) -> Package | None:
    for listing in sorted((root / _DPKG / "info").glob("*.list")):
        if names.isdisjoint(listing.read_text(errors="replace").splitlines()):
            continue
        name, _, arch = listing.stem.partition(":")
        for stanza in _stanzas((root / _DPKG / "status").read_text(errors="replace"), ": "):
            if stanza.get("Package") == name and arch in {"", stanza.get("Architecture")}:
                return Package("deb", _distribution(root), name, stanza["Version"], stanza.get("Architecture", ""))
    return None


def _of_apk(root: Path, names: frozenset[str]) -> Package | None:
    text = (root / _APK).read_text(errors="replace")
    for block in text.split("\n\n"):
        folder = ""
        for line in block.splitlines():
            if line.startswith("F:"):
                folder = line[2:]
            elif line.startswith("R:") and f"/{folder}/{line[2:]}" in names:
                stanza = next(_stanzas(block, ":"))
                return Package("apk", _distribution(root), stanza["P"], stanza["V"], stanza.get("A", ""))
    return None


def _stanzas(text: str, colon: str) -> Iterator[dict[str, str]]:
    for block in text.split("\n\n"):
        pairs = (line.partition(colon) for line in block.splitlines() if not line.startswith(" "))
        yield {key: value.strip() for key, found, value in pairs if found}


def _of_rpm(root: Path, names: frozenset[str]) -> Package | None:
    database = next((root / name for name in _RPM if (root / name).is_file()), None)
    if not database:
        return None
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        for (blob,) in connection.execute("SELECT blob FROM Packages"):
            header = _rpm_header(blob)
            folders, files = header.get(_DIRNAMES, []), header.get(_BASENAMES, [])
            paths = (f"{folders[int(index)]}{file}" for index, file in zip(header.get(_DIRINDEXES, []), files))  # noqa: B905
            if not names.isdisjoint(paths):
                (name,), (version,), (release,) = header[_NAME], header[_VERSION], header[_RELEASE]
                return Package("rpm", _distribution(root), name, f"{version}-{release}", *header.get(_ARCH, [])[:1])
    return None


def _rpm_header(blob: bytes) -> dict[int, list[str]]:
    """The values of an RPM header as it is in the database (rpm's lib/header.c): an index, then the data."""
    count, size = struct.unpack_from(">II", blob)
    data = blob[8 + 16 * count : 8 + 16 * count + size]
    header: dict[int, list[str]] = {}
    for at in range(8, 8 + 16 * count, 16):
        tag, kind, offset, many = struct.unpack_from(">IIiI", blob, at)
        if kind in {_STRING, _STRING_ARRAY}:
            texts = data[offset:].split(b"\0", many)[:many]
            header[tag] = [text.decode(errors="replace") for text in texts]
        elif kind == _INT32:
            header[tag] = list(map(str, struct.unpack_from(f">{many}I", data, offset)))
    return header
