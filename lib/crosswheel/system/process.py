"""Starts and ends processes: the only module that starts any, and none outlives its run."""

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
from dataclasses import dataclass, field, replace
from pathlib import Path

from crosswheel.errors import CrosswheelError, TimeLimit
from crosswheel.system import guardian
from crosswheel.system.confinement import Confinement
from crosswheel.system.cpu_time import count
from crosswheel.system.guardian import MARK, marked
from crosswheel.system.namespaces import Namespace
from crosswheel.system.terminal import is_interactive, kept_terminal, raw_terminal

_POLL = 0.05
_GRACE = 3.0
_LOOK = 0.5  # seconds between two measurements of a command's memory


class CommandFailed(CrosswheelError):  # noqa: N818
    """A command failed; `output` is what it printed, or the end of its log."""

    def __init__(self, argv: Sequence[str], returncode: int, output: str) -> None:
        self.ending = describe_returncode(returncode)
        super().__init__(f"{' '.join(argv)} ended with {self.ending}")
        self.argv = tuple(argv)
        self.returncode = returncode
        self.output = output


class Stopped(CrosswheelError):  # noqa: N818
    """The run was stopped during this command, or before it began."""


def describe_returncode(returncode: int) -> str:
    """``exit code 2``, or ``signal SIGKILL`` for `subprocess`'s negative codes."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return f"signal {signal.Signals(-returncode).name}"
    except ValueError:
        return f"signal {-returncode}"


@dataclass
class Meter:
    """The peak memory of successive commands in bytes, measured twice a second."""

    peak: int = 0
    _looked: float = 0.0

    def look(self, session: int) -> None:
        """Measure all processes of a session; processes in other sessions are not included."""
        now = time.monotonic()
        if now - self._looked >= _LOOK:
            self._looked = now
            self.peak = max(self.peak, _resident(session))


def _resident(session: int) -> int:
    """The resident bytes of a session's processes; shared pages count for each (fields 6 and 24 of stat, proc(5))."""
    pages, wanted = 0, str(session).encode()
    # Paths are texts for speed: there may be hundreds of processes.
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            # The process may have ended in the meantime.
            with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                fields = file.read().rpartition(b")")[2].split()
                if fields[3] == wanted:
                    pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Processes:
    """Starts commands, each in its own session, so that stopping one stops its children too.

    They are stopped with those of `within`, too, which several runs may share.
    """

    within: Processes | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End every running command now; refuse all later ones."""
        self._stopping.set()

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set() or (self.within is not None and self.within.stopped)

    def look(self) -> None:
        """Raise Stopped if the run was stopped; for waits that are not commands."""
        if self.stopped:
            raise Stopped("the run was stopped")

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
        namespace: Namespace | None = None,
    ) -> str:
        """Run a command to its end; its output is appended to `log`, or returned if `log` is None.

        `deadline` is a time of `time.monotonic`; `meter` measures the command, and `confinement` restricts its writing
        if there is a log. In a `namespace`, `cwd` is a folder inside, and a missing program fails with 127. Raises
        CommandFailed, TimeLimit, Stopped, and FileNotFoundError if the program is missing.
        """
        if self.stopped:
            raise Stopped(f"not started: {argv[0]}")
        env = marked_environ(env)
        if log is None:
            return self._capture(argv, env, cwd, deadline, namespace)
        with log.open("ab") as sink:
            sink.write(f"$ {' '.join(argv)}\n".encode())
            sink.flush()
            since = sink.tell()
            start = functools.partial(self._start, *_entered(namespace, argv, env, cwd), sink.fileno())
            process = confinement.start(start) if confinement else start()
            self._wait(process, env[MARK], argv, deadline, meter)
        if process.returncode:
            raise CommandFailed(argv, process.returncode, "\n".join(log_tail(log, since=since)))
        return ""

    def interact(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        deadline: float | None = None,
        namespace: Namespace | None = None,
    ) -> int:
        """Run a command with this process's input and output, on its terminal if they are one.

        Returns the exit code like shells: 128 plus the number of a signal that ended it.
        """
        if self.stopped:
            raise Stopped(f"not started: {argv[0]}")
        env, terminal = marked_environ(env), is_interactive()
        if namespace and terminal:
            namespace = replace(namespace, terminal=True)
        words, env, folder = _entered(namespace, argv, env, cwd)
        with _terminal_for(namespace) if terminal else contextlib.nullcontext():
            # A terminal belongs to one session, so the command stays in ours; only its mark identifies it.
            process = subprocess.Popen(list(words), env=env, cwd=folder, start_new_session=not terminal)
            try:
                while process.poll() is None:
                    self.check(argv, deadline)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL)
            finally:
                _end_escaped(env[MARK])
                process.wait()
        return process.returncode if process.returncode >= 0 else 128 - process.returncode

    def run_like_shell(self, argv: Sequence[str], *, env: Mapping[str, str]) -> tuple[int, bool]:
        """Run a command with this process's input and output to its own end; return the exit code like shells.

        The second value says whether a signal asked for the end: the command gets it, and may clean up after itself.
        Raises OSError if it cannot be started.
        """
        terminal = is_interactive()
        started: list[subprocess.Popen[bytes]] = []
        early: list[int] = []
        asked = False

        def pass_on(number: int) -> None:
            with contextlib.suppress(ProcessLookupError):
                started[0].send_signal(number) if terminal else os.killpg(started[0].pid, number)

        def hear(number: int, _frame: object) -> None:
            nonlocal asked
            asked = True
            if not started:
                early.append(number)
            # A terminal has sent Ctrl-C to the command, too; anybody else to this process alone.
            elif not (terminal and number == signal.SIGINT):
                pass_on(number)

        with _handled((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), hear):
            started.append(subprocess.Popen(list(argv), env=dict(env), start_new_session=not terminal))
            for number in early:
                pass_on(number)
            code = started[0].wait()
        return (code if code >= 0 else 128 - code), asked

    def _capture(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None,
        deadline: float | None,
        namespace: Namespace | None,
    ) -> str:
        import tempfile

        # A file instead of a pipe, which would have to be read while the command runs.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = self._start(*_entered(namespace, argv, env, cwd), out.fileno(), err.fileno())
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
                while not _has_ended(process):
                    self.check(argv, deadline)
                    if meter:
                        meter.look(process.pid)
                    wait()
        except BaseException:
            count(None)
            _end_session(process, _GRACE)
            _end_escaped(mark)
            raise
        _end_leftovers(process)

    def check(self, argv: Sequence[str], deadline: float | None) -> None:
        """Raise Stopped or TimeLimit if the command must end."""
        if self.stopped:
            raise Stopped(f"stopped: {argv[0]}")
        if deadline is not None and time.monotonic() > deadline:
            raise TimeLimit(
                f"{' '.join(argv[:3])} was still running at the time limit",
                hint="set a longer `timeout` (seconds) in [tool.crosswheel], or find in the log what it waits for",
            )


@contextlib.contextmanager
def _handled(numbers: Sequence[signal.Signals], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle signals in the main thread, which alone gets them; ignored ones stay ignored, as under nohup."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    taken = {number: old for number, old in before.items() if old is not signal.SIG_IGN}
    for number in taken:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in taken.items():
            signal.signal(number, old)


def _entered(
    namespace: Namespace | None, argv: Sequence[str], env: Mapping[str, str], cwd: Path | None
) -> tuple[Sequence[str], Mapping[str, str], Path | None]:
    """The command that enters a namespace first, or the command itself; the mark stays readable from outside."""
    if namespace is None:
        return argv, env, cwd
    words, variables = namespace.entered(argv, env, cwd)
    return words, {**variables, MARK: env[MARK]}, None


def _terminal_for(namespace: Namespace | None) -> contextlib.AbstractContextManager[None]:
    """In a namespace the command has a terminal of its own, which interprets the keys."""
    return raw_terminal() if namespace else kept_terminal()


@dataclass
class Attached:
    """A background command for this process; its input closes when this process ends."""

    _process: subprocess.Popen[bytes]

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def ending(self) -> str:
        """How it ended, in words; empty while it is running."""
        code = self._process.poll()
        return "" if code is None else describe_returncode(code)

    def wait(self, seconds: float) -> bool:
        """Whether it ends within that time."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.is_running

    def end(self, grace: float = _GRACE) -> None:
        """End it and what it started in its session: SIGTERM first, after `grace` seconds SIGKILL."""
        _end_session(self._process, grace)
        if self._process.stdin:
            self._process.stdin.close()


@functools.cache
def _guarded() -> str:
    """The prefix of all marks of this process; starts a guardian that ends the marked processes if it is killed."""
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
    """A new mark for one command."""
    return f"{_guarded()}{secrets.token_hex(4)}"


def marked_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a command that ends with this process, even if it is killed."""
    return {**environ, MARK: _new_mark()}


def run_undisturbed(argv: Sequence[str]) -> None:
    """Run a short command that goes on to its end whatever happens to this process. Raises CommandFailed."""
    with subprocess.Popen(
        list(argv),
        env={},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate()
        finally:
            process.wait()
    if process.returncode:
        raise CommandFailed(argv, process.returncode, output.decode(errors="replace"))


def start_attached(
    argv: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Attached:
    """Start a command, by default in the caller's environment. Raises FileNotFoundError if it is missing."""
    with log.open("wb") as sink:
        process = subprocess.Popen(
            list(argv), env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=sink, stderr=sink, start_new_session=True
        )
    return Attached(process)


def start_connected(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> tuple[Attached, socket.socket]:
    """Start a command whose standard input is the other end of the returned message socket.

    Its own output is discarded.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with contextlib.closing(theirs):
        try:
            process = subprocess.Popen(
                list(argv),
                env=marked_environ(env),
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
    """A function that waits for the end of a process, or for the next check; the kernel reports the end at once.

    `Popen.wait` polls with delays, which add up for the many short commands of a job.
    """
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:  # a kernel before 5.3, or a container that forbids it

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


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a command has ended; then its processor time counts, with that of all that it waited for (wait4(2))."""
    if process.returncode is None:
        try:
            number, status, usage = os.wait4(process.pid, os.WNOHANG)
        except ChildProcessError:  # who ignores SIGCHLD is not told
            number, usage = process.pid, None
            process.wait()
        else:
            process.returncode = os.waitstatus_to_exitcode(status) if number else None
        if number:
            count(usage.ru_utime + usage.ru_stime if usage else None)
        return bool(number)
    count(None)  # `Popen.wait` has waited
    return True


def _end_session(process: subprocess.Popen[bytes], grace: float) -> None:
    """End a whole session: SIGTERM first, then SIGKILL."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, _GRACE)):
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
    """End processes of a command in other sessions, by the mark in their environment."""
    for number in marked(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _end_leftovers(process: subprocess.Popen[bytes]) -> None:
    """End processes that a finished command left in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def log_tail(log: Path, lines: int = 30, *, since: int = 0) -> tuple[str, ...]:
    """The last lines of a log after byte `since`, without reading a large log completely."""
    if not log.is_file():
        return ()
    with log.open("rb") as file:
        file.seek(max(since, log.stat().st_size - 64 * 1024))
        return tuple(file.read().decode(errors="replace").splitlines()[-lines:])
