"""The symbols that binaries find on users' machines: of CPython, of C libraries, and of libraries in policies.

`nox -s refresh-symbols` writes the lists data/symbols-*.txt. A list has a section per library and a line per symbol
with the versions that have it, or without them if they are those of the section's title; a name that ends in ``*`` is
a prefix, because C++ names differ between architectures.
The section [sources] states the origin of the lists. Lines are sorted, and the first character of a line says how many
characters it shares with the line before it (0-9, a-z, A-Z for 0 to 61): `0sin`, `3f`, `3h` are sin, sinf and sinh.
"""

from __future__ import annotations

import functools
import math
import os.path
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources

from crosswheel.model.targets import Policy, PythonTag, python_tags

# Libraries that every Python loads before an extension. CPython is linked with them, or was before glibc merged them;
# the loader (ld-linux-aarch64.so.1, ...) has one name for all architectures here.
_GLIBC = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "ld.so")
# musl's loader provides all libraries whose names begin so (audit/rules/promise.py).
_LOADER = re.compile(r"ld-linux[\w.-]*|ld64\.so\.[12]|ld-musl-\w+\.so\.1|lib(?:c|pthread|rt|m|dl|util|xnet)\..*")

_SHARED = string.digits + string.ascii_letters


@dataclass(frozen=True)
class Exports:
    """The symbols of one library by name, with the versions that have them."""

    names: Mapping[str, str] = field(default_factory=dict)
    beginnings: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.names or name.startswith(self.beginnings)


def python_has(name: str, python: PythonTag) -> bool:
    return name in _names_of(python)


@functools.cache
def _names_of(python: PythonTag) -> frozenset[str]:
    listed = _exports("cpython", "python").names
    return frozenset(name for name, where in listed.items() if any(_covers(span, python) for span in where.split()))


def is_of_python(name: str) -> bool:
    """Whether any known CPython has the symbol."""
    return name in _exports("cpython", "python")


@functools.cache
def known_pythons() -> frozenset[PythonTag]:
    """The CPythons whose symbols are known."""
    return frozenset(python for python in python_tags() if str(python) in _exports("cpython", "sources"))


def libc_has(name: str, policy: Policy) -> bool:
    """Whether the C library, or a library that Python loads with it, has the symbol at the given version.

    For musl its newest release counts: its symbols have no versions, and its policies name no patch release.
    """
    if policy.libc == "musl":
        return name in _exports("musl", "libc.so")
    return _glibc_since().get(name, math.inf) <= policy.minor


def is_listed(library: str) -> bool:
    """Whether the symbols of this system library are known."""
    return bool(_LOADER.fullmatch(library)) or library in _sections("glibc") or library in _sections("libraries")


def library_has(library: str, name: str) -> bool:
    """Whether a library has the symbol; for libraries that Python does not load itself."""
    return any(name in _exports(data, library) for data in ("glibc", "libraries") if library in _sections(data))


@functools.cache
def _glibc_since() -> Mapping[str, int]:
    """Each symbol with the minor version of the glibc that added it."""
    found: dict[str, int] = {}
    for library in _GLIBC:
        for name, version in _exports("glibc", library).names.items():
            minor = int(version.partition(".")[2])
            found[name] = min(minor, found.get(name, minor))
    return found


def _covers(span: str, python: PythonTag) -> bool:
    """Whether a range (``9-13``, ``14``, or free-threaded ``13t-15t``) includes this Python."""
    first, _, last = span.replace("t", "").partition("-")
    return span.endswith("t") == python.free_threaded and int(first) <= python.minor <= int(last or first)


@functools.cache
def _exports(data: str, library: str) -> Exports:
    usual, body = _sections(data)[library]
    rows = (line.partition(" ") for line in unshortened(body.splitlines()))
    names = {name: where or usual for name, _, where in rows}
    return Exports(names, tuple(name[:-1] for name in names if name.endswith("*")))


@functools.cache
def _sections(data: str) -> Mapping[str, tuple[str, str]]:
    """What each section of a list says in its title beside the library, and its lines."""
    text = resources.files("crosswheel").joinpath("data", f"symbols-{data}.txt").read_text("utf-8")
    parts = re.split(r"^\[(\S+) ?(.*)\]\n", text, flags=re.MULTILINE)
    titles = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    return {title: (usual, body.rstrip()) for title, usual, body in titles}


def shortened(lines: Iterable[str]) -> Iterator[str]:
    """Each line without what it shares with the line before it."""
    before = ""
    for line in lines:
        alike = os.path.commonprefix([before, line])  # noqa: RUF071 - characters are meant
        shared = min(len(alike), len(_SHARED) - 1)
        yield _SHARED[shared] + line[shared:]
        before = line


def unshortened(lines: Iterable[str]) -> Iterator[str]:
    """The lines that `shortened` was given."""
    lengths = {character: length for length, character in enumerate(_SHARED)}
    before = ""
    for line in lines:
        before = before[: lengths[line[0]]] + line[1:]
        yield before
