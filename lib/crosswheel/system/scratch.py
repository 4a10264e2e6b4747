"""Where a run works: folders of this user alone, which the next run finds and removes should this one be killed.

A job's folder has the same path in every run, for a compiler's cache knows a file by its path.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from crosswheel.errors import CrosswheelError, UsageError
from crosswheel.system.locks import take, user_cache

# What build tools look for in the folders above the one that they work in, and go by.
_STEERING = (
    ".bazelrc", ".cargo", ".git", ".hg", ".npmrc", "Cargo.toml", "MODULE.bazel", "WORKSPACE", "go.mod", "go.work",
    "node_modules", "package.json", "pyproject.toml", "rust-toolchain", "rust-toolchain.toml", "uv.toml",
)  # fmt: skip

_LONGEST = 3000  # bytes; a path may have 4096, and builds take a thousand of them


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """A path below the user's own folder for temporary files, where nothing is yet; gone afterwards.

    Where somebody else works under that name at the same time, it is another one: ``NAME-2`` and so on.
    """
    root = _root()
    with ExitStack() as stack:
        folder = next(filter(None, (_taken(root / _numbered(name, number), stack) for number in count(1))))
        yield folder / "job"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder under a name that is new each time; gone afterwards."""
    root = _root()
    with ExitStack() as stack:
        # Whoever looks for what killed runs have left may come before the lock.
        while not _lock(folder := Path(tempfile.mkdtemp(dir=root, prefix="run-")), stack):
            pass
        job = folder / "job"
        job.mkdir(mode=0o700)
        yield job


def check_temporary_folder() -> None:
    """Whether builds can work there: minutes of fetching and building are no way to find out. Raises UsageError."""
    folder = tempfile.gettempdir()
    hint = "TMPDIR=/var/tmp crosswheel ..., or another folder whose file system allows programs"
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise UsageError(
            f"TMPDIR: {folder} is mounted noexec, and builds start compilers and other programs there", hint=hint
        )
    if odd := sorted(set(re.findall(r"[^\w./@%+=~,-]", folder))):
        found = " and ".join(map(repr, odd))
        raise UsageError(f"TMPDIR: {folder!r} has {found} in it, where build tools cut a compiler's path", hint=hint)
    if len(os.fsencode(folder)) > _LONGEST:
        raise UsageError(
            f"TMPDIR: {folder} has more than {_LONGEST} bytes; with what builds put there, paths get too long",
            hint=hint,
        )


def abandoned_folders() -> list[Path]:
    """What killed runs have left: nobody works there."""
    roots = (root for root in _candidates() if root.is_dir() and not _trouble_with(root))
    return [folder for root in roots for folder in sorted(root.iterdir()) if _is_free(folder)]


def clear_abandoned() -> None:
    """Remove what killed runs have left, in the folder for temporary files and in the user's cache."""
    for folder in abandoned_folders():
        remove_abandoned(folder)


def remove_abandoned(folder: Path) -> None:
    """Unless somebody works there again."""
    with ExitStack() as stack:
        _lock(folder, stack)


# ---- whose it is ------------------------------------------------------------------------------------------------


def _candidates() -> Iterator[Path]:
    for place in (Path(tempfile.gettempdir()), user_cache(os.environ)):
        yield place / f"crosswheel-{os.getuid()}"


def _root() -> Path:
    """The first folder that is this user's alone, where nobody else's files steer builds: names can be guessed."""
    troubles = []
    for root in _candidates():
        with suppress(OSError):
            root.mkdir(mode=0o700, parents=True)
        trouble = _trouble_with(root) or _steered(root)
        if not trouble:
            return root
        troubles.append(trouble)
    raise CrosswheelError(
        "\n".join(troubles), hint="remove these, or set TMPDIR to a folder that only you may write to"
    )


def _trouble_with(root: Path) -> str:
    """Why somebody else may put something there; empty where nobody may."""
    try:
        found = root.lstat()
    except OSError as error:
        return f"{root} cannot be used: {error.strerror}"
    if not stat.S_ISDIR(found.st_mode):
        return f"{root} is no folder"
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        return f"{root} belongs to another user, or others may write to it"
    return ""


def _steered(root: Path) -> str:
    """A file of another user that build tools would take for settings; empty where there is none."""
    trusted = {0, os.getuid()}
    for folder in root.parents:
        for name in _STEERING:
            with suppress(OSError):
                if (folder / name).lstat().st_uid not in trusted:
                    return f"{folder / name} belongs to another user, and builds below {folder} would go by it"
    return ""


# ---- one folder -------------------------------------------------------------------------------------------------


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _taken(folder: Path, stack: ExitStack) -> Path | None:
    """The folder, empty and ours until the stack unwinds; None while another has it, or where it is no folder.

    The kernel lets go of the lock of a process that dies; what that left is ended and removed here.
    """
    # Not with exist_ok, which looks again: its owner may have removed it by then.
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not _lock(folder, stack):
        return None
    job = folder / "job"
    if job.is_symlink() or job.is_file():
        job.unlink()
    shutil.rmtree(job, ignore_errors=True)
    return folder


def _lock(folder: Path, stack: ExitStack) -> bool:
    """Whether it is ours from now on, to be removed when the stack unwinds."""
    handle = take(folder)
    if handle is None:
        return False
    if not stat.S_ISDIR(os.fstat(handle).st_mode):
        os.close(handle)
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
