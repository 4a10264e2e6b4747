"""Forwards the socket of a Docker Engine on another machine with this machine's ssh.

The user's keys, agent and settings apply, and the other machine needs no docker command.
"""

from __future__ import annotations

import atexit
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from crosswheel.errors import EngineUnavailable
from crosswheel.system.process import Attached, start_attached
from crosswheel.system.scratch import temporary_folder

_REMOTE_SOCKET = "/var/run/docker.sock"
_PATIENCE = 20.0  # seconds to log in
_POLL = 0.05


_open: dict[str, tuple[Attached, Path]] = {}


def tunnel(address: str) -> str:
    """Forward ``ssh://user@machine:port/path/to/docker.sock`` to the returned ``unix://...`` until this process ends.

    One tunnel per address, and a new one if its ssh has ended. Raises EngineUnavailable.
    """
    if (known := _open.get(address)) and known[0].is_running:
        return f"unix://{known[1]}"
    stack = ExitStack()
    folder = stack.enter_context(temporary_folder())
    here, log = folder / "docker.sock", folder / "log"
    try:
        ssh = start_attached(_command(address, here), log)
    except FileNotFoundError as error:
        stack.close()
        raise EngineUnavailable(f"{address}: ssh is not installed here", hint="install an OpenSSH client") from error

    def close() -> None:
        ssh.end()
        stack.close()

    atexit.register(close)
    deadline = time.monotonic() + _PATIENCE
    while not _leads_somewhere(here):
        if not ssh.is_running or time.monotonic() > deadline:
            said = log.read_text("utf-8", "replace").strip().splitlines() or ["no answer"]
            close()
            machine = urlsplit(address).hostname
            raise EngineUnavailable(f"{address}: {said[-1]}", hint=f"ssh {machine} docker version")
        time.sleep(_POLL)
    _open[address] = ssh, here
    return f"unix://{here}"


def _command(address: str, here: Path) -> list[str]:
    parts = urlsplit(address)
    port = ["-p", str(parts.port)] if parts.port else []
    user = ["-l", parts.username] if parts.username else []
    options = ["BatchMode=yes", "ExitOnForwardFailure=yes", "ServerAliveInterval=15", "StreamLocalBindUnlink=yes"]
    forward = f"{here}:{parts.path if len(parts.path) > 1 else _REMOTE_SOCKET}"
    words = [word for option in options for word in ("-o", option)]
    # The remote end lives as long as its input is open, so it ends with this process in any case.
    return ["ssh", *words, *port, *user, "-L", forward, "--", parts.hostname or "", "cat >/dev/null"]


def _leads_somewhere(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
