"""Where a job works: the same folder in every run, for a compiler's cache knows a file by its path."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from crosswheel.keeping import take


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """A path below the user's own folder for temporary files, where nothing is yet; gone afterwards.

    Where somebody else works under that name at the same time, it is another one: ``NAME-2`` and so on.
    """
    root = _root()
    root.mkdir(mode=0o700, exist_ok=True)
    if not _is_own(root):
        with tempfile.TemporaryDirectory(prefix="crosswheel-") as unnamed:
            yield Path(unnamed, name, "job")
        return
    with ExitStack() as stack:
        folder = next(filter(None, (_taken(root / _numbered(name, number), stack) for number in count(1))))
        yield folder / "job"


def abandoned_folders() -> list[Path]:
    """What killed runs have left: nobody works there."""
    root = _root()
    return [folder for folder in sorted(root.iterdir()) if _is_free(folder)] if root.exists() and _is_own(root) else []


def remove_abandoned(folder: Path) -> None:
    """Unless somebody works there again."""
    with ExitStack() as stack:
        _lock(folder, stack)


def _root() -> Path:
    return Path(tempfile.gettempdir(), f"crosswheel-{os.getuid()}")


def _is_own(root: Path) -> bool:
    """Whether nobody else can put anything there: names in a folder that all share can be guessed."""
    found = root.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _taken(folder: Path, stack: ExitStack) -> Path | None:
    """The folder, empty and ours until the stack unwinds; None while another has it.

    The kernel lets go of the lock of a process that dies; what that left is ended and removed here.
    """
    # Not with exist_ok, which looks again: its owner may have removed it by then.
    with suppress(FileExistsError):
        folder.mkdir()
    if not _lock(folder, stack):
        return None
    shutil.rmtree(folder / "job", ignore_errors=True)
    return folder


def _lock(folder: Path, stack: ExitStack) -> bool:
    """Whether it is ours from now on, to be removed when the stack unwinds."""
    handle = take(folder)
    if handle is None:
        return False
    stack.callback(os.close, handle)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    if (folder / "job").exists():
        _end_orphans(folder.resolve())
    return True


def _end_orphans(folder: Path) -> None:
    """Compilers that a killed run had started would go on to write there; whoever looks around at a terminal may."""
    for process in Path("/proc").glob("[0-9]*"):
        # Processes end, and those of others do not tell.
        with suppress(OSError, IndexError):
            terminal = (process / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[4]
            if terminal == "0" and (process / "cwd").readlink().is_relative_to(folder):
                os.kill(int(process.name), signal.SIGKILL)


def _is_free(folder: Path) -> bool:
    handle = take(folder)
    if handle is not None:
        os.close(handle)
    return handle is not None
