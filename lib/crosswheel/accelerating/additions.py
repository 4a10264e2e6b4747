"""What a container of a foreign architecture gets, and the options of docker and podman that give it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from crosswheel.accelerating.command_line import ContainerCommand

_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Additions:
    """Volumes by name with their mount points, folders for the beginning of PATH, environment variables and labels.

    `writable` are the names of the volumes that are not read-only.
    """

    volumes: Mapping[str, str]
    path: tuple[str, ...]
    environ: Mapping[str, str]
    writable: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)


def refusal(command: ContainerCommand, additions: Additions) -> str:
    """Why a command cannot have the additions; empty if it can."""
    if command.has("rootfs", "pod", "unsetenv-all"):
        return "it is made with --rootfs, --pod or --unsetenv-all"
    ours = [PurePosixPath(path) for path in additions.volumes.values()]
    for text in command.mount_points:
        path = PurePosixPath(text)
        if any(path == one or (path in one.parents and str(path) != "/") for one in ours):
            return f"it mounts something of its own at {text}"
    return ""


def with_additions(
    command: ContainerCommand, additions: Additions, image_path: str, caller: Mapping[str, str]
) -> tuple[str, ...]:
    """The words of the command with the additions.

    A variable that the command sets itself keeps its value, and its PATH follows our folders; otherwise PATH is that
    of the image. `caller` is the environment of the program.
    """
    own = command.variables
    # A name without a value is taken from the program's environment, if it is there.
    given = {name: caller.get(name) if value is None else value for name, value in own.items()}
    path = given.get("PATH") or image_path or _DEFAULT_PATH
    environ = {name: value for name, value in additions.environ.items() if given.get(name) is None}
    return command.with_options(
        [
            *(f"--volume={name}:{place}{_mode(name, additions)}" for name, place in additions.volumes.items()),
            *(f"--env={name}={value}" for name, value in environ.items()),
            f"--env=PATH={':'.join((*additions.path, path))}",
            *(f"--label={name}={value}" for name, value in additions.labels.items()),
        ]
    )


def _mode(name: str, additions: Additions) -> str:
    return "" if name in additions.writable else ":ro"
