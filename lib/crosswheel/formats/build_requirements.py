"""Installed build requirements with libraries for a linker, and what another platform's wheel has in their place.

Hooks run this machine's Python: its modules and the libraries that it loads stay. Compilers and linkers work for the
target: they need the target's archives, headers, descriptions of libraries, and shared libraries.
"""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from crosswheel.formats.zips import Archive, ZipEntry

# What a linker finds as -lNAME, without extension modules (PEP 3149, PEP 384).
_LIBRARY = re.compile(r"[^/]+\.a|lib(?![^/]*\.(?:cpython-|abi3\.))[^./][^/]*\.so(\.\d+)*")
_SHARED = re.compile(r"[^/]+\.so(\.\d+)*")
# Where auditwheel puts the libraries that a wheel's own modules load.
_GRAFTED = re.compile(r"[^/]+\.libs")
_FOR_PYTHON = (".py", ".pyc", ".pyi", ".pth")
_ELF = b"\x7fELF"


@dataclass(frozen=True)
class Requirement:
    """A build requirement that is installed as a wheel for one platform, and has libraries for a linker.

    `platforms` are those of its tags. `hashes` has, by path in the environment, what its RECORD says of each file.
    """

    name: str
    version: str
    platforms: tuple[str, ...]
    hashes: Mapping[str, str] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Part:
    """A file of the target's wheel, by its path in the environment.

    A `shared` library lies beside the environment, for linkers only; any other file replaces that of this machine.
    """

    place: PurePosixPath
    shared: bool
    entry: ZipEntry


def linked_requirements(environment: Path, packages: Path) -> Iterator[Requirement]:
    """The distributions in the folder `packages` (site-packages) of an environment."""
    below = packages.relative_to(environment).as_posix()
    from importlib.metadata import distributions

    for one in distributions(path=[str(packages)]):
        tags = re.findall(r"^Tag:\s*(\S+)", one.read_text("WHEEL") or "", re.MULTILINE)
        platforms = tuple(tag.rpartition("-")[2] for tag in tags)
        if not platforms or "any" in platforms:
            continue
        record = _hashes(one.read_text("RECORD") or "")
        hashes = {posixpath.normpath(f"{below}/{path}"): value for path, value in record.items()}
        if any(map(is_linked, hashes)):
            yield Requirement(one.metadata["Name"], one.version, platforms, hashes)


def is_linked(path: str) -> bool:
    """Whether a file is a library for linkers: no library that only the wheel's own modules load."""
    *folders, name = path.split("/")
    return bool(_LIBRARY.fullmatch(name)) and not any(map(_GRAFTED.fullmatch, folders))


def parts(archive: Archive, requirement: Requirement, packages: str) -> Iterator[Part]:
    """The files of the target's wheel that compilers and linkers see, and that differ from the requirement's.

    `packages` is the path of site-packages in the environment. Raises Unreadable.
    """
    record = next((entry for name, entry in archive.files.items() if name.endswith(".dist-info/RECORD")), None)
    hashes = _hashes(archive.read(record).decode("utf-8", "replace")) if record else {}
    has_shared = any(is_linked(name) and not name.endswith(".a") for name in archive.files)
    for name, entry in archive.files.items():
        place = _installed(name, packages)
        if place is None or place.suffix in _FOR_PYTHON:
            continue
        if _SHARED.fullmatch(place.name):
            if has_shared and (is_linked(name) or any(map(_GRAFTED.fullmatch, place.parts))):
                yield Part(place, shared=True, entry=entry)
        elif (not hashes.get(name) or hashes[name] != requirement.hashes.get(str(place))) and not _runs(archive, entry):
            yield Part(place, shared=False, entry=entry)


def _runs(archive: Archive, entry: ZipEntry) -> bool:
    """Whether it is a program, which this machine could not run."""
    return not entry.name.endswith(".o") and archive.read(entry).startswith(_ELF)


def _installed(member: str, packages: str) -> PurePosixPath | None:
    """The path of a wheel's member in an environment (PEP 427); None for metadata, scripts, and ways out of it."""
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or path.parts[0].endswith(".dist-info"):
        return None
    if not path.parts[0].endswith(".data"):
        return PurePosixPath(packages) / path
    scheme, *rest = path.parts[1:] or ("",)
    if scheme in {"purelib", "platlib"}:
        return PurePosixPath(packages, *rest)
    return PurePosixPath(*rest) if scheme == "data" and rest else None


def _hashes(record: str) -> dict[str, str]:
    return {row[0]: row[1] for row in csv.reader(record.splitlines()) if len(row) > 1}
