"""Reads wheel files: name, metadata, members, and the ELF files among them.

Everything is read directly from the archive, once; only large libraries are copied to temporary files.
"""

from __future__ import annotations

import configparser
import contextlib
import csv
import hashlib
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.tags import Tag, compatible_tags, cpython_tags, parse_tag
from packaging.utils import InvalidWheelFilename, NormalizedName, parse_wheel_filename
from packaging.version import Version

from crosswheel.errors import AuditFailed, UsageError
from crosswheel.formats.elf import BadElf, Elf
from crosswheel.formats.extensions import Extension, extension_at
from crosswheel.formats.wheel_contents import Budgets, Content, Row, read_content
from crosswheel.formats.wheel_names import split_name
from crosswheel.formats.zips import MEMBERS, Archive, Unreadable, open_archive
from crosswheel.model.job import Artifact
from crosswheel.model.targets import (
    Architecture,
    Policy,
    PythonTag,
    Target,
    architecture_of,
    parse_platform,
    parse_python,
)

if TYPE_CHECKING:
    from email.message import Message

# NAME-VERSION(-BUILD)?-PYTHON-ABI-PLATFORM-LABEL.whl; no Python tag begins with a digit (PEP 825, draft as of 2026-08).
_VARIANT = re.compile(r"[^-]+-[^-]+(?:-\d[^-]*)?-[A-Za-z][^-]*-[^-]+-[^-]+-([0-9a-z_.]+)\.whl")
_LARGEST_TEXT = {"WHEEL": 1 << 16, "METADATA": 4 << 20, "RECORD": 16 << 20, "entry_points.txt": 1 << 20}
_LARGEST_SOURCE = 1 << 20
_DEEPEST = 20
_MOST_FIELDS = 5 * MEMBERS  # RECORD has two commas and two line ends for each
_MODULES = (".py", ".pyc", ".pyd", ".so")
_MOST_TAGS_IN_A_LINE = 100
_UP = "../../../"  # from PREFIX/lib/python3.13/site-packages
SCHEMES = {"platlib": "", "purelib": "", "data": _UP, "scripts": f"{_UP}bin/", "headers": f"{_UP}include/"}


@dataclass(frozen=True)
class Wheel:
    """One wheel file; `tag` is spelled as in the file name, `tags` is its expansion.

    `beside` are the files examined with it, which may include wheels that it requires.
    """

    path: Path
    name: NormalizedName
    version: Version
    build: tuple[()] | tuple[int, str]
    tags: frozenset[Tag]
    tag: str
    beside: tuple[Path, ...] = field(default=(), compare=False, repr=False)

    @cached_property
    def size(self) -> int:
        return self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        with self.path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

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
        """Every CPython whose ABI is in the tags."""
        return frozenset(_known_pythons(self.tags))

    @cached_property
    def platforms(self) -> tuple[tuple[Policy, Architecture], ...]:
        """Every platform in the tags, the oldest policy first."""
        known = {_known_platform(tag.platform) for tag in self.tags}
        return tuple(sorted(filter(None, known), key=lambda platform: (str(platform[1]), platform[0])))

    @cached_property
    def architectures(self) -> tuple[Architecture, ...]:
        """Every architecture in the Linux tags, even without a known policy."""
        known = {arch.name: arch for tag in self.tags if (arch := architecture_of(tag.platform))}
        return tuple(known[name] for name in sorted(known))

    @cached_property
    def archive(self) -> Archive:
        return open_archive(self.path)

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Every file of the archive in order."""
        return tuple(self.archive.files)

    @cached_property
    def dist_info(self) -> str:
        tops = {member.partition("/")[0] for member in self.members if "/" in member}
        found = sorted(top for top in tops if top.endswith(".dist-info"))
        if len(found) != 1:
            what = f"holds {', '.join(found[:3])}" if found else "has no .dist-info folder"
            raise AuditFailed(f"{self.path.name} is not a wheel: it {what}")
        return found[0]

    @cached_property
    def metadata(self) -> Message:
        return _headers(self._text("METADATA"))

    @cached_property
    def wheel_file(self) -> Message:
        """The WHEEL file: the build backend's description of the wheel."""
        return _headers(self._text("WHEEL"))

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
        reader = csv.reader(io.StringIO(self._text("RECORD"), newline=""))
        try:
            rows = [row[:3] for row in reader if row]
        except csv.Error as error:
            raise AuditFailed(f"the RECORD of {self.path.name} is not a CSV file: {error}") from error
        return tuple(Row(*row) for row in rows)

    @cached_property
    def contents(self) -> Mapping[str, Row]:
        """The correct row of RECORD for every member, with the hash algorithm that RECORD uses for it."""
        return {member: content.row for member, content in self._readable}

    @cached_property
    def elves(self) -> Mapping[str, Elf | BadElf]:
        """Every ELF file, and every file that must be one by its name."""
        return {member: content.elf for member, content in self._readable if content.elf is not None}

    @cached_property
    def credentials(self) -> Mapping[str, str]:
        """The members that contain credentials, with a description of the first."""
        return {member: content.credentials for member, content in self._readable if content.credentials}

    @cached_property
    def named_elves(self) -> Mapping[str, Elf]:
        """The binaries by file name and by soname; the loader accepts either."""
        named = {}
        for member, elf in self.elves.items():
            if isinstance(elf, Elf):
                named[member.rpartition("/")[2]] = elf
                named[elf.soname or member] = elf
        return named

    @cached_property
    def unreadable(self) -> Mapping[str, Unreadable]:
        """The members missing in `contents` and `elves`, with the reason."""
        return {member: content for member, content in self._contents.items() if isinstance(content, Unreadable)}

    @cached_property
    def extensions(self) -> tuple[Extension, ...]:
        return tuple(filter(None, (extension_at(member, elf) for member, elf in self.elves.items())))

    @cached_property
    def modules(self) -> Mapping[str, str]:
        """Every importable module by its dotted name with its member; .py files win."""
        extensions = {extension.member for extension in self.extensions}
        found: dict[str, str] = {}
        for member in sorted(self.members, key=lambda member: (not member.endswith(".py"), member)):
            # Of each name all parents are looked at: one that is made to harm may have thousands.
            if member.count("/") < _DEEPEST and (member in extensions or member.endswith(_MODULES)):
                found.setdefault(_module(self.installed(member)), member)
        found.pop("", None)
        return found

    @cached_property
    def packages(self) -> frozenset[str]:
        """The folders with modules, including namespace packages (PEP 420)."""
        return frozenset(parent for name in self.modules for parent in parents(name))

    @property
    def sboms(self) -> tuple[str, ...]:
        """The members that are software bills of materials (PEP 770)."""
        return tuple(member for member in self.members if member.startswith(f"{self.dist_info}/sboms/"))

    @cached_property
    def brought_along(self) -> frozenset[str]:
        """The libraries inside the wheel, by file name and by soname."""
        # A text with another file's name, which a link may become in a wheel, is not a library.
        names = {member.rpartition("/")[2] for member in (*self.elves, *self.unreadable)}
        return frozenset(names | {elf.soname for elf in self.elves.values() if isinstance(elf, Elf)} - {""})

    def text_of(self, member: str, largest: int = _LARGEST_SOURCE) -> str | None:
        """The text of a small file, such as a module; None if it is larger than 1 MiB or cannot be unpacked."""
        data = self.data_of(member, largest)
        return None if data is None else data.decode("utf-8-sig", "replace")

    def data_of(self, member: str, largest: int = _LARGEST_SOURCE) -> bytes | None:
        """The bytes of a small file; None if it is larger than 1 MiB or cannot be unpacked."""
        entry = self.archive.files[member]
        if entry.size > largest:
            return None
        try:
            return self.archive.read(entry)
        except Unreadable:
            return None

    def installed(self, member: str) -> str:
        """The installed path of a member, relative to site-packages."""
        if ".data/" not in member:
            return member
        top, _, rest = member.partition("/")
        scheme, _, path = rest.partition("/")
        if not top.endswith(".data") or scheme not in SCHEMES:
            return member
        # PREFIX/lib is two folders above site-packages; both spellings give the same path here.
        return re.sub(r"^(?:\.\./){3}lib/", "../../", SCHEMES[scheme] + path)

    @property
    def _readable(self) -> Iterator[tuple[str, Content]]:
        return ((member, content) for member, content in self._contents.items() if isinstance(content, Content))

    @cached_property
    def _contents(self) -> Mapping[str, Content | Unreadable]:
        """Unpack every member once; an audit spends most of its time here."""
        chosen = {row.path: row.digest.partition("=")[0] for row in self.record}
        budgets = Budgets()
        with self.path.open("rb") as stream:
            return {
                name: read_content(self.archive.unpack(stream, entry), entry, chosen.get(name, ""), budgets)
                for name, entry in self.archive.files.items()
            }

    def _text(self, name: str) -> str:
        member = f"{self.dist_info}/{name}"
        entry = self.archive.files.get(member)
        if entry is None:
            raise AuditFailed(f"{self.path.name} is not a wheel: it has no {member}")
        if entry.size > _LARGEST_TEXT[name]:
            raise AuditFailed(f"{self.path.name}: {member} has {entry.size} bytes, the limit is {_LARGEST_TEXT[name]}")
        try:
            text = self.archive.read(entry).decode("utf-8", "backslashreplace")
        except Unreadable as error:
            raise AuditFailed(f"{self.path.name} is not a wheel: {member} cannot be unpacked: {error}") from error
        # Each header and field becomes an object, which is many times as large.
        if sum(map(text.count, "\n\r,")) > _MOST_FIELDS:
            raise AuditFailed(f"{self.path.name}: {member} has more than {_MOST_FIELDS} lines and fields")
        return text


def _headers(text: str) -> Message:
    from email.parser import HeaderParser

    return HeaderParser().parsestr(text)


def read_wheel(path: Path, beside: tuple[Path, ...] = ()) -> Wheel:
    """Open a wheel. Raises AuditFailed at once if the file is no wheel, so that an audit does not fail half way."""
    wheel = replace(named_wheel(path), beside=beside)
    _ = wheel.dist_info
    return wheel


def named_wheel(path: Path) -> Wheel:
    """A wheel by its file name, without reading it: for a wheel that was read before. Raises AuditFailed."""
    try:
        name, version, build, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        reason = variant_refused(path.name) or f"{path.name} is not the name of a wheel: {error}"
        raise AuditFailed(reason) from error
    return Wheel(path, name, version, build, tags, split_name(path.name).tag)


def entry_points(wheel: Wheel) -> Iterator[tuple[str, str, str]]:
    """Group, name and object reference of each entry point. Raises configparser.Error for an invalid file."""
    # [DEFAULT] is a group like any other here, and must not add its names to all others.
    parser = configparser.RawConfigParser(delimiters=("=",), default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are case-sensitive
    parser.read_string(wheel.entry_points)
    for group in parser.sections():
        yield from ((group, name, reference.strip()) for name, reference in parser[group].items())


def variant_refused(file_name: str) -> str:
    """Why a wheel variant (PEP 825) is not read; empty for any other file name."""
    variant = _VARIANT.fullmatch(file_name)
    if not variant:
        return ""
    return f"{file_name} is a wheel variant ({variant[1]}): PEP 825 is a draft, and indexes and pip refuse variants"


def accepted_tags(target: Target, platforms: Iterable[str] = ()) -> frozenset[Tag]:
    """The tags that pip on the target accepts, for all of the platform's names."""
    version, names = (3, target.python.minor), [target.platform, *platforms]
    own = cpython_tags(version, [target.python.abi], names)
    return frozenset((*own, *compatible_tags(version, target.python.interpreter, names)))


def may_serve_others(file_name: str) -> bool:
    """Whether the wheel may serve other targets besides its own."""
    return any(tag.abi in {"abi3", "abi3t", "none"} for tag in parse_wheel_filename(file_name)[3])


def serves(file_name: str, target: Target) -> bool:
    """Whether a wheel for another target works for this one: pure, for the stable ABI, or without an ABI."""
    return not accepted_tags(target).isdisjoint(parse_wheel_filename(file_name)[3])


def artifact(path: Path) -> Artifact:
    """The artifact of a wheel that has passed its audit."""
    wheel = named_wheel(path)
    return Artifact(path=path, size=wheel.size, sha256=wheel.sha256, tag=wheel.tag)


def _expand(tag: str) -> Iterator[str]:
    if math.prod(part.count(".") + 1 for part in tag.split("-")) > _MOST_TAGS_IN_A_LINE:
        yield tag
        return
    try:
        yield from map(str, parse_tag(tag.strip()))
    except ValueError:
        yield tag  # unchanged, to show a difference from the file name


def _known_pythons(tags: frozenset[Tag]) -> Iterator[PythonTag]:
    for tag in tags:
        with contextlib.suppress(UsageError):
            yield parse_python(tag.interpreter if tag.abi == "none" else tag.abi)


def _known_platform(text: str) -> tuple[Policy, Architecture] | None:
    with contextlib.suppress(UsageError):
        return parse_platform(text)
    return None


def top_level_modules(wheel: Wheel) -> tuple[str, ...]:
    """The top-level import names of a wheel: ``numpy``; for a namespace package, the packages in it."""
    extensions = {extension.member for extension in wheel.extensions}
    modules = {
        name
        for name, member in wheel.modules.items()
        if (member.endswith(".py") or member in extensions) and name.rpartition(".")[2] != "__main__"
    }
    # The module's package is imported with it.
    return tuple(sorted(name for name in modules if not any(parent in modules for parent in parents(name))))


def _module(member: str) -> str:
    """``a/b.cpython-313-aarch64-linux-gnu.so`` -> ``a.b``; empty for a file that cannot be imported."""
    folder, _, file = member.rpartition("/")
    stem = file.partition(".")[0]
    parts = [*filter(None, folder.split("/")), *([] if stem == "__init__" else [stem])]
    # A script in a data folder cannot be imported.
    return ".".join(parts) if parts and all(part.isidentifier() for part in parts) else ""


def parents(name: str) -> Iterator[str]:
    """The packages around a module, the innermost first: ``a.b`` and ``a`` for ``a.b.c``."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
