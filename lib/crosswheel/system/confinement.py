"""Keeps a command that is about to start from writing below a folder, where the kernel has Landlock (since Linux 5.19).

The same user may write wherever we may, and what is kept there becomes part of other projects' wheels. Landlock only
knows what is allowed: everything beside the folders that lead to that one. In those themselves nothing new can be made.
A process that is confined cannot look into the memory of one that is not. Neither can it read the environment of such
a one, be that ours or that of the shell that has started us, unless it is root's.
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

# landlock(7) and prctl(2). The numbers of the calls are the same for every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38
_WRITE_FILE, _TRUNCATE, _REFER = 1 << 1, 1 << 14, 1 << 13
# Writing to files, removing and making entries of each kind, and moving them.
_WRITING = _WRITE_FILE | sum(1 << bit for bit in range(4, 13)) | _REFER
_OLDEST, _WITH_TRUNCATE = 2, 3  # versions; the first forbids to move anything from one folder to another


@dataclass(frozen=True)
class Confinement:
    """All may be written but what is below `closed`, apart from what is below the folders in `open`."""

    closed: Path
    open: tuple[Path, ...] = ()

    def start(self, action: Callable[[], _Started]) -> _Started:
        """What `action` gives and raises; processes that it starts are confined, and this one is not.

        The kernel confines a thread and what it starts: so there is a thread for this alone.
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
    """Whether this kernel has what it takes."""
    return _version() >= _OLDEST


def _version() -> int:
    return int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def _confine(confinement: Confinement) -> None:
    """Confine the thread that calls, for good; on a kernel without Landlock nothing happens."""
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
    except OSError:  # gone in the meantime
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
        # Where a link leads may be closed.
        yield from (entry for entry in entries if entry != on_the_way and not entry.is_symlink())
