"""What a wheel file says of itself: its name, its metadata, its members, and the ELF files among them.

Everything is read from the archive as it lies there; nothing is ever unpacked to disk.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from functools import cached_property
from pathlib import Path
from typing import IO

from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import InvalidWheelFilename, NormalizedName, parse_wheel_filename
from packaging.version import Version

from crosswheel.elf import MAGIC, BadElf, Elf, read_elf
from crosswheel.errors import AuditFailed, UsageError
from crosswheel.model import Artifact
from crosswheel.targets import Architecture, Policy, PythonTag, Target, parse_platform, parse_python

# What CPython appends to the name of a module (PEP 3149, PEP 384, PEP 803); a bare ".so" needs a look inside.
_SUFFIX = re.compile(r"\.(?:cpython-3\d+[a-z]*-[\w-]+|abi3t?)\.so")
_NOT_AN_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,  # a compression method from later than Python
    RuntimeError,  # a password is asked for
    OSError,
    ValueError,
)


@dataclass(frozen=True)
class Row:
    """A member as RECORD lists it: digest such as ``sha256=...`` and size, either of which may be left empty."""

    path: str
    digest: str = ""
    size: str = ""


@dataclass(frozen=True)
class Extension:
    """A member that Python can import as the module `name`: by the suffix of its file, or because it exports a hook."""

    member: str
    name: str
    suffix: str
    elf: Elf | BadElf

    @property
    def hooks(self) -> frozenset[str]:
        """The functions that an import looks for, of which one has to be there (PEP 489, PEP 793)."""
        if self.name.isascii():
            return frozenset({f"PyInit_{self.name}", f"PyModExport_{self.name}"})
        name = self.name.encode("punycode").decode("ascii").replace("-", "_")
        return frozenset({f"PyInitU_{name}", f"PyModExportU_{name}"})

    @property
    def stable_abi(self) -> str:
        """``abi3`` or ``abi3t`` where the file's name claims one."""
        return self.suffix.split(".")[1] if self.suffix in {".abi3.so", ".abi3t.so"} else ""


@dataclass(frozen=True)
class Wheel:
    """One wheel file; `tag` is spelled as in the file name, `tags` are what it expands to."""

    path: Path
    name: NormalizedName
    version: Version
    build: tuple[()] | tuple[int, str]
    tags: frozenset[Tag]
    tag: str

    @cached_property
    def size(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        with self.path.open("rb") as stream:
            return _digest(stream, "sha256").hex()

    @property
    def is_pure(self) -> bool:
        return all(tag.platform == "any" for tag in self.tags)

    @property
    def is_abi3(self) -> bool:
        return "abi3" in self.abis or "abi3t" in self.abis

    @cached_property
    def abis(self) -> frozenset[str]:
        return frozenset(tag.abi for tag in self.tags)

    @cached_property
    def pythons(self) -> frozenset[PythonTag]:
        """Every CPython whose own ABI a tag names."""
        return frozenset(_known_pythons(self.tags))

    @cached_property
    def platforms(self) -> tuple[tuple[Policy, Architecture], ...]:
        """Every platform it promises to run on, the oldest policy first."""
        known = {_known_platform(tag.platform) for tag in self.tags}
        return tuple(sorted(filter(None, known), key=lambda platform: (str(platform[1]), platform[0])))

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Every file in the archive, in its order."""
        with self._archive() as archive:
            return tuple(info.filename for info in archive.infolist() if not info.is_dir())

    @cached_property
    def dist_info(self) -> str:
        tops = {member.partition("/")[0] for member in self.members if "/" in member}
        found = sorted(top for top in tops if top.endswith(".dist-info"))
        if len(found) != 1:
            what = f"holds {', '.join(found)}" if found else "has no .dist-info folder"
            raise AuditFailed(f"{self.path.name} is not a wheel: it {what}")
        return found[0]

    @cached_property
    def metadata(self) -> Message:
        return HeaderParser().parsestr(self._text("METADATA"))

    @cached_property
    def wheel_file(self) -> Message:
        """The file WHEEL, in which the build backend says what it made."""
        return HeaderParser().parsestr(self._text("WHEEL"))

    @cached_property
    def entry_points(self) -> str:
        """The text of entry_points.txt, which few wheels have."""
        there = f"{self.dist_info}/entry_points.txt" in self.members
        return self._text("entry_points.txt") if there else ""

    @cached_property
    def stated_tags(self) -> frozenset[str]:
        """The tags that WHEEL lists, expanded."""
        return frozenset(text for line in self.wheel_file.get_all("Tag", []) for text in _expand(str(line)))

    @property
    def root_is_purelib(self) -> bool:
        return str(self.wheel_file.get("Root-Is-Purelib", "")).strip().lower() == "true"

    @cached_property
    def record(self) -> tuple[Row, ...]:
        try:
            rows = [row for row in csv.reader(io.StringIO(self._text("RECORD"), newline="")) if row]
        except csv.Error as error:
            raise AuditFailed(f"{self.path.name} has a RECORD that is no CSV file: {error}") from error
        return tuple(Row(*[*row, "", ""][:3]) for row in rows)

    @cached_property
    def contents(self) -> Mapping[str, Row]:
        """Every member as RECORD should list it, by the hash that RECORD chose for it."""
        chosen = {row.path: row.digest.partition("=")[0] for row in self.record}
        with self._archive() as archive:
            return {member: _measure(archive, member, chosen.get(member, "")) for member in self.members}

    @cached_property
    def elves(self) -> Mapping[str, Elf | BadElf]:
        """Every ELF file in it, and every file that ought to be one by its name."""
        with self._archive() as archive:
            return {member: _read_member(archive, member) for member in self.members if _is_elf(archive, member)}

    @cached_property
    def extensions(self) -> tuple[Extension, ...]:
        return tuple(filter(None, (_extension(member, elf) for member, elf in self.elves.items())))

    def installed(self, member: str) -> str:
        """Where an installer puts a member, seen from site-packages."""
        top, _, rest = member.partition("/")
        scheme, _, path = rest.partition("/")
        return path if top.endswith(".data") and scheme in {"platlib", "purelib"} else member

    @contextlib.contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except _NOT_AN_ARCHIVE as error:
            raise AuditFailed(f"{self.path.name} cannot be read as a zip archive: {error}") from error

    def _text(self, name: str) -> str:
        member = f"{self.dist_info}/{name}"
        if member not in self.members:
            raise AuditFailed(f"{self.path.name} is not a wheel: it has no {member}")
        with self._archive() as archive:
            return archive.read(member).decode("utf-8", "replace")


def read_wheel(path: Path) -> Wheel:
    try:
        name, version, build, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise AuditFailed(f"{path.name} is not the name of a wheel: {error}") from error
    wheel = Wheel(path, name, version, build, tags, "-".join(path.stem.rsplit("-", 3)[1:]))
    _ = wheel.dist_info  # a file that is no wheel at all is found out here and not half way through an audit
    return wheel


def accepted_tags(target: Target, platforms: Iterable[str] = ()) -> frozenset[Tag]:
    """What the target's own pip would install, its platform being called by these names too."""
    version, names = (3, target.python.minor), [target.platform, *platforms]
    own = cpython_tags(version, [target.python.abi], names)
    return frozenset((*own, *compatible_tags(version, target.python.interpreter, names)))


def serves(file_name: str, target: Target) -> bool:
    """Whether a wheel made for another target will do for this one: pure, of the stable ABI, or of no ABI at all."""
    return not accepted_tags(target).isdisjoint(parse_wheel_filename(file_name)[3])


def artifact(path: Path) -> Artifact:
    wheel = read_wheel(path)
    return Artifact(path=path, size=wheel.size, sha256=wheel.sha256, tag=wheel.tag)


def _expand(tag: str) -> Iterator[str]:
    try:
        yield from map(str, parse_tag(tag.strip()))
    except ValueError:
        yield tag  # shown as it stands, where it differs from the file name


def _known_pythons(tags: frozenset[Tag]) -> Iterator[PythonTag]:
    for tag in tags:
        with contextlib.suppress(UsageError):
            yield parse_python(tag.interpreter if tag.abi == "none" else tag.abi)


def _known_platform(text: str) -> tuple[Policy, Architecture] | None:
    with contextlib.suppress(UsageError):
        return parse_platform(text)
    return None


def _digest(stream: IO[bytes], algorithm: str) -> bytes:
    digest = hashlib.new(algorithm)
    while chunk := stream.read(1 << 20):
        digest.update(chunk)
    return digest.digest()


def _measure(archive: zipfile.ZipFile, member: str, algorithm: str) -> Row:
    # "The hash algorithm must be sha256 or better": under any other name the digests are meant to differ.
    algorithm = algorithm if algorithm in {"sha256", "sha384", "sha512"} else "sha256"
    with archive.open(member) as stream:
        text = base64.urlsafe_b64encode(_digest(stream, algorithm)).rstrip(b"=").decode("ascii")
    return Row(member, f"{algorithm}={text}", str(archive.getinfo(member).file_size))


def _is_elf(archive: zipfile.ZipFile, member: str) -> bool:
    if _SUFFIX.search(member):
        return True
    with archive.open(member) as stream:
        return stream.read(len(MAGIC)) == MAGIC


def _read_member(archive: zipfile.ZipFile, member: str) -> Elf | BadElf:
    try:
        return read_elf(archive.read(member))
    except BadElf as error:
        return error


def _extension(member: str, elf: Elf | BadElf) -> Extension | None:
    folder, _, file = member.rpartition("/")
    name, dot, rest = file.partition(".")
    if not rest.endswith("so"):
        return None
    if name == "__init__":  # a package that is an extension itself is imported under the name of its folder
        name = folder.rpartition("/")[2]
    extension = Extension(member, name, dot + rest, elf)
    if _SUFFIX.fullmatch(extension.suffix):
        return extension
    exports = elf.defined if isinstance(elf, Elf) else frozenset()
    return extension if any(symbol.startswith(("PyInit_", "PyModExport_")) for symbol in exports) else None


def top_level_modules(path: Path) -> tuple[str, ...]:
    """What a wheel lets one import, by the shortest names: ``numpy``; below a namespace package, its packages."""
    wheel = read_wheel(path)
    members = {extension.member for extension in wheel.extensions}
    members |= {member for member in wheel.members if member.endswith(".py")}
    modules = {name for member in members if (name := _module(wheel.installed(member)))}
    # A module is imported with the package that it is in.
    return tuple(sorted(name for name in modules if not any(parent in modules for parent in _parents(name))))


def _module(member: str) -> str:
    """``a/b.cpython-313-aarch64-linux-gnu.so`` -> ``a.b``; empty for what no import names."""
    folder, _, file = member.rpartition("/")
    stem = file.partition(".")[0]
    parts = [*filter(None, folder.split("/")), *([] if stem == "__init__" else [stem])]
    # A script in a data folder: nobody can import that.
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) and stem != "__main__" else ""


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
