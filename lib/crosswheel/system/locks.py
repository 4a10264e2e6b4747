"""What is kept between runs: when a thing was last used, which runs are at work, and how a thing goes at once.

The time of a file or folder says when it was last used. A run holds a lock as long as it lasts, which the kernel lets
go of when it dies: what was used since the first of them began, nobody may remove.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from crosswheel.errors import UsageError

_ATTEMPTS = 10
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENXIO}  # or nothing that could be ours
_POLL = 0.2  # seconds between two looks whether to go on waiting


def user_cache(environ: Mapping[str, str]) -> Path:
    """CROSSWHEEL_CACHE, or the user's cache folder."""
    if chosen := environ.get("CROSSWHEEL_CACHE"):
        return Path(chosen).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_path("crosswheel", appauthor=False)).absolute()


def own_cache(folder: Path) -> Path:
    """The cache's folder, there, and open to this user alone; raises UsageError where others could write to it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    if found.st_uid != os.getuid():
        raise UsageError(
            f"the cache {folder} belongs to another user, whose files would get into your wheels",
            hint=f"sudo chown -R {os.getuid()} {shlex.quote(str(folder))}, or set CROSSWHEEL_CACHE to another folder",
        )
    if found.st_mode & 0o022:
        raise UsageError(
            f"other users may write to the cache {folder}, and so into your wheels",
            hint=f"chmod -R go-w {shlex.quote(str(folder))}, if you trust what is in it; or remove it",
        )
    folder.chmod(0o700)
    return folder


def mark_used(place: Path) -> None:
    """Now. Who may not write there trims nothing there either."""
    with suppress(OSError):
        os.utime(place)


def mark_volume(name: str, cache: Path) -> None:
    """Likewise of a volume or an image of ours, of which an engine keeps no such time."""
    mark = volume_mark(name, cache)
    with suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def volume_mark(name: str, cache: Path) -> Path:
    return cache / "volumes" / name


@contextmanager
def at_work(cache: Path) -> Iterator[None]:
    """A run: whatever anybody uses from now on stays until it ends."""
    path = cache / "runs" / f"{os.getpid()}-{time.monotonic_ns()}"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = None
    # Who looks for what the dead have left may take it first.
    while handle is None:
        path.touch()
        handle = take(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def oldest_run(cache: Path) -> float:
    """When the first of the runs at work began; infinity where there is none."""
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
    """One process at a time makes what is kept; the others wait for its work and find it done.

    `look` is called now and then while this one waits, which may be for minutes, and ends that by what it raises.
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
    """The lock of a file or folder until the handle is closed; None while another has it, or where nothing is.

    Of the thing itself, which goes together with its lock; filelock keeps files for nothing else, which stay.
    """
    try:
        # Neither where a link leads, nor until somebody writes into a pipe that was put there.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its owner may have removed what stood there, and another put something else in its place.
        if os.path.samestat(os.fstat(handle), path.lstat()):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


def put(draft: Path, place: Path) -> None:
    """A folder in the place of whatever is there, also where others put theirs there at the same time."""
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
    """Out of the way first: nobody is to find half of it."""
    with suppress(OSError):
        gone = place.with_name(f".gone-{place.name.lstrip('.')}-{os.getpid()}-{time.monotonic_ns()}")
        place.rename(gone)
        if gone.is_dir():
            shutil.rmtree(gone, ignore_errors=True)
        else:
            gone.unlink()
