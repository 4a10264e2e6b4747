"""Locks for the caches: last use of a thing, active runs, and atomic removal.

The modification time of a file or folder is the time of its last use. A run holds a lock for its whole life, which the
kernel releases at its death; things used since the oldest active run began must not be removed.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from crosswheel.errors import UsageError
from crosswheel.system.removal import remove_tree

_ATTEMPTS = 10
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENXIO}  # not a lock of ours
_POLL = 0.2  # seconds between two checks while waiting


def user_cache(environ: Mapping[str, str]) -> Path:
    """The cache folder: CROSSWHEEL_CACHE, or crosswheel's folder in the user's cache."""
    if chosen := environ.get("CROSSWHEEL_CACHE"):
        return Path(chosen).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_path("crosswheel", appauthor=False)).absolute()


def own_cache(folder: Path) -> Path:
    """The cache folder, created if missing. Raises UsageError if other users could write to it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise UsageError(
            f"the cache {folder} belongs to another user, who could change your wheels",
            hint=f"sudo chown -R {os.getuid()} {shlex.quote(str(folder))}, or set CROSSWHEEL_CACHE to another folder",
        )
    if found.st_mode & 0o022:
        raise UsageError(
            f"other users may write to the cache {folder}, and could change your wheels",
            hint=f"chmod -R go-w {shlex.quote(str(folder))}, if you trust what is in it; or remove it",
        )
    folder.chmod(0o700)
    return folder


def mark_used(place: Path) -> None:
    """Set the last use to now; errors are ignored, as without write permission nothing is trimmed either."""
    with suppress(OSError):
        os.utime(place)


def mark_volume(name: str, cache: Path) -> None:
    """Set the last use of a volume or image to now, in this machine's cache: engines do not record it."""
    mark = volume_mark(name, cache)
    with suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def volume_mark(name: str, cache: Path) -> Path:
    return cache / "volumes" / name


@contextmanager
def at_work(cache: Path) -> Iterator[None]:
    """Mark a run as active: things used from now on stay until it ends."""
    path = cache / "runs" / f"{os.getpid()}-{time.monotonic_ns()}"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = None
    # A cleaner of leftovers may lock it first.
    while handle is None:
        path.touch()
        handle = take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def oldest_run(cache: Path) -> float:
    """The start time of the oldest active run; infinity if there is none."""
    began = math.inf
    for path in (cache / "runs").glob("*"):
        handle = take(path)
        if handle is None:
            with suppress(FileNotFoundError):
                began = min(began, path.stat().st_mtime)
        else:
            path.unlink(missing_ok=True)
            os.close(handle)
    return began


@contextmanager
def locked(path: Path, look: Callable[[], None] = lambda: None) -> Iterator[None]:
    """A lock for making a cached thing: one process makes it, the others wait and then find it.

    `look` is called regularly during the wait, which may take minutes; its exceptions end the wait.
    """
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, timeout=_POLL)
    while True:
        with suppress(filelock.Timeout):
            lock.acquire()
            break
        look()
    try:
        yield
    finally:
        lock.release()


def take(path: Path) -> int | None:
    """Lock a file or folder until the handle is closed; None if it is locked by another or missing.

    The lock is on the thing itself and disappears with it; filelock would leave separate lock files.
    """
    try:
        # Do not follow links, and do not block on a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The previous owner may have removed it, and another process may have replaced it.
        if os.path.samestat(os.fstat(handle), path.lstat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def put(draft: Path, place: Path) -> None:
    """Move a folder to a place, replacing its content, even if others do the same at the same time."""
    for attempt in range(1, _ATTEMPTS + 1):
        remove(place)
        try:
            draft.rename(place)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST} or attempt == _ATTEMPTS:
                raise
        else:
            return


def remove(place: Path) -> None:
    """Remove a thing atomically: it is renamed first, so that it is never found half removed."""
    with suppress(OSError):
        gone = place.with_name(f".gone-{place.name.lstrip('.')}-{os.getpid()}-{time.monotonic_ns()}")
        place.rename(gone)
        if gone.is_dir():
            remove_tree(gone)
        else:
            gone.unlink()
