"""Limits of memory by control groups, where this process may make one.

Root may. Others may where a group was delegated to them: `systemd-run --user --scope` starts a command in such a one.
See Control Group v2 in the kernel's documentation; version 1 is served where it still has the memory controller.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "crosswheel-"
_PATIENCE = 1.0  # seconds in which the processes of a group disappear once they have ended


@dataclass(frozen=True)
class _Version:
    """The files of a version: `swap` limits memory and swap space, or swap space alone; it may be missing."""

    limit: str
    swap: str
    swap_with_memory: bool
    events: str


_VERSIONS = {
    "cgroup2": _Version("memory.max", "memory.swap.max", swap_with_memory=False, events="memory.events"),
    "cgroup": _Version(
        "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", swap_with_memory=True, events="memory.oom_control"
    ),
}


@dataclass(frozen=True)
class MemoryGroup:
    """A control group: all processes that enter it share its limit, with their children."""

    folder: Path
    events: str

    @property
    def entrance(self) -> Path:
        """A process that writes 0 here enters the group."""
        return self.folder / "cgroup.procs"

    @property
    def kills(self) -> int:
        """How often the kernel killed in it for lack of memory."""
        with suppress(OSError):
            for line in (self.folder / self.events).read_text("ascii").splitlines():
                name, _, count = line.partition(" ")
                if name == "oom_kill":
                    return int(count)
        return 0


@contextmanager
def memory_group(limit: int, proc: Path = Path("/proc/self")) -> Iterator[MemoryGroup | None]:
    """A group with a limit of memory in bytes, without swap space; None where none may be made."""
    group = _made(limit, proc) if limit else None
    try:
        yield group
    finally:
        if group:
            _remove(group.folder)


def may_limit_memory() -> bool:
    """Whether this process may make such groups."""
    return _parent(Path("/proc/self")) is not None


def _made(limit: int, proc: Path) -> MemoryGroup | None:
    if (found := _parent(proc)) is None:
        return None
    parent, version = found
    _remove_stale(parent)
    folder = parent / f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    try:
        folder.mkdir()
        (folder / version.limit).write_text(str(limit))
    except OSError:
        _remove(folder)
        return None
    with suppress(OSError):  # kernels without accounting of swap space lack it
        (folder / version.swap).write_text(str(limit if version.swap_with_memory else 0))
    return MemoryGroup(folder, version.events)


def _parent(proc: Path) -> tuple[Path, _Version] | None:
    """The nearest group above this process's in which it may make groups with limits, and move processes to them."""
    with suppress(OSError, ValueError, KeyError):
        mounts, groups = _mounts(proc), _groups(proc)
        kind = "cgroup" if "cgroup" in mounts else "cgroup2"
        root, mount = mounts[kind]
        own = Path(mount, Path(groups[kind]).relative_to(root))
        for folder in (own, *own.parents):
            if _may_be_parent(folder, kind):
                return folder, _VERSIONS[kind]
            if folder == mount:
                break
    return None


def _may_be_parent(folder: Path, kind: str) -> bool:
    if not (os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)):
        return False
    return kind == "cgroup" or "memory" in (folder / "cgroup.subtree_control").read_text("ascii").split()


def _mounts(proc: Path) -> Mapping[str, tuple[str, Path]]:
    """Of version 2, and of the memory controller of version 1: which group is mounted, and where (proc(5))."""
    found = {}
    for line in (proc / "mountinfo").read_text("utf-8").splitlines():
        words, _, more = line.partition(" - ")
        kind, _, options = more.split(" ", 2)
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            found[kind] = (words.split()[3], Path(words.split()[4]))
    return found


def _groups(proc: Path) -> Mapping[str, str]:
    """The groups of this process (cgroups(7))."""
    found = {}
    for line in (proc / "cgroup").read_text("utf-8").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            found["cgroup2"] = path
        elif "memory" in controllers.split(","):
            found["cgroup"] = path
    return found


def _remove(folder: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while folder.exists() and time.monotonic() < until:
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.01)


def _remove_stale(parent: Path) -> None:
    """Remove what killed runs left; those of other machines' processes are never here."""
    for folder in parent.glob(f"{_PREFIX}*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", owner).exists():
            with suppress(OSError):
                folder.rmdir()
