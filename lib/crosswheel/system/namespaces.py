"""Linux namespaces: what a command sees of this machine, without root and without a change to it.

The kernel is asked by a small program of our own (namespace_init.py). util-linux's unshare cannot register emulators
before it changes the root, nor lock mounts; bubblewrap is rarely installed, and cannot mount binfmt_misc.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from crosswheel.system import namespace_init
from crosswheel.system.namespace_init import MAPPED

Kind = Literal["bind", "overlay", "tmpfs", "proc", "devpts", "binfmt_misc", "link", "read-only"]

# linux/capability.h: what Docker leaves to containers. Without CAP_SYS_ADMIN no mount can be changed.
CONTAINER_CAPABILITIES = frozenset({0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31})
"""chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw, sys_chroot, mknod,
audit_write, setfcap; all of them count only inside the user namespace."""


@dataclass(frozen=True)
class Mount:
    """One mount. `target` is a path in the new view; made if it is missing and the namespace has an own root.

    An `optional` one is left out if the kernel refuses it.
    """

    kind: Kind
    target: str
    source: str = ""
    read_only: bool = False
    options: str = ""
    lines: tuple[str, ...] = ()
    file: bool = False
    optional: bool = False


def bind(source: Path | str, target: Path | str | None = None, *, writable: bool = False) -> Mount:
    """A file or folder of this machine, with the mounts below it; read-only unless `writable`."""
    path = os.path.realpath(source)
    return Mount("bind", str(target or source), path, read_only=not writable, file=not Path(path).is_dir())


def tmpfs(target: Path | str, *, mode: int = 0o755, size: str = "") -> Mount:
    """An empty folder in memory, of the given size like ``1g``, else of half the memory: see mount options in tmpfs."""
    return Mount("tmpfs", str(target), options=f"mode={mode:o}" + (f",size={size}" if size else ""))


def overlay(target: Path | str, lower: Iterable[Path], upper: Path, work: Path) -> Mount:
    """Folders above one another, the top one first; changes go to `upper`.

    `work` is an empty folder on the same disk. The kernel wants `upper` to be no overlay itself.
    """
    layers = ":".join(map(_escaped, lower))
    return Mount(
        "overlay",
        str(target),
        options=f"userxattr,lowerdir={layers},upperdir={_escaped(upper)},workdir={_escaped(work)}",
    )


def merged(target: Path | str, lower: Iterable[Path]) -> Mount:
    """Folders above one another, the top one first; read-only.

    Optional, because the kernel stacks two overlays at most, and the disk of a container is one already.
    """
    layers = ":".join(map(_escaped, lower))
    return Mount("overlay", str(target), options=f"userxattr,lowerdir={layers}", optional=True)


def _escaped(path: Path) -> str:
    return "".join(f"\\{letter}" if letter in ":,\\" else letter for letter in str(path))


def binfmt(lines: Iterable[str], target: str = "/proc/sys/fs/binfmt_misc") -> Mount:
    """An own binfmt_misc with these entries, for this namespace only (Linux 6.7).

    The emulators are opened in the old view of files, so the lines need the flag F. Goes after `proc`.
    """
    return Mount("binfmt_misc", target, lines=tuple(lines))


def proc(target: str = "/proc") -> Mount:
    """A /proc with only the processes of the namespace, without what root could change or spy on there."""
    return Mount("proc", target)


def link(source: str, target: str) -> Mount:
    """A symbolic link at `target`, if nothing is there."""
    return Mount("link", target, source)


def locked(target: str = "/") -> Mount:
    """Makes the mount at `target` read-only, without those below it; goes after whatever is made in it."""
    return Mount("read-only", target)


def devices() -> tuple[Mount, ...]:
    """A /dev with harmless devices only, a terminal of its own and shared memory."""
    harmless = ("null", "zero", "full", "random", "urandom", "tty")
    links = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
    return (
        tmpfs("/dev", size="64k"),
        *(bind(f"/dev/{name}", writable=True) for name in harmless if Path("/dev", name).exists()),
        *(link(source, f"/dev/{name}") for name, source in links.items()),
        Mount("devpts", "/dev/pts", options="newinstance,ptmxmode=0666,mode=0620"),
        tmpfs("/dev/shm", mode=0o1777),  # noqa: S108 - a new one
    )


@dataclass(frozen=True)
class Namespace:
    """New user, mount, pid, ipc and uts namespaces for one command; everything in them ends with it.

    `mounts` are made in order; if the first has the target ``/``, only what they bring is seen. `as_root` makes an
    ordinary caller root inside; root stays root, and only inside. Of the capabilities of root, the command keeps
    `capabilities`. `limits` are of setrlimit(2), by name without ``RLIMIT_``. Without `network`, only loopback is
    there. With `terminal`, the command gets a session and a terminal of its own, which shows on the caller's.

    `maps` has the commands by which an ordinary caller's namespace gets more users and groups than root, by ``uid`` and
    ``gid`` and without the number of the process (subordinate_ids.py); if they fail, there is only root.

    `unpack` has archives of ours, uncompressed, that are unpacked at the root first. With `pack`, the command is not
    run: the file or folder at the first path, inside, is packed into the file at the second, of this machine.
    """

    mounts: tuple[Mount, ...] = ()
    as_root: bool = False
    network: bool = True
    terminal: bool = False
    capabilities: frozenset[int] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict)
    maps: Mapping[str, Sequence[str]] = field(default_factory=dict)
    entrances: tuple[Path, ...] = ()
    unpack: tuple[Path, ...] = ()
    pack: tuple[str, Path] | None = None

    def entered(
        self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | str | None = None
    ) -> tuple[list[str], dict[str, str]]:
        """The command that runs `argv` inside, and its environment; `cwd` is a folder inside.

        It ends with the code or the signal of `argv`, with 125 if the namespace could not be made, and with 127 or 126
        if the program is missing or cannot be executed; the reason is then its last line of output.
        """
        spec = {
            "mounts": [vars(mount) for mount in self.mounts],
            "as_root": self.as_root,
            "network": self.network,
            "terminal": self.terminal,
            "capabilities": sorted(self.capabilities),
            "limits": dict(self.limits),
            "maps": {kind: list(command) for kind, command in self.maps.items()},
            "entrances": [str(path) for path in self.entrances],
            "unpack": [str(path) for path in self.unpack],
            "pack": [str(path) for path in self.pack] if self.pack else [],
            "cwd": str(cwd or "/"),
        }
        program = [sys.executable, "-I", "-S", namespace_init.__file__, json.dumps(spec)]
        return [*program, *argv], {f"{MAPPED}{name}": value for name, value in env.items()}
