"""Working folders, private to the user; the next run removes those of a killed run.

A job's folder has the same path in every run, because compiler caches identify files by path.
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

# Files that build tools search for in parent folders and obey.
_STEERING = (
    ".bazelrc", ".cargo", ".git", ".hg", ".npmrc", "Cargo.toml", "MODULE.bazel", "WORKSPACE", "go.mod", "go.work",
    "node_modules", "package.json", "pyproject.toml", "rust-toolchain", "rust-toolchain.toml", "uv.toml",
)  # fmt: skip

_LONGEST = 3000  # bytes; the limit of paths is 4096, and builds need a thousand of them


@contextmanager
def scratch_folder(name: str) -> Iterator[Path]:
    """An unused path below the user's folder for temporary files; removed at the end.

    If the name is in use by another process, ``NAME-2`` and so on is used.
    """
    root = _root()
    with ExitStack() as stack:
        folder = next(filter(None, (_taken(root / _numbered(name, number), stack) for number in count(1))))
        yield folder / "job"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty folder with a new name; removed at the end."""
    root = _root()
    with ExitStack() as stack:
        # A cleaner of leftovers may remove it before it is locked.
        while not _lock(folder := Path(tempfile.mkdtemp(dir=root, prefix="run-")), stack):
            pass
        job = folder / "job"
        job.mkdir(mode=0o700)
        yield job


def check_temporary_folder() -> None:
    """Check TMPDIR before a build would fail in it after minutes. Raises UsageError."""
    folder = tempfile.gettempdir()
    hint = "TMPDIR=/var/tmp crosswheel ..., or another folder whose file system allows programs"
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise UsageError(
            f"TMPDIR: {folder} is mounted noexec, and builds start compilers and other programs there", hint=hint
        )
    if odd := sorted(set(re.findall(r"[^\w./@%+=~,-]", folder))):
        found = " and ".join(map(repr, odd))
        raise UsageError(f"TMPDIR: {folder!r} contains {found}, at which build tools split paths", hint=hint)
    if len(os.fsencode(folder)) > _LONGEST:
        raise UsageError(
            f"TMPDIR: {folder} is longer than {_LONGEST} bytes, which makes paths in builds too long",
            hint=hint,
        )


def abandoned_folders() -> list[Path]:
    """The folders of killed runs, which are not locked."""
    roots = (root for root in _candidates() if root.is_dir() and not _trouble_with(root))
    return [folder for root in roots for folder in sorted(root.iterdir()) if _is_free(folder)]


def clear_abandoned() -> None:
    """Remove leftovers of killed runs, in the folder for temporary files and in the user's cache."""
    for folder in abandoned_folders():
        remove_abandoned(folder)


def remove_abandoned(folder: Path) -> None:
    """Remove a leftover folder, unless it is in use again."""
    with ExitStack() as stack:
        _lock(folder, stack)


# ---- ownership --------------------------------------------------------------------------------------------------


def _candidates() -> Iterator[Path]:
    for place in (Path(tempfile.gettempdir()), user_cache(os.environ)):
        yield place / f"crosswheel-{os.getuid()}"


def _root() -> Path:
    """The first private folder in which no files of other users affect builds; names can be guessed."""
    troubles = []
    for root in _candidates():
        with suppress(OSError):
            root.mkdir(mode=0o700, parents=True)
        trouble = _trouble_with(root) or _steered(root)
        if not trouble:
            return root
        troubles.append(trouble)
    raise CrosswheelError(
        "\n".join(troubles), hint="remove these; or set TMPDIR to a folder that only you may write to"
    )


def _trouble_with(root: Path) -> str:
    """The reason why other users can write there; empty if they cannot."""
    try:
        found = root.lstat()
    except OSError as error:
        return f"{root} cannot be used: {error.strerror}"
    if not stat.S_ISDIR(found.st_mode):
        return f"{root} is not a folder"
    if found.st_uid != os.getuid() or found.st_mode & 0o022:
        return f"{root} belongs to another user, or others may write to it"
    return ""


def _steered(root: Path) -> str:
    """A complaint about another user's file that build tools would obey; empty if there is none."""
    trusted = {0, os.getuid()}
    for folder in root.parents:
        for name in _STEERING:
            with suppress(OSError):
                if (folder / name).lstat().st_uid not in trusted:
                    return f"{folder / name} belongs to another user and would affect builds below {folder}"
    return ""


# ---- one folder -------------------------------------------------------------------------------------------------


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


def _taken(folder: Path, stack: ExitStack) -> Path | None:
    """The folder, empty and locked until the stack unwinds; None if it is locked by another, or not a folder.

    The kernel releases the lock of a dead process; that one's leftovers are ended and removed here.
    """
    # Not with exist_ok, which checks again: the owner may have removed it by then.
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
    """Lock the folder and register its removal; False if it is locked by another."""
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
    """End compilers of a killed run, which would still write there; programs on a terminal may stay."""
    for process in Path("/proc").glob("[0-9]*"):
        # Processes may end meanwhile, and those of other users cannot be read.
        with suppress(OSError, IndexError):
            terminal = (process / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[4]
            if terminal == "0" and (process / "cwd").readlink().is_relative_to(folder):
                os.kill(int(process.name), signal.SIGKILL)


def _is_free(folder: Path) -> bool:
    handle = take(folder)
    if handle is not None:
        os.close(handle)
    return handle is not None
