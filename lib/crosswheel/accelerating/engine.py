"""The engine that a command of docker or podman would use."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from crosswheel.accelerating.command_line import ContainerCommand
from crosswheel.accelerating.desk import Question
from crosswheel.containers.container import remove_stale
from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.errors import EngineUnavailable
from crosswheel.system.process import marked_environ, start_attached

_PATIENCE = 20.0  # seconds until podman's service answers
_PAUSE = 0.1


def address_of(command: ContainerCommand) -> str:
    """The address or docker context in the options of the program; empty for the default."""
    options = dict(command.program_options)
    names = ("host", "H", "context", "url", "connection", "c")
    return next((value for name in names if (value := options.get(name))), "")


def connect_like(question: Question, command: ContainerCommand, folder: Path, stack: ExitStack) -> DockerHost:
    """Connect to it; podman, which has no daemon, serves its storage until the stack closes.

    Raises EngineUnavailable.
    """
    address = address_of(command)
    if question.program != "podman":
        host = connect(address, question.environ)
    elif remote := address or question.environ.get("CONTAINER_HOST", ""):
        host = connect(remote, question.environ)
    else:
        host = _serving(question, command, folder, stack)
    stack.callback(host.client.close)
    remove_stale(host)
    return host


def _serving(question: Question, command: ContainerCommand, folder: Path, stack: ExitStack) -> DockerHost:
    socket = folder / "podman.sock"
    words = [question.path, *command.program_words, "system", "service", "--time=0", f"unix://{socket}"]
    service = start_attached(words, folder / "podman.log", env=marked_environ(question.environ))
    stack.callback(service.end)
    deadline = time.monotonic() + _PATIENCE
    while not socket.exists():
        if not service.is_running or time.monotonic() > deadline:
            said = (folder / "podman.log").read_text("utf-8", "replace").strip()
            raise EngineUnavailable(f"podman system service did not start: {said}", hint="podman info")
        time.sleep(_PAUSE)
    return connect(f"unix://{socket}", question.environ)
