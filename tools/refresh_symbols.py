"""Writes lib/crosswheel/data/symbols-*.txt: what a user's Python, C library and other libraries export.

CPythons are those of this machine, those that uv can download, and Debian's; two builds of one version may differ in
private symbols, so all that any of them has is taken. glibc's history comes with Zig, musl's symbols come with Zig and
Debian (an older musl has names that the newer one keeps for the loader only), other libraries are Debian's.

Nothing of another architecture runs. A CPython that is nowhere to be had is named, and the audit does not judge it; to
have it read, put its interpreter in PATH under its usual name, such as python3.14t.
"""

from __future__ import annotations

import os
import re
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from crosswheel.errors import MissingTool
from crosswheel.formats.elf import read_elf
from crosswheel.formats.symbols import shortened
from crosswheel.model.job import Event
from crosswheel.model.targets import PythonTag, architectures, python_tags
from crosswheel.system.interpreters import fetch_interpreter, find_interpreters
from crosswheel.system.locks import user_cache
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import read_pip_settings
from crosswheel.system.process import Processes
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.zig import ensure_zig

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from debian import unpacked

DATA = Path(__file__).parents[1] / "lib" / "crosswheel" / "data"

Sections = Mapping[str, Mapping[str, str]]
"""By library, where each symbol exists: see crosswheel/formats/symbols.py."""

# Debian's suites with a CPython 3.X.
_PYTHONS = {9: "bullseye", 11: "bookworm", 13: "trixie", 14: "sid", 15: "sid"}

# The libraries that manylinux and musllinux policies allow, besides glibc's own, in an old and a new suite, by package.
_COMMON = ("libgl1", "libx11-6", "libxext6", "libxrender1", "libice6", "libsm6", "libc6", "libexpat1", "zlib1g")
_LIBRARIES = {"bullseye": (*_COMMON, "libglib2.0-0"), "trixie": (*_COMMON, "libglib2.0-0t64")}
_NAMES = (
    "libGL.so.1", "libICE.so.6", "libSM.so.6", "libX11.so.6", "libXext.so.6", "libXrender.so.1", "libanl.so.1",
    "libexpat.so.1", "libglib-2.0.so.0", "libgobject-2.0.so.0", "libgthread-2.0.so.0", "libmvec.so.1", "libnsl.so.1",
    "libz.so.1",
)  # fmt: skip

# What releases add to these belongs to families of names, such as g_array_*. A family may not cover a name of another
# library, also of these packages: an extension that is not linked with that one would pass.
_GROWING = ("libX11.so.6", "libglib-2.0.so.0", "libgobject-2.0.so.0")
_THEIR_NEIGHBOURS = (
    "libxcomposite1", "libxcursor1", "libxdamage1", "libxfixes3", "libxi6", "libxinerama1", "libxrandr2", "libxtst6",
)  # fmt: skip
_WORD = re.compile(r"_*[A-Z]?[a-z0-9]*_*")

# Of these the symbols differ with the architecture. Debian's words for ours.
_RUNTIMES = ("libatomic1", "libgcc-s1", "libstdc++6")
_RUNTIME_NAMES = ("libatomic.so.1", "libgcc_s.so.1", "libstdc++.so.6")
_ARCHITECTURES = ("amd64", "arm64", "armhf", "i386", "ppc64el", "riscv64", "s390x")

_OLDEST = (2, 5)
_GLIBC_FILES = {
    "c": "libc.so.6",
    "m": "libm.so.6",
    "pthread": "libpthread.so.0",
    "dl": "libdl.so.2",
    "rt": "librt.so.1",
    "util": "libutil.so.1",
    "ld": "ld.so",
    "resolv": "libresolv.so.2",
}

# Each graphics driver brings its own libGL, with functions of its own: 3,000 names of Debian's would be no more true.
_BY_DRIVER = {"libGL.so.1": "gl"}
# What the linker adds, what libraries call their own versions, and the hooks of modules inside the interpreter.
_NOBODYS = re.compile(
    r"_init|_fini|_start|_edata|_end|__bss_start|_*data_start|_IO_stdin_used|PyInit_\w+|(?:GLIBCXX|CXXABI|GCC)_[\w.]+"
)
# A C++ name up to the namespace that it is in: std, one of its short forms, or one of libstdc++'s own.
_CXX_NAMESPACE = re.compile(r"_Z\w*?(?:St|S[abdios](?=[A-Z\d])|\d+__(?:gnu_[a-z]+|cxxabiv1))")


@dataclass(frozen=True)
class Build:
    """One CPython that could be read."""

    python: PythonTag
    name: str
    symbols: frozenset[str]


def exported(*paths: Path) -> frozenset[str]:
    names = (name for path in paths for name in read_elf(path.read_bytes()).defined)
    return frozenset(name for name in names if not _NOBODYS.fullmatch(name))


def builds_here(processes: Processes, environ: Mapping[str, str]) -> Iterator[Build]:
    found = find_interpreters(processes, environ)
    for python in python_tags():
        if python not in found and python.minor not in ({} if python.free_threaded else _PYTHONS):
            try:
                found[python] = fetch_interpreter(python, processes, environ)
            except MissingTool:
                continue
        if python in found:
            interpreter = found[python]
            yield Build(python, f"CPython {interpreter.version}", exported(*_elves(interpreter.path, python)))


def builds_of_debian(cache: Path) -> Iterator[Build]:
    for minor, suite in _PYTHONS.items():
        root = unpacked("amd64", [f"python3.{minor}-minimal"], suite, cache)
        yield Build(PythonTag(minor), f"Debian {suite}", exported(root / "usr" / "bin" / f"python3.{minor}"))


def _elves(interpreter: Path, python: PythonTag) -> Iterator[Path]:
    """The program, and the library that has all of Python if it was built so."""
    yield interpreter
    flag = "t" if python.free_threaded else ""
    yield from (interpreter.parents[1] / "lib").glob(f"libpython{python.version}{flag}.so.*")


def python_sections(builds: Collection[Build]) -> Sections:
    """``[python]``, where ``9-11 14 13t`` says in which minor versions of CPython 3 a symbol exists."""
    read = sorted({build.python for build in builds}, key=python_tags().index)
    sources = {str(python): ", ".join(build.name for build in builds if build.python == python) for python in read}
    having: dict[str, set[PythonTag]] = {}
    for build in builds:
        for name in build.symbols:
            having.setdefault(name, set()).add(build.python)
    return {"sources": sources, "python": {name: " ".join(_spans(having[name], read)) for name in sorted(having)}}


def _spans(having: Collection[PythonTag], read: Iterable[PythonTag]) -> Iterator[str]:
    for flag in ("", "t"):
        span: list[int] = []
        for python in (python for python in read if python.free_threaded == bool(flag)):
            if python in having:
                span.append(python.minor)
            elif span:
                yield _span(span, flag)
                span = []
        if span:
            yield _span(span, flag)


def _span(minors: list[int], flag: str) -> str:
    return "-".join(f"{minor}{flag}" for minor in dict.fromkeys((minors[0], minors[-1])))


def glibc_sections(abilists: bytes, targets: Collection[str]) -> Sections:
    """By library, the version that was first to have a symbol on any of these targets, in Zig's words.

    No policy is older than glibc 2.5: what older ones have counts as that.
    """
    first: dict[str, dict[str, tuple[int, int]]] = {}
    for name, library, target, version in _inclusions(abilists):
        if target in targets:
            known = first.setdefault(_GLIBC_FILES[library], {})
            known[name] = max(_OLDEST, min(version, known.get(name, version)))
    return {
        library: {name: f"{major}.{minor}" for name, (major, minor) in sorted(names.items())}
        for library, names in sorted(first.items())
    }


def _inclusions(data: bytes) -> Iterator[tuple[str, str, str, tuple[int, int]]]:
    """Symbol, library, target and version: the format is described in the README of ziglang/libc-abi-tools."""
    reader = _Reader(data)
    libraries = [reader.text() for _ in range(reader.byte())]
    versions = [(reader.byte(), reader.byte(), reader.byte()) for _ in range(reader.byte())]
    targets = [reader.text() for _ in range(reader.byte())]
    for part in count():
        if reader.at >= len(data):
            return
        left = reader.short()
        while left:
            name, last = reader.text(), 0
            while not last:
                mask = reader.number()
                if part:  # functions come first, then objects, which have a size
                    reader.number()
                library = reader.byte()
                left, last = left - 1, library & 0x80
                for version in reader.bytes_until_marked():
                    for number, target in enumerate(targets):
                        if mask >> number & 1:
                            yield name, libraries[library & 0x7F], target, versions[version][:2]


class _Reader:
    """Takes one thing after another from bytes."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def short(self) -> int:
        self.at += 2
        return int(struct.unpack_from("<H", self._data, self.at - 2)[0])

    def number(self) -> int:
        """An integer of any length, seven bits a byte (LEB128)."""
        value = 0
        for shift in count(step=7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004
                break
        return value

    def text(self) -> str:
        start, self.at = self.at, self._data.index(0, self.at) + 1
        return self._data[start : self.at - 1].decode("ascii")

    def bytes_until_marked(self) -> Iterator[int]:
        """Small numbers, the last of which has its highest bit set."""
        byte = 0
        while byte < 0x80:  # noqa: PLR2004
            byte = self.byte()
            yield byte & 0x7F


def musl_symbols(assembly: str) -> frozenset[str]:
    """Every symbol of Zig's stub of musl, whichever architecture it is for."""
    return frozenset(re.findall(r"^(?:\.globl|\.weak|WEAK64|WEAKTIME64) (\w+)$", assembly, re.MULTILINE))


def library_sections(cache: Path) -> Sections:
    found: dict[str, set[str]] = {}
    everywhere: dict[str, set[str]] = {}
    for suite, packages in _LIBRARIES.items():
        for path in (unpacked("amd64", [*packages, *_THEIR_NEIGHBOURS], suite, cache) / "usr" / "lib").rglob("*.so.*"):
            if path.is_file() and not path.is_symlink():
                everywhere.setdefault(read_elf(path.read_bytes()).soname, set()).update(exported(path))
        _collect(unpacked("amd64", packages, suite, cache), _NAMES, found)
        for architecture in _ARCHITECTURES if suite == "trixie" else ("amd64",):
            _collect(unpacked(architecture, _RUNTIMES, suite, cache), _RUNTIME_NAMES, found)
    for library, beginning in _BY_DRIVER.items():
        found[library] = {f"{beginning}*", *(name for name in found[library] if not name.startswith(beginning))}
    for library in _GROWING:
        others = set().union(*(names for other, names in everywhere.items() if other != library))
        found[library] = {family(name, others) for name in found[library]}
    return {library: dict.fromkeys(_shortened(found[library]), "") for library in sorted(found)}


def _collect(root: Path, libraries: Iterable[str], found: dict[str, set[str]]) -> None:
    for library in libraries:
        path = next(path for path in sorted((root / "usr" / "lib").rglob(library)) if path.is_file())
        found.setdefault(library, set()).update(exported(path))


def family(name: str, others: Collection[str]) -> str:
    """The first words of a name that none of the others begins with; the name itself if it takes all of them."""
    words = [word for word in _WORD.findall(name) if word]
    for beginning in map("".join, (words[:taken] for taken in range(2, len(words)))):
        if not any(other.startswith(beginning) for other in others):
            return f"{beginning}*"
    return name


def _shortened(names: Iterable[str]) -> list[str]:
    """C++ names differ with the architecture, as the types in them do: of those in std, the beginning says enough."""
    matches = (_CXX_NAMESPACE.match(name) for name in names)
    beginnings = tuple({match[0] for match in matches if match})
    kept = {name for name in names if not name.startswith(beginnings)}
    return sorted(kept | {f"{beginning}*" for beginning in beginnings if not _is_longer(beginning, beginnings)})


def _is_longer(text: str, others: Iterable[str]) -> bool:
    return any(text != other and text.startswith(other) for other in others)


def write(name: str, sections: Sections) -> None:
    text = "# Written by `nox -s refresh-symbols`; read by crosswheel/formats/symbols.py.\n"
    for title, rows in sections.items():
        usual = "" if title == "sources" else Counter(rows.values()).most_common(1)[0][0]
        lines = shortened(symbol if where == usual else f"{symbol} {where}" for symbol, where in rows.items())
        text += f"\n[{f'{title} {usual}'.rstrip()}]\n" + "".join(f"{line}\n" for line in lines)
    (DATA / f"symbols-{name}.txt").write_text(text, "utf-8")


def _say(event: Event) -> None:
    print(event)  # noqa: T201


def main() -> None:
    environ, processes = dict(os.environ), Processes()
    cache = user_cache(environ)
    libc = ensure_zig(Index(read_pip_settings(processes, environ), cache), cache, processes, _say).program.parent
    libc = libc / "lib" / "libc"
    zig = {"zig": f"Zig {version_of('zig')}"}
    # In a new folder: a suite that rolls has newer CPythons by now than a kept one.
    with tempfile.TemporaryDirectory() as folder:
        builds = [*builds_here(processes, environ), *builds_of_debian(Path(folder))]
        write("cpython", python_sections(builds))
        targets = {arch.zig for arch in architectures().values()}
        abilists = (libc / "glibc" / "abilists").read_bytes()
        write("glibc", {"sources": zig, **glibc_sections(abilists, targets)})
        old = unpacked("amd64", ["musl"], "bullseye", Path(folder)) / "usr" / "lib" / "x86_64-linux-musl" / "libc.so"
        musl = musl_symbols((libc / "musl" / "libc.S").read_text("utf-8")) | exported(old)
        write("musl", {"sources": {**zig, "Debian": "bullseye"}, "libc.so": dict.fromkeys(sorted(musl), "")})
        write("libraries", {"sources": {"Debian": ", ".join(_LIBRARIES)}, **library_sections(Path(folder))})
    for python in python_tags():
        if not any(build.python == python for build in builds):
            print(f"{python}: no build to be had; what an extension wants of it is not judged")  # noqa: T201


if __name__ == "__main__":
    main()
