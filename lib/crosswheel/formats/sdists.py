"""Reads and safely unpacks sdists (PEP 625, PEP 643)."""

from __future__ import annotations

import calendar
import hashlib
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeVar

from crosswheel.errors import AuditFailed, SourceError
from crosswheel.formats.sdist_writer import seal_sdist
from crosswheel.formats.signs import compiles_nothing, is_telling, needs_in, version_of_signs
from crosswheel.formats.tars import damages, open_tar
from crosswheel.formats.zips import RATIO, UNPACKED, open_archive
from crosswheel.model.job import Need, Sdist
from crosswheel.system.budget import OverBudget
from crosswheel.system.hashes import sha256_of
from crosswheel.system.memo import Answers

_Info = TypeVar("_Info", tarfile.TarInfo, zipfile.ZipInfo)

_CXX = (".cc", ".cpp", ".cxx", ".c++", ".C", ".hpp", ".hh", ".mm")
_COMPILED = (*_CXX, ".c", ".pyx", ".f", ".f90", ".rs", ".s", ".S", ".asm", ".cu", ".go", ".zig", ".i")

# py_limited_api = "cp311" of setuptools, py-api of scikit-build-core, limited_api: '3.11' of Meson, USE_SABI 3.11 of
# CMake; and the macro Py_LIMITED_API itself.
_SINCE = re.compile(r"""(?:(?:limited[-_]api|py-api)["']?\s*[=:]\s*["'](?:cp3|3\.)|SABI\s+3\.)(\d{1,3})""")
_SINCE_IN_HEXADECIMAL = re.compile(r"\b0x03([0-9A-Fa-f]{2})0000\b")
_BUILD_FILES = ("setup.py", "setup.cfg", "pyproject.toml", "meson.build", "CMakeLists.txt")
_MAY_SPEAK_OF_CXX = (".pyx", "/setup.py", "/meson.build")
_PKG_INFO = re.compile(r"(?:\./)?[^/]+/PKG-INFO")  # files in the top folder

_LARGEST_TEXTS = 1 << 24  # bytes searched in all members together

# 1980 to 2107: the range of times in ZIP archives, and so in wheels.
_FIRST, _LAST = 315_532_800, 4_354_819_198


def read_sdist(path: Path, answers: Answers | None = None) -> Sdist:
    """Read an sdist: its identity from PKG-INFO (PEP 643) or else its file name (PEP 625), and facts from its files.

    It is read once; `answers` caches the result. Raises SourceError.
    """
    answers, sha256 = answers or Answers(), sha256_of(path)
    found = answers.recall("sdist", sha256, path.name, version_of_signs())
    if found is None:
        found = _look_into(path)
        answers.keep(found, "sdist", sha256, path.name, version_of_signs())
    found, since = dict(found), found["stable_abi"]
    found["stable_abi"] = None if since is None else frozenset(since)
    found["needs"] = tuple(Need(*fields) for fields in found["needs"])
    return Sdist(path, sha256=sha256, **found)


def as_epoch(seconds: float) -> int:
    """The nearest time that a wheel can store."""
    return int(min(_LAST, max(_FIRST, seconds))) if seconds == seconds else _FIRST  # noqa: PLR0124 - NaN is not


def _look_into(path: Path) -> dict[str, Any]:
    """The fields of an Sdist that depend on its bytes and file name, as JSON values."""
    members, texts = _read(path)
    name, version, requires_python = _identity(path.name, texts)
    names = [member.name for member in members]
    return {
        "name": name,
        "version": version,
        "requires_python": requires_python,
        "epoch": as_epoch(max((member.time for member in members), default=0)),
        "content": _content_of(members),
        "compiled": any(name.endswith(_COMPILED) for name in names) and not compiles_nothing(names, texts),
        "cxx": any(name.endswith(_CXX) for name in names) or _speaks_of_cxx(texts),
        "stable_abi": _stable_abi_since(texts),
        "needs": [astuple(need) for need in needs_in(names, texts)],
    }


def _identity(file_name: str, texts: Mapping[str, str]) -> tuple[str, str, str]:
    """Normalised name, version, and Requires-Python."""
    from email.parser import HeaderParser

    from packaging.utils import InvalidSdistFilename, canonicalize_name, is_normalized_name, parse_sdist_filename

    own = next((text for name, text in texts.items() if _PKG_INFO.fullmatch(name)), "")
    info = dict(HeaderParser().parsestr(own, headersonly=True).items())
    name, version = info.get("Name", ""), info.get("Version", "")
    if not name or not version:
        try:
            parsed, parsed_version = parse_sdist_filename(file_name)
            name, version = name or parsed, version or str(parsed_version)
        except InvalidSdistFilename:
            raise SourceError(
                f"{file_name} is not an sdist: it has no PKG-INFO, and its name is not NAME-VERSION.tar.gz",
                hint="python -m build --sdist, in the project's folder",
            ) from None
    # Folders and files are named after them.
    if not is_normalized_name(canonicalize_name(name)) or not re.fullmatch(r"[\w.!+-]+", version, re.ASCII):
        message = f"{file_name}: invalid name or version in its metadata: {name} {version}"
        raise SourceError(message, hint="correct its PKG-INFO")
    return canonicalize_name(name), version, info.get("Requires-Python", "")


def _speaks_of_cxx(texts: Mapping[str, str]) -> bool:
    said = (text for name, text in texts.items() if name.endswith(_MAY_SPEAK_OF_CXX))
    return any(re.search(r"""language\s*[=:]\s*["']?c\+\+|cython_language=cpp""", text) for text in said)


def _stable_abi_since(texts: Mapping[str, str]) -> list[int] | None:
    text = "\n".join(text for name, text in texts.items() if _is_build_file(name))
    if not re.search(r"(?i:limited[-_]api|abi3|py-api)|SABI", text):
        return None
    decimal, hexadecimal = _SINCE.findall(text), _SINCE_IN_HEXADECIMAL.findall(text)
    return sorted({*map(int, decimal), *(int(digits, 16) for digits in hexadecimal)})


def _is_build_file(name: str) -> bool:
    return name.count("/") == 1 and name.endswith(_BUILD_FILES)


def _is_telling(name: str) -> bool:
    """Whether the member's text is searched."""
    return (
        bool(_PKG_INFO.fullmatch(name)) or _is_build_file(name) or name.endswith(_MAY_SPEAK_OF_CXX) or is_telling(name)
    )


def unpack_sdist(sdist: Sdist, folder: Path) -> Path:
    """Like `unpack`, but raises SourceError if the file has changed since it was read, which a build could do."""
    if sha256_of(sdist.path) != sdist.sha256:
        raise SourceError(
            f"{sdist.path} has changed since this run read it",
            hint="find the program that changed it (perhaps a build of this run), then run the same command again",
        )
    return unpack(sdist.path, folder)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an sdist and return its top folder. Raises SourceError for members outside of it before unpacking."""
    names = member_names(archive)
    tops = {PurePosixPath(name).parts[0] for name in names if PurePosixPath(name).parts}
    for name in names:
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise SourceError(
                f"{archive.name} has a member outside its own folder: {name!r}",
                hint="do not build it; tell its authors",
            )
    if len(tops) != 1:
        raise SourceError(
            f"{archive.name} must contain exactly one folder, not {len(tops)}",
            hint="python -m build --sdist, in the project's folder",
        )
    folder.mkdir(parents=True)
    with _readable(archive):
        if _is_zip(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(folder)  # noqa: S202 - ZipFile drops what leads outside itself
        else:
            with open_tar(archive) as tarred:
                _extract_tar(tarred, folder, archive.name)
    return folder / tops.pop()


def seal(archive: Path, epoch: int) -> None:
    """Make a .tar.gz reproducible, dated to `epoch`; other archives stay unchanged. Raises SourceError."""
    with _readable(archive):
        if archive.name.endswith((".tar.gz", ".tgz")):
            seal_sdist(archive, epoch)


def member_names(archive: Path, *, whole: bool = False) -> list[str]:
    """The names of the members in order; `whole` also checks what follows them. Raises SourceError."""
    with _readable(archive):
        if _is_zip(archive):
            return [entry.name for entry in open_archive(archive).entries]
        with open_tar(archive, whole=whole) as tarred:
            return tarred.getnames()


def read_tar(archive: Path) -> tuple[list[tarfile.TarInfo], bytes]:
    """The members of a .tar.gz in their order, and PKG-INFO in its top folder (empty if none), in one pass.

    Raises SourceError.
    """
    members, info = [], b""
    with _readable(archive), open_tar(archive) as tarred:
        for member in tarred:
            members.append(member)
            if member.isfile() and _PKG_INFO.fullmatch(member.name) and (file := tarred.extractfile(member)):
                info = file.read(_LARGEST_TEXTS)
    return members, info


def _is_zip(archive: Path) -> bool:
    """Whether it is a zip archive by its name, like in installers. Raises ValueError for an ambiguous archive."""
    if archive.name.endswith(".zip"):
        if doubts := open_archive(archive).odd_end:
            raise ValueError(f"it can be read in more than one way: {doubts[0].found}")
        return True
    if _opens_as_zip(archive):
        raise ValueError("it can also be read as a zip archive with other files")
    return False


def _opens_as_zip(archive: Path) -> bool:
    """Whether it opens as a zip archive, instead of only containing its end signature."""
    try:
        return zipfile.is_zipfile(archive) and bool(open_archive(archive).entries)
    except AuditFailed:
        return False


@dataclass(frozen=True)
class _Member:
    """A member; `data` is the sha256 of a file's bytes, `time` in seconds since 1970."""

    name: str
    kind: str
    runs: bool
    link: str
    data: str
    time: float


class _Texts(dict[str, str]):
    """The texts of members by name, and the remaining bytes to read."""

    room = _LARGEST_TEXTS


def _read(archive: Path) -> tuple[list[_Member], dict[str, str]]:
    """All members in order and the texts to search, in one pass, because a compressed archive has no random access."""
    texts = _Texts()
    with _readable(archive):
        if _is_zip(archive):
            with zipfile.ZipFile(archive) as zipped:
                sized = ((info, info.file_size) for info in zipped.infolist())
                return [_zip_member(zipped, info, texts) for info in _bounded(sized, archive)], texts
        with open_tar(archive) as tarred:
            sized_too = ((info, info.size) for info in tarred)
            return [_tar_member(tarred, info, texts) for info in _bounded(sized_too, archive)], texts


def _bounded(members: Iterable[tuple[_Info, int]], archive: Path) -> Iterator[_Info]:
    """The members with their sizes. Raises SourceError if their total exceeds the limit of an sdist."""
    packed, total = archive.stat().st_size, 0
    for member, size in members:
        total += size
        if total > max(UNPACKED, RATIO * packed):
            raise SourceError(
                f"{archive.name} was not unpacked: {packed} bytes would become more than {total} (a bomb)",
                hint="do not build it; tell its authors",
            )
        yield member


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, texts: _Texts) -> _Member:
    """A member of a zip archive, without links and permissions, which ZipFile does not unpack."""
    with archive.open(info) as file:
        digest = _digest(file, info.filename, texts)
    # Without a time zone, and sometimes with an invalid month.
    year, month, *rest = info.date_time
    moment = calendar.timegm((year, min(max(month, 1), 12), *rest, 0, 0, 0))
    return _Member(info.filename.rstrip("/"), "folder" if info.is_dir() else "file", False, "", digest, moment)


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo, texts: _Texts) -> _Member:
    file = archive.extractfile(info) if info.isfile() else None
    kind = "file" if file else "folder" if info.isdir() else info.type.decode("ascii", "replace")
    runs = bool(file and info.mode & 0o100)
    digest = _digest(file, info.name, texts) if file else ""
    return _Member(info.name, kind, runs, info.linkname, digest, info.mtime)


def _digest(file: IO[bytes], name: str, texts: _Texts) -> str:
    """The sha256 of a member; in the same pass, its text is added to `texts` if it is searched."""
    digest, telling = hashlib.sha256(), bytearray() if _is_telling(name) else None
    while block := file.read(1 << 20):
        digest.update(block)
        if telling is not None and len(telling) < texts.room:
            telling += block
    if telling is not None:
        texts.room -= len(telling)
        texts[name] = telling.decode("utf-8", "replace")
    return digest.hexdigest()


def _content_of(members: Iterable[_Member]) -> str:
    last = {member.name: member for member in members}  # of two with one name, the second overwrites the first
    rows = ((name, it.kind, str(it.runs), it.link, it.data) for name, it in sorted(last.items()))
    # Names cannot contain a zero byte.
    text = "".join("\0".join([*row, ""]) for row in rows)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _extract_tar(archive: tarfile.TarFile, folder: Path, name: str) -> None:
    """Unpack with PEP 706's data filter: no devices, no links or names out of the folder, normal permissions."""
    if not hasattr(tarfile, "data_filter"):  # pragma: no cover - CPython before 3.10.12 and 3.11.4
        raise SourceError(
            f"this Python ({sys.version.split()[0]}) cannot unpack archives safely",
            hint="use CPython 3.10.12, 3.11.4 or newer",
        )
    try:
        archive.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise SourceError(f"{name} has an unsafe member: {error}", hint="do not build it; tell its authors") from error


def _broken() -> tuple[type[Exception], ...]:
    """Exceptions of libraries for invalid content."""
    return (*damages(), zipfile.BadZipFile, OSError, RuntimeError, LookupError, ArithmeticError)


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    try:
        if archive.exists() and not archive.is_file():
            raise ValueError("it is not a file but a folder, a pipe, a socket or a device")
        yield
    except AuditFailed as error:
        raise SourceError(error.message, hint=error.hint) from error
    except OverBudget as error:
        raise SourceError(
            f"{archive.name} cannot be read: {error}", hint="do not build it; tell its authors"
        ) from error
    except _broken() as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # an error of the disk; gzip and bz2 raise OSError without errno for damaged data too
        raise SourceError(
            f"{archive.name} cannot be read: {error}", hint="download or build it again; it may be truncated"
        ) from error
