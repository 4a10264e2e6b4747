"""What a build sees of this machine: a read-only system, and only those files of the user that it needs.

A build runs code of its project and of all its requirements, as the same user. In a namespace of its own it has a
private HOME, /tmp and /proc; the caller's home folder, caches and sockets, such as Docker's, are not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from crosswheel.system.namespaces import (
    Mount,
    Namespace,
    bind,
    binfmt,
    devices,
    link,
    locked,
    merged,
    overlay,
    proc,
    tmpfs,
)

_SYSTEM_FOLDERS = (
    "/bin", "/gnu", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/opt", "/sbin", "/snap", "/usr",
)  # fmt: skip
# Settings that programs read, and no passwords: root could read all of /etc.
_SETTINGS = (
    "alternatives", "bash.bashrc", "ca-certificates", "crypto-policies", "debian_version", "gai.conf", "group",
    "host.conf", "hosts", "ld-musl-aarch64.path", "ld-musl-x86_64.path", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
    "localtime", "login.defs", "lsb-release", "magic", "mime.types", "nsswitch.conf", "os-release", "passwd", "pki",
    "profile", "protocols", "resolv.conf", "services", "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
_PROGRAMS = Path("/usr/bin")
_PROCESSORS = Path("/sys/devices/system/cpu")
# Of an installation like /usr: not the folder itself, which may be the user's home.
_INSTALLED = ("bin", "include", "lib", "lib64", "libexec")
# Files of an environment of venv and of conda: nothing else lies in its folder.
_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")
# pyenv, asdf and others put small programs there, which start those in folders beside it.
_SHIMS = "shims"

# linux/capability.h: chown, dac_override, fowner and fsetid. root may build a project that belongs to somebody else.
_OF_FILES = frozenset({0, 1, 3, 4})


@dataclass(frozen=True)
class Layer:
    """Changes in `folder` go to folders in `changes`, and only those who see both see them."""

    folder: Path
    changes: Path

    @property
    def mount(self) -> Mount:
        for each in (self._upper, self._work):
            each.mkdir(parents=True, exist_ok=True)
        return overlay(self.folder, [self.folder], self._upper, self._work)

    def end(self) -> None:
        """Remove what the kernel leaves without any right, so that the folder can be removed."""
        with suppress(OSError):
            (self._work / "work").rmdir()

    @property
    def _upper(self) -> Path:
        return self.changes / "upper"

    @property
    def _work(self) -> Path:
        return self.changes / "work"


@dataclass(frozen=True)
class Sandbox:
    """Besides the system, a build sees `readable`, and may change `writable`; `hidden` is not seen if it lies in these.

    `temporary` becomes /tmp and /var/tmp. `emulators` are lines for binfmt_misc. `cpuinfo` is a file in the place of
    /proc/cpuinfo. `programs` is a folder with programs in the place of those of the same name in /usr/bin.
    """

    temporary: Path
    writable: tuple[Path, ...]
    readable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    layers: tuple[Layer, ...] = ()
    emulators: tuple[str, ...] = ()
    cpuinfo: Path | None = None
    programs: Path | None = None

    def showing(self, *, writable: Iterable[Path] = (), readable: Iterable[Path] = ()) -> Sandbox:
        """The sandbox of a command that needs more."""
        return replace(self, writable=(*self.writable, *writable), readable=(*self.readable, *readable))

    @contextmanager
    def entered(self) -> Iterator[Namespace]:
        """The namespace for one command."""
        try:
            yield self._namespace()
        finally:
            for layer in self.layers:
                layer.end()

    def _namespace(self) -> Namespace:
        view = _View(_existing(self.readable), _existing(self.writable), _existing(self.hidden))
        mounts = {mount.target: mount for mount in (*_system(), *_temporary(self.temporary), *view.mounts)}
        instead = [merged(_PROGRAMS, (self.programs, _PROGRAMS))] if self.programs else []
        layers = (layer.mount for layer in self.layers)
        kernel = _kernel(self.emulators, self.cpuinfo)
        closed = (locked(path) for path in view.covered)
        return Namespace(
            (tmpfs("/"), *_in_order(mounts.values()), *instead, *layers, *kernel, *closed, locked()),
            capabilities=_OF_FILES,
        )


@dataclass(frozen=True)
class _View:
    """Existing paths, as in Sandbox. They are texts for speed."""

    readable: tuple[str, ...]
    writable: tuple[str, ...]
    hidden: tuple[str, ...]

    @property
    def mounts(self) -> Iterator[Mount]:
        """Of several for one target, the last counts."""
        shown = [*_SYSTEM_FOLDERS, *self.writable]
        for path in sorted(self.readable):
            if not self._is_seen(path, shown):
                yield _shown(path)
                shown.append(path)
        yield from map(tmpfs, self.covered)
        yield from (_shown(path, writable=True) for path in self.writable)

    @property
    def covered(self) -> tuple[str, ...]:
        """The hidden folders that would be seen."""
        shown = (*_SYSTEM_FOLDERS, *self.readable, *self.writable)
        seen = (path for path in self.hidden if any(_is_in(path, each) for each in shown))
        return tuple(path for path in seen if path not in self.writable)

    def _is_seen(self, path: str, shown: Iterable[str]) -> bool:
        """Whether one of the mounts shows a path, and nothing that is hidden lies between."""
        real = os.path.realpath(path)
        covers = [each for each in self.hidden if _is_in(path, each)]
        around = [each for each in shown if _is_in(path, each) and not any(_is_in(cover, each) for cover in covers)]
        return bool(around) and (real == path or self._is_seen(real, shown))


def _shown(path: str, *, writable: bool = False) -> Mount:
    """A mount of a path, or a link to where it leads, which is mounted too."""
    real = os.path.realpath(path)
    return bind(path, writable=writable) if path == real else link(real, path)


def _existing(paths: Iterable[Path]) -> tuple[str, ...]:
    """The paths that exist and can be read, and what they are links to."""
    both = (place for path in paths for place in (str(path.absolute()), os.path.realpath(path)))
    return tuple(place for place in dict.fromkeys(both) if os.access(place, os.R_OK))


def _temporary(folder: Path) -> Iterator[Mount]:
    for target in ("/tmp", "/var/tmp"):  # noqa: S108 - the build's own
        yield bind(folder, target, writable=True)


def _kernel(emulators: Sequence[str], cpuinfo: Path | None) -> Iterator[Mount]:
    yield from devices()
    yield proc()
    if cpuinfo:
        yield bind(cpuinfo, "/proc/cpuinfo")
    if emulators:
        yield binfmt(emulators)


def _system() -> Iterator[Mount]:
    for path in map(Path, _SYSTEM_FOLDERS):
        if path.is_symlink():
            yield link(str(path.readlink()), str(path))
        elif path.is_dir():
            yield bind(path)
    settings = (Path("/etc", name) for name in _SETTINGS)
    for path in (*settings, _PROCESSORS):
        if os.access(path, os.R_OK):
            yield bind(path)


def _in_order(mounts: Iterable[Mount]) -> list[Mount]:
    """In the order of their targets, so that none covers another."""
    return sorted(mounts, key=lambda mount: mount.target.split("/"))


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def named_in(environ: Mapping[str, str]) -> Iterator[Path]:
    """The files and folders that variables name, and the installations that programs in PATH belong to."""
    for name, value in environ.items():
        for path in (Path(word) for word in value.split(os.pathsep) if word.startswith("/")):
            if name == "PATH":
                yield from _programs(path)
            yield path


def _programs(folder: Path) -> Iterator[Path]:
    parent = folder.parent
    if folder.name == _SHIMS or _is_environment(parent):
        yield parent
    if (
        os.access(folder, os.R_OK)
        and folder.is_dir()
        and not any(_is_in(str(folder.resolve()), system) for system in _SYSTEM_FOLDERS)
    ):
        for program in {path.resolve() for path in folder.iterdir() if path.is_symlink()}:
            yield from installation_of(program)


def installation_of(program: Path) -> Iterator[Path]:
    """The folders with what belongs to a program PREFIX/bin/NAME; only the program itself if it lies elsewhere."""
    prefix = program.parent.parent
    if program.parent.name != "bin":
        yield program
    elif _is_environment(prefix):
        yield prefix
    else:
        yield from (prefix / name for name in _INSTALLED)
        if prefix.name != ".local":  # its share has the user's keys
            yield prefix / "share"


def _is_environment(folder: Path) -> bool:
    return any(os.access(folder / mark, os.R_OK) for mark in _ENVIRONMENTS)


def base_of(python: Path) -> Iterator[Path]:
    """What the interpreter of a virtual environment needs of the installation that the environment is of (PEP 405)."""
    yield from installation_of(python.resolve())
    about = python.parent.parent / "pyvenv.cfg"
    for line in about.read_text("utf-8").splitlines() if about.is_file() else ():
        name, _, value = line.partition("=")
        if name.strip() == "home":
            yield from installation_of(Path(value.strip(), python.name))


def repository_of(project: Path) -> Iterator[Path]:
    """The folder of the Git repository that a project lies in, and Git's own folders of it (gitrepository-layout)."""
    for folder in (project, *project.parents):
        git = folder / ".git"
        if git.is_file():
            _, _, own = git.read_text("utf-8", "replace").strip().partition("gitdir: ")
            yield from _git_folders((folder / own).resolve())
        if git.exists():
            yield folder
            return


def _git_folders(own: Path) -> Iterator[Path]:
    yield own
    common = own / "commondir"
    if common.is_file():
        yield (own / common.read_text("utf-8", "replace").strip()).resolve()
