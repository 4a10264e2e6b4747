"""Every way to fail: one class per exit code, each message with what happened, why, and the next command to type.

CrosswheelError
├── UsageError            2   options, configuration, target names
├── NothingToDo           3   the plan has no job
├── SourceError           4   no project, no sdist, other bytes than promised, an unsafe archive
├── IndexUnreachable      5   the package index did not answer, or stopped half way
├── MissingTool           6   an interpreter or a toolchain that is not there and could not be fetched
├── BuildFailed           7   a hook of the build backend failed
├── RepairFailed          8   the wheel cannot keep the policy's promise
├── AuditFailed           9   the wheel is not what its name says
├── WheelCount           10   the backend made no wheel, or more than one
├── TimeLimit            11   a command ran longer than it may
├── DiskFull             12   no space left on the device
├── EngineUnavailable    13   no Docker Engine answers, or not to this user, or it is too old, or it is gone
├── ImageUnavailable     14   an image that no registry gives, or that is not what it should be
├── CannotRun            15   the Docker host does not run programs of the architecture
├── OutOfMemory          16   the kernel ended a container's command for want of memory
├── ContainerLost        17   a container ended while it was needed
├── EmulatorCrashed      18   QEMU, and not the program that it ran
├── TestFailed           19   the wheel could not be installed or imported, or its test command failed
├── CheckFailed          20   files that are not fit to be released
├── UploadFailed         21   the index refused a file: its own reason is in the message
├── FileClash            22   the index has other bytes under a file's name
├── NoCredentials        23   no token, or an index that does not let this user read
├── VerifyFailed         24   the index does not serve, or installers do not choose, what was built
├── NotReleasable        25   changes without a commit, no tag, another version, no changelog entry
├── Incomplete           26   users do not get all that was planned, exactly as it was built
└── NotReproducible      27   a second build made another wheel
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

INTERRUPTED = 130  # the shell's 128 + SIGINT


class CrosswheelError(Exception):
    """What happened and why in `message`; the next command to type in `hint` (may be empty)."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def in_a_line(self) -> str:
        """For where an engine's refusal, or why a wheel stays untested, stands among others."""
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def __str__(self) -> str:
        return f"{self.message}\n  try: {self.hint}" if self.hint else self.message


class UsageError(CrosswheelError):
    """One or more mistakes in options, configuration or names, all of them at once in `mistakes`."""

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


def explained(error: OSError) -> CrosswheelError:
    """The system's own trouble as an error of ours: a full disk, a folder that nobody may write to."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        hint = "df -h; then free some, or set TMPDIR to a larger disk"
        return DiskFull(f"no space left: {error.filename or error}", hint=hint)
    return CrosswheelError(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))


@contextmanager
def explaining() -> Iterator[None]:
    """A full disk, a folder that nobody may write to: wherever it happens, one clear error and no traceback."""
    try:
        yield
    except OSError as error:
        raise explained(error) from error
