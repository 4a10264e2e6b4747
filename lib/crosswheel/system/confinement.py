"""Prevents commands from writing below a folder, if the kernel has Landlock (Linux 5.19 or newer).

A build runs as the same user and could change caches, which become part of other projects' wheels. Landlock rules
only allow: everything except the folders on the path to the closed one, in which nothing new can be created. A
confined process cannot read the memory of an unconfined one. Nor can it read the environment of such a process, ours
or that of our shell, unless it belongs to root.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_Started = TypeVar("_Started")

# landlock(7) and prctl(2). The system call numbers are the same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
_WRITE_FILE, _TRUNCATE, _REFER = 1 << 1, 1 << 14, 1 << 13
# Rights: writing to files; removing, creating and moving entries of each kind.
_WRITING = _WRITE_FILE | sum(1 << bit for bit in range(4, 13)) | _REFER
_OLDEST, _WITH_TRUNCATE = 2, 3  # versions of Landlock's ABI; the first forbids all moves between folders


@dataclass(frozen=True)
class Confinement:
    """Everything below `closed` is read-only, except below the folders in `open`."""

    closed: Path
    open: tuple[Path, ...] = ()

    def start(self, action: Callable[[], _Started]) -> _Started:
        """Call `action` so that the processes it starts are confined, but not this one; returns and raises like it.

        The kernel confines a thread and its children, so the action runs in a new thread.
        """
        results: list[_Started] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                _confine(self)
                results.append(action())
            except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for it
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]


def is_available() -> bool:
    """Whether this kernel supports it."""
    return _version() >= _OLDEST


def _version() -> int:
    return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def _confine(confinement: Confinement) -> None:
    """Confine the calling thread permanently; without Landlock nothing happens."""
    version = _version()
    if version < _OLDEST:
        return
    c = ctypes.CDLL(None, use_errno=True)
    handled = _WRITING | (_TRUNCATE if version >= _WITH_TRUNCATE else 0)
    ruleset = c.syscall(_CREATE_RULESET, ctypes.byref(ctypes.c_uint64(handled)), ctypes.c_size_t(8), 0)
    if ruleset < 0:
        return
    try:
        for path in _allowed(confinement):
            _allow(c, ruleset, path, handled)
        c.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        c.syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(c: ctypes.CDLL, ruleset: int, path: Path, handled: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # removed in the meantime
        return
    try:
        rights = handled if path.is_dir() else handled & (_WRITE_FILE | _TRUNCATE)
        rule = _PathBeneath(rights, handle)
        c.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(handle)


def _allowed(confinement: Confinement) -> Iterator[Path]:
    closed = confinement.closed.resolve()
    yield from (path.resolve() for path in confinement.open)
    for folder, on_the_way in zip(closed.parents, (closed, *closed.parents), strict=False):
        try:
            entries = list(folder.iterdir())
        except OSError:
            continue
        # The target of a link may be closed.
        yield from (entry for entry in entries if entry != on_the_way and not entry.is_symlink())
