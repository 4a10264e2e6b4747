"""The only file that starts processes, and the one that sees to it that none is left behind."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from crosswheel.errors import CrosswheelError, TimeLimit
from crosswheel.system import guardian
from crosswheel.system.confinement import Confinement
from crosswheel.system.guardian import MARK, marked
from crosswheel.system.terminal import is_interactive, kept_terminal

_POLL = 0.05
_GRACE = 3.0
_LOOK = 0.5  # seconds between two looks at how much memory a command takes


class CommandFailed(CrosswheelError):  # noqa: N818
    """A command ended with a code that is not 0; `output` is what it printed, or where a log has that, its end."""

    def __init__(self, argv: Sequence[str], returncode: int, output: str) -> None:
        self.ending = describe_returncode(returncode)
        super().__init__(f"{' '.join(argv)} ended with {self.ending}")
        self.argv = tuple(argv)
        self.returncode = returncode
        self.output = output


class Stopped(CrosswheelError):  # noqa: N818
    """The run was stopped while this command was under way, or before it began."""


def describe_returncode(returncode: int) -> str:
    """``exit code 2``, or ``signal SIGKILL`` for the negative codes that `subprocess` gives."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"signal {signal.Signals(-returncode).name}"
    except ValueError:
        return f"signal {-returncode}"


@dataclass
class Meter:
    """Memory of commands that run one after another, in bytes at its highest; looked at twice a second."""

    peak: int = 0
    _looked: float = 0.0

    def look(self, session: int) -> None:
        """At all processes of a session; what a command starts in sessions of its own is not seen."""
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            self.peak = max(self.peak, _resident(session))


def _resident(session: int) -> int:
    """Bytes of all its processes; pages that they share count for each (proc(5), fields 6 and 24 of stat)."""
    pages, wanted = 0, str(session).encode()
    # Of hundreds of processes, while a command waits for us to see that it has ended: no Path for each.
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            # It may have ended in the meantime.
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                fields = file.read().rpartition(b")")[2].split()
                if fields[3] == wanted:
                    pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Processes:
    """Starts commands, each in a session of its own, so that stopping one stops whatever it started."""

    _stopping: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Every command under way ends now; every later one is refused."""
        self._stopping.set()

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    def look(self) -> None:
        """For who waits for something else than a command; raises Stopped."""
        if self.stopped:
            raise Stopped("not waited for: the run was stopped")

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        log: Path | None = None,
        deadline: float | None = None,
        meter: Meter | None = None,
        confinement: Confinement | None = None,
    ) -> str:
        """Run to the end; output goes to the end of `log`, or is returned where there is none.

        `deadline` is a moment of `time.monotonic`; `meter` learns what the command takes, and `confinement` says where
        it may not write, where there is a log. Raises
        CommandFailed, TimeLimit, Stopped, and MissingTool's cousin FileNotFoundError where the program is not there.
        """
        if self.stopped:
            raise Stopped(f"not started: {argv[0]}")
        env = {**env, MARK: _new_mark()}
        if log is None:
            return self._capture(argv, env, cwd, deadline)
        with log.open("ab") as sink:
            sink.write(f"$ {' '.join(argv)}\n".encode())
            sink.flush()
            since = sink.tell()
            start = functools.partial(self._start, argv, env, cwd, sink.fileno())
            process = confinement.start(start) if confinement else start()
            self._wait(process, env[MARK], argv, deadline, meter)
        if process.returncode:
            raise CommandFailed(argv, process.returncode, "\n".join(log_tail(log, since=since)))
        return ""

    def interact(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, deadline: float | None = None) -> int:
        """Run with this process's own input and output, on its terminal if they are one.

        Gives the exit code as shells do: 128 and the number of the signal that ended it.
        """
        if self.stopped:
            raise Stopped(f"not started: {argv[0]}")
        env, terminal = {**env, MARK: _new_mark()}, is_interactive()
        with kept_terminal() if terminal else contextlib.nullcontext():
            # A terminal belongs to one session: the command stays in ours, and is known by its mark alone.
            process = subprocess.Popen(list(argv), env=env, cwd=cwd, start_new_session=not terminal)
            try:
                while process.poll() is None:
                    self.check(argv, deadline)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL)
            finally:
                _end_escaped(env[MARK])
                process.wait()
        return process.returncode if process.returncode >= 0 else 128 - process.returncode

    def _capture(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | None, deadline: float | None) -> str:
        import tempfile

        # A file, and not a pipe: nobody has to read while the command runs.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._start(argv, env, cwd, out.fileno(), err.fileno())
            self._wait(process, env[MARK], argv, deadline)
            out.seek(0)
            err.seek(0)
            text = out.read().decode(errors="replace")
            if process.returncode:
                raise CommandFailed(argv, process.returncode, text + err.read().decode(errors="replace"))
        return text

    def _start(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None,
        stdout: int,
        stderr: int = subprocess.STDOUT,
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    def _wait(
        self,
        process: subprocess.Popen[bytes],
        mark: str,
        argv: Sequence[str],
        deadline: float | None,
        meter: Meter | None = None,
    ) -> None:
        try:
            with _waiting_for(process) as wait:
                while process.poll() is None:
                    self.check(argv, deadline)
                    if meter:
                        meter.look(process.pid)
                    wait()
        except BaseException:
            _end_session(process)
            _end_escaped(mark)
            raise
        _end_leftovers(process)

    def check(self, argv: Sequence[str], deadline: float | None) -> None:
        """Whether a command may go on; raises Stopped, TimeLimit."""
        if self.stopped:
            raise Stopped(f"stopped: {argv[0]}")
        if deadline is not None and time.monotonic() > deadline:
            raise TimeLimit(
                f"{' '.join(argv[:3])} was still running when the time limit was reached",
                hint="set a longer `timeout` (seconds) in [tool.crosswheel], or find in the log what it waits for",
            )


@dataclass
class Attached:
    """A command that serves this process from the background; its input closes when this process ends."""

    _process: subprocess.Popen[bytes]

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        _end_session(self._process)
        if self._process.stdin:
            self._process.stdin.close()


@functools.cache
def _guarded() -> str:
    """The beginning of all marks of this process, which a guardian ends them by should it be killed."""
    mark = f"{secrets.token_hex(8)}-"
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", guardian.__file__, mark],
        env={},
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(_dismiss, process)
    return mark


def _dismiss(guard: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        guard.communicate(b".")


def _new_mark() -> str:
    """Of one command."""
    return f"{_guarded()}{secrets.token_hex(4)}"


def start_attached(argv: Sequence[str], log: Path) -> Attached:
    """Start a command in the caller's own environment; raises FileNotFoundError where it is not there."""
    with log.open("wb") as sink:
        process = subprocess.Popen(list(argv), stdin=subprocess.PIPE, stdout=sink, stderr=sink, start_new_session=True)
    return Attached(process)


def start_connected(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> tuple[Attached, socket.socket]:
    """Start a command whose input is the other end of this connection, on which messages keep their bounds.

    What it prints of itself goes nowhere.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.closing(theirs):
        try:
            process = subprocess.Popen(
                list(argv),
                env={**env, MARK: _new_mark()},
                cwd=cwd,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
    return Attached(process), ours


@contextlib.contextmanager
def _waiting_for(process: subprocess.Popen[bytes]) -> Iterator[Callable[[], object]]:
    """What waits until a process ends, or until it is time for another look; the kernel tells at once.

    `Popen.wait` looks from time to time only, and a job has a dozen short commands.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:  # a kernel before 5.3, or a container's that forbids it

        def sleep() -> None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_POLL)

        yield sleep
        return
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        yield lambda: poll.poll(_POLL * 1000)
    finally:
        os.close(handle)


def _end_session(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole session to end, then make it."""
    for number, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, _GRACE)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    _end_leftovers(process)


def _end_escaped(mark: str) -> None:
    """End the servers that a command started in sessions of their own: its mark is in their environment."""
    for number in marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _end_leftovers(process: subprocess.Popen[bytes]) -> None:
    """What a command left behind in its session has no leader any more, and nobody who waits for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def log_tail(log: Path, lines: int = 30, *, since: int = 0) -> tuple[str, ...]:
    """The last lines of a log behind its byte `since`, without reading all of a large one."""
    if not log.is_file():
        return ()
    with log.open("rb") as file:
        file.seek(max(since, log.stat().st_size - 64 * 1024))
        return tuple(file.read().decode(errors="replace").splitlines()[-lines:])
