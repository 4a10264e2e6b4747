"""What a build sees of this machine: a read-only system, and only those files of the user that it needs.

A build runs code of its project and of all its requirements, as the same user. In a namespace of its own it has a
private HOME, /tmp and /proc; the caller's home folder, caches and sockets, such as Docker's, are not there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from crosswheel.system.namespaces import Mount, Namespace, bind, binfmt, devices, link, locked, overlay, proc, tmpfs

_SYSTEM_FOLDERS = tuple(
    Path("/", name) for name in ("bin", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "opt", "sbin", "snap", "usr")
)
# Settings that programs read, and no passwords: root could read all of /etc.
_SETTINGS = (
    "alternatives", "bash.bashrc", "ca-certificates", "crypto-policies", "debian_version", "gai.conf", "group",
    "host.conf", "hosts", "ld-musl-aarch64.path", "ld-musl-x86_64.path", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
    "localtime", "login.defs", "lsb-release", "magic", "mime.types", "nsswitch.conf", "os-release", "passwd", "pki",
    "profile", "protocols", "resolv.conf", "services", "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf", "timezone",
)  # fmt: skip
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

    `temporary` becomes /tmp and /var/tmp. `emulators` are lines for binfmt_misc.
    """

    temporary: Path
    writable: tuple[Path, ...]
    readable: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()
    layers: tuple[Layer, ...] = ()
    emulators: tuple[str, ...] = ()

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
        covered = tuple(self._covered())
        closed = (locked(str(path)) for path in covered)
        mounts = (tmpfs("/"), *_sorted(self._mounts(covered)), *self._kernel(), *closed, locked())
        return Namespace(mounts, capabilities=_OF_FILES)

    def _kernel(self) -> Iterator[Mount]:
        yield from devices()
        yield proc()
        if self.emulators:
            yield binfmt(self.emulators)

    def _mounts(self, covered: Iterable[Path]) -> Iterator[Mount]:
        """Of several for one target, the last counts."""
        yield from _system()
        for target in ("/tmp", "/var/tmp"):  # noqa: S108 - the build's own
            yield bind(self.temporary, target, writable=True)
        yield from (bind(path) for path in _places(self.readable) if not self._is_shown(path))
        yield from map(tmpfs, covered)
        yield from (bind(path, writable=True) for path in _places(self.writable))
        yield from (layer.mount for layer in self.layers)

    def _covered(self) -> Iterator[Path]:
        shown = [*map(Path.resolve, (*self.readable, *self.writable)), *_SYSTEM_FOLDERS]
        for path in dict.fromkeys(map(Path.resolve, self.hidden)):
            if path.is_dir() and any(_is_in(path, folder) for folder in shown):
                yield path

    def _is_shown(self, path: Path) -> bool:
        """Whether a path is one of the system's, and not covered."""
        real = path.resolve()
        in_system = all(any(_is_in(place, folder) for folder in _SYSTEM_FOLDERS) for place in (path, real))
        return in_system and not any(_is_in(real, each.resolve()) for each in self.hidden)


def _system() -> Iterator[Mount]:
    for path in _SYSTEM_FOLDERS:
        if path.is_symlink():
            yield link(str(path.readlink()), str(path))
        elif path.is_dir():
            yield bind(path)
    settings = (Path("/etc", name) for name in _SETTINGS)
    for path in (*settings, _PROCESSORS):
        if path.exists():
            yield bind(path)


def _places(paths: Iterable[Path]) -> Iterator[Path]:
    """Existing paths, and what they are links to."""
    for place in dict.fromkeys(place for path in paths for place in (path.absolute(), path.resolve())):
        if place.exists():
            yield place


def _sorted(mounts: Iterable[Mount]) -> list[Mount]:
    """In the order of their targets, so that none covers another."""
    by_target = {mount.target: mount for mount in mounts}
    return [by_target[target] for target in sorted(by_target, key=lambda target: Path(target).parts)]


def _is_in(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def named_in(environ: Mapping[str, str]) -> Iterator[Path]:
    """The files and folders that variables name, and the installations that programs in PATH belong to."""
    for name, value in environ.items():
        for path in (Path(word) for word in value.split(os.pathsep) if word.startswith("/")):
            if name == "PATH":
                yield from _programs(path)
            yield path


def _programs(folder: Path) -> Iterator[Path]:
    parent = folder.parent
    if folder.name == _SHIMS or any((parent / mark).exists() for mark in _ENVIRONMENTS):
        yield parent
    if folder.is_dir() and not any(_is_in(folder.resolve(), system) for system in _SYSTEM_FOLDERS):
        for program in {path.resolve() for path in folder.iterdir() if path.is_symlink()}:
            yield from installation_of(program)


def installation_of(program: Path) -> Iterator[Path]:
    """The folders with what belongs to a program PREFIX/bin/NAME; only the program itself if it lies elsewhere."""
    prefix = program.parent.parent
    if program.parent.name != "bin":
        yield program
    elif any((prefix / mark).exists() for mark in _ENVIRONMENTS):
        yield prefix
    else:
        yield from (prefix / name for name in _INSTALLED)
        if prefix.name != ".local":  # its share has the user's keys
            yield prefix / "share"


def base_of(python: Path) -> Iterator[Path]:
    """What the interpreter of a virtual environment needs of the installation that the environment is of (PEP 405)."""
    yield from installation_of(python.resolve())
    for line in (python.parent.parent / "pyvenv.cfg").read_text("utf-8").splitlines():
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
