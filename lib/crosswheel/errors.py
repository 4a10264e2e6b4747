"""Every error of crosswheel: one class per exit code; a message says what happened, why, and the next command.

CrosswheelError
├── UsageError            2   options, configuration, target names
├── NothingToDo           3   the plan has no job
├── SourceError           4   no project, no sdist, a wrong hash, an unsafe archive
├── IndexUnreachable      5   the package index did not answer, or the connection broke off
├── MissingTool           6   an interpreter or a toolchain is not installed and could not be fetched
├── BuildFailed           7   a hook of the build backend failed
├── RepairFailed          8   auditwheel cannot make the wheel comply with the policy
├── AuditFailed           9   a rule found an error in a wheel, or the file is no wheel
├── WheelCount           10   the backend made no wheel, or more than one
├── TimeLimit            11   a command exceeded its time limit
├── DiskFull             12   no space left on the device
├── EngineUnavailable    13   no Docker Engine answers, it refuses this user, it is too old, or it stopped
├── ImageUnavailable     14   an image cannot be pulled, or its content is not the expected one
├── CannotRun            15   the Docker host cannot run programs of the architecture
├── OutOfMemory          16   the kernel killed a container's command because memory ran out
├── ContainerLost        17   a container stopped while it was in use
├── EmulatorCrashed      18   QEMU crashed, not the program that it ran
├── TestFailed           19   the wheel could not be installed or imported, or its test command failed
├── CheckFailed          20   a file is not fit for release
├── UploadFailed         21   the index refused a file; the message contains its reason
├── FileClash            22   the index has a file of this name with different bytes
├── NoCredentials        23   no token, or the index refuses this user
├── VerifyFailed         24   the index serves other files than were built, or pip does not choose them
├── NotReleasable        25   uncommitted changes, no tag, a different version, or no changelog entry
├── Incomplete           26   the index lacks some of the planned wheels, or serves different bytes
├── NotReproducible      27   a second build made a different wheel
├── WheelsMissing        28   packages of a dependency tree have no wheel for a platform
├── ClusterUnavailable   29   no scheduler answers, or it has another version
├── Outdated             30   the file of a CI system is not the one that the configuration makes
├── UnknownPackage       31   no index has this package or this version (a SourceError)
├── Conflict             32   no versions of the packages of a tree fit together (a SourceError)
├── PythonTooOld         33   the packages of a tree require a newer Python (a SourceError)
├── WrongHash            34   a file has other bytes than the index or the lock says (a SourceError)
├── TooManyRequests      35   the package index limits requests (an IndexUnreachable)
├── BuildCycle           36   a build requires what is built with it (a BuildFailed)
└── CommandNotFound     127   the command of `accelerate` does not exist, as in a shell
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

INTERRUPTED = 130  # the shell's 128 + SIGINT


class CrosswheelError(Exception):
    """Base of all errors: `message` says what happened and why, `hint` the next command to type (may be empty).

    `cause` is the kind of a known failure in data/failures.toml, such as ``missing header``; empty for others.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", cause: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.cause = cause

    @property
    def in_a_line(self) -> str:
        """Message and hint in one line, for lists of reasons."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __str__(self) -> str:
        return f"{self.message}\n  try: {self.hint}" if self.hint else self.message


class UsageError(CrosswheelError):
    """Mistakes in options, configuration or names; `mistakes` has all of them, one text each."""

    exit_code = 2

    def __init__(self, mistakes: str | list[str], *, hint: str = "") -> None:
        self.mistakes = [mistakes] if isinstance(mistakes, str) else list(mistakes)
        super().__init__("\n".join(self.mistakes), hint=hint)


class NothingToDo(CrosswheelError):  # noqa: N818 - reads as what happened
    exit_code = 3


class SourceError(CrosswheelError):
    exit_code = 4


class IndexUnreachable(CrosswheelError):  # noqa: N818
    exit_code = 5


class MissingTool(CrosswheelError):  # noqa: N818
    exit_code = 6


class BuildFailed(CrosswheelError):  # noqa: N818
    exit_code = 7


class RepairFailed(CrosswheelError):  # noqa: N818
    exit_code = 8


class AuditFailed(CrosswheelError):  # noqa: N818
    exit_code = 9


class WheelCount(CrosswheelError):  # noqa: N818
    exit_code = 10


class TimeLimit(CrosswheelError):  # noqa: N818
    exit_code = 11


class DiskFull(CrosswheelError):  # noqa: N818
    exit_code = 12


class EngineUnavailable(CrosswheelError):  # noqa: N818
    exit_code = 13


class ImageUnavailable(CrosswheelError):  # noqa: N818
    exit_code = 14


class CannotRun(CrosswheelError):  # noqa: N818
    exit_code = 15


class OutOfMemory(CrosswheelError):  # noqa: N818
    exit_code = 16


class ContainerLost(CrosswheelError):  # noqa: N818
    exit_code = 17


class EmulatorCrashed(CrosswheelError):  # noqa: N818
    exit_code = 18


class TestFailed(CrosswheelError):  # noqa: N818
    exit_code = 19


class CheckFailed(CrosswheelError):  # noqa: N818
    exit_code = 20


class UploadFailed(CrosswheelError):  # noqa: N818
    exit_code = 21


class FileClash(CrosswheelError):  # noqa: N818
    exit_code = 22


class NoCredentials(CrosswheelError):  # noqa: N818
    exit_code = 23


class VerifyFailed(CrosswheelError):  # noqa: N818
    exit_code = 24


class NotReleasable(CrosswheelError):  # noqa: N818
    exit_code = 25


class Incomplete(CrosswheelError):  # noqa: N818
    exit_code = 26


class NotReproducible(CrosswheelError):  # noqa: N818
    exit_code = 27


class WheelsMissing(CrosswheelError):  # noqa: N818
    exit_code = 28


class ClusterUnavailable(CrosswheelError):  # noqa: N818
    exit_code = 29


class Outdated(CrosswheelError):  # noqa: N818
    exit_code = 30


class UnknownPackage(SourceError):  # noqa: N818
    exit_code = 31


class Conflict(SourceError):  # noqa: N818
    exit_code = 32


class PythonTooOld(SourceError):  # noqa: N818
    exit_code = 33


class WrongHash(SourceError):  # noqa: N818
    exit_code = 34


class TooManyRequests(IndexUnreachable):
    exit_code = 35


class BuildCycle(BuildFailed):
    exit_code = 36


class CommandNotFound(CrosswheelError):  # noqa: N818
    exit_code = 127


def explained(error: OSError) -> CrosswheelError:
    """Convert an OSError: DiskFull for a full disk, CrosswheelError for anything else."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        hint = "df -h; then free some space, or set TMPDIR to a larger disk"
        return DiskFull(f"no space left: {error.filename or error}", hint=hint)
    return CrosswheelError(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))


@contextmanager
def explaining() -> Iterator[None]:
    """Raise any OSError of the block as a CrosswheelError: one message, no traceback."""
    try:
        yield
    except OSError as error:
        raise explained(error) from error
