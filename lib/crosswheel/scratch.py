"""Where a job works: the same folder in every run, for a compiler's cache knows a file by its path."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """A path below the user's own folder for temporary files, where nothing is yet; gone afterwards.

    Where somebody else works under that name at the same time, it is another one: ``NAME-2`` and so on.
    """
    root = Path(tempfile.gettempdir(), f"crosswheel-{os.getuid()}")
    if not _is_own(root):
        with tempfile.TemporaryDirectory(prefix="crosswheel-") as unnamed:
            yield Path(unnamed, name, "job")
        return
    with ExitStack() as stack:
        folder = next(filter(None, (_taken(root / _numbered(name, number), stack) for number in count(1))))
        yield folder / "job"


def _is_own(root: Path) -> bool:
    """Whether nobody else can put anything there: names in a folder that all share can be guessed."""
    root.mkdir(mode=0o700, exist_ok=True)
    found = root.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _taken(folder: Path, stack: ExitStack) -> Path | None:
    """The folder, empty and locked until the stack unwinds; None while another has it.

    The kernel lets go of the lock of a process that dies; what that left is removed here.
    """
    folder.mkdir(exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    if not _is_still(handle, folder):
        os.close(handle)
        return _taken(folder, stack)
    shutil.rmtree(folder / "job", ignore_errors=True)
    stack.callback(os.close, handle)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _is_still(handle: int, folder: Path) -> bool:
    """Whether what was locked is what stands there: its owner may have removed it in between."""
    try:
        return os.path.samestat(os.fstat(handle), folder.stat())
    except FileNotFoundError:
        return False
