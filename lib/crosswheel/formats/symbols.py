"""What binaries find on a user's machine: the symbols of CPython, of C libraries, and of others that policies allow.

The lists are data/symbols-*.txt, written by `nox -s refresh-symbols`. Each has a section per library, and in it a line
per symbol, with where it exists; a name that ends in ``*`` stands for all that begin so, as C++ names differ with the
architecture. The section [sources] says where the lists come from.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources

from crosswheel.model.targets import Policy, PythonTag, python_tags

# What every Python has loaded before it loads an extension. CPython is linked with all of these, or was before glibc
# made them one; the loader itself (ld-linux-aarch64.so.1, ...) stands under one name for all architectures.
_GLIBC = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "ld.so")
# musl's loader takes itself for every library with one of these names, whatever follows (rules/promise.py).
_LOADER = re.compile(r"ld-linux[\w.-]*|ld64\.so\.[12]|ld-musl-\w+\.so\.1|lib(?:c|pthread|rt|m|dl|util|xnet)\..*")


@dataclass(frozen=True)
class Exports:
    """The symbols of one library by name, with where each exists."""

    names: Mapping[str, str] = field(default_factory=dict)
    beginnings: tuple[str, ...] = ()

    def __contains__(self, name: str) -> bool:
        return name in self.names or name.startswith(self.beginnings)


def python_has(name: str, python: PythonTag) -> bool:
    return name in _names_of(python)


@functools.cache
def _names_of(python: PythonTag) -> frozenset[str]:
    listed = _sections("cpython")["python"].names
    return frozenset(name for name, where in listed.items() if any(_covers(span, python) for span in where.split()))


def is_of_python(name: str) -> bool:
    """Whether any CPython known here has it."""
    return name in _sections("cpython")["python"]


@functools.cache
def known_pythons() -> frozenset[PythonTag]:
    """Those whose symbols could be read."""
    return frozenset(python for python in python_tags() if str(python) in _sections("cpython")["sources"])


def libc_has(name: str, policy: Policy) -> bool:
    """Whether the C library that is promised has it, or any library that Python itself has loaded with it.

    For musl the promise is its newest release: its symbols have no versions, and its policies name no patch release.
    """
    if policy.libc == "musl":
        return name in _sections("musl")["libc.so"]
    return _glibc_since().get(name, math.inf) <= policy.minor


def is_listed(library: str) -> bool:
    """Whether the symbols of this library of a system are known here."""
    return bool(_LOADER.fullmatch(library)) or library in _sections("glibc") or library in _sections("libraries")


def library_has(library: str, name: str) -> bool:
    """For libraries that an extension may need, besides what Python itself has loaded."""
    return any(name in _sections(data)[library] for data in ("glibc", "libraries") if library in _sections(data))


@functools.cache
def _glibc_since() -> Mapping[str, int]:
    """Of each symbol, the minor version of the glibc that was first to have it."""
    found: dict[str, int] = {}
    for library in _GLIBC:
        for name, version in _sections("glibc")[library].names.items():
            minor = int(version.partition(".")[2])
            found[name] = min(minor, found.get(name, minor))
    return found


def _covers(span: str, python: PythonTag) -> bool:
    """Whether ``9-13`` or ``14``, or with a t ``13t-15t``, speaks of this Python."""
    first, _, last = span.replace("t", "").partition("-")
    return span.endswith("t") == python.free_threaded and int(first) <= python.minor <= int(last or first)


@functools.cache
def _sections(name: str) -> Mapping[str, Exports]:
    text = resources.files("crosswheel").joinpath("data", f"symbols-{name}.txt").read_text("utf-8")
    parts = re.split(r"^\[(.+)\]\n", text, flags=re.MULTILINE)
    return {title: _exports(body) for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def _exports(body: str) -> Exports:
    rows = (line.partition(" ") for line in body.splitlines() if line)
    names = {name: where for name, _, where in rows}
    return Exports(names, tuple(name[:-1] for name in names if name.endswith("*")))
