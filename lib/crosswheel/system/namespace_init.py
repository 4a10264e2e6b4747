"""Runs a command in new namespaces: ``python -I -S namespace_init.py SPEC COMMAND...``; namespaces.py writes SPEC.

Three processes: this one waits outside; its child is process 1 of the new pid namespace, mounts, and reaps; the
grandchild becomes the command. When any of the first two ends, the kernel kills everything in the namespace.

Every mount is prepared in the old view of files, which has the sources, and attached in the new one. So a symbolic
link in an untrusted root never leads a mount, or a folder made for one, out of it (open_tree(2), move_mount(2)).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import warnings  # noqa: F401 - `os` imports it late, when the standard library may be out of sight

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import IO, Any, TypeAlias

    Spec: TypeAlias = dict[str, Any]  # from JSON

MAPPED = "+"
"""Prefix of the command's environment variables, so that none of them affects this interpreter."""

CANNOT = 125
"""The exit code if the namespaces could not be made, as of `docker run`."""

_C = ctypes.CDLL(None, use_errno=True)

# sched.h, sys/mount.h, linux/mount.h, linux/prctl.h, linux/capability.h. The system calls' numbers hold everywhere.
_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_NOSUID, _NODEV, _NOEXEC, _REC, _PRIVATE = 2, 4, 8, 16384, 1 << 18
_DETACH = 2
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_CLONE, _CLOEXEC, _RECURSIVE, _EMPTY_PATH, _FROM_EMPTY_PATH = 1, os.O_CLOEXEC, 0x8000, 0x1000, 4
_HERE = -100
_ATTR_READ_ONLY, _ATTR_NOSUID = 1, 2
_PDEATHSIG, _CAPBSET_DROP, _NO_NEW_PRIVS = 1, 24, 38
_LAST_CAPABILITY = 63

_STAGE = "/proc"  # it exists everywhere, and no source lies in it
_FORBIDDEN = ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug")
_UNCHANGED = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")
_REFUSED = -1  # no tree of a mount has this number


class Refused(Exception):  # noqa: N818 - reads as what happened
    """The kernel refused a step."""

    def __init__(self, step: str, number: int) -> None:
        super().__init__(f"{step}: {os.strerror(number)}")
        self.step, self.number = step, number


def _call(step: str, function: Callable[..., int], *arguments: object) -> int:
    result = function(*arguments)
    if result < 0:
        raise Refused(step, ctypes.get_errno())
    return result


def _bytes(text: str) -> bytes | None:
    return os.fsencode(text) if text else None


# ---- the namespaces -------------------------------------------------------------------------------------------


def _unshare(spec: Spec) -> None:
    """Enter new namespaces; a helper in the old user namespace writes the maps, which may need its rights."""
    asked, ask = os.pipe()
    me, user, group = os.getpid(), os.geteuid(), os.getegid()
    # Only root of the namespace may register emulators: `_be_again` gives the command the caller's numbers back.
    as_root = spec["as_root"] or any(mount["lines"] for mount in spec["mounts"])
    spec["user"] = () if spec["as_root"] else (user, group)
    helper = os.fork()
    if not helper:
        os.close(ask)
        numbers = {"gid": group, "uid": user}
        os._exit(_write_maps(me, numbers, spec["maps"], as_root=as_root) if os.read(asked, 1) else 0)
    os.close(asked)
    flags = _NEW_USER | _NEW_NS | _NEW_PID | _NEW_IPC | _NEW_UTS | (0 if spec["network"] else _NEW_NET)
    try:
        _call("unshare", _C.unshare, flags)
        os.write(ask, b".")
    finally:
        os.close(ask)
        _, status = os.waitpid(helper, 0)
    if status:
        raise Refused("uid_map", os.waitstatus_to_exitcode(status))


def _write_maps(process: int, numbers: dict[str, int], maps: dict[str, list[str]], *, as_root: bool) -> int:
    """Map users and groups: all to themselves, else by root's programs, else the own ones; return the error's number.

    Groups come first: newuidmap(1) refuses a process that has become another user.
    """
    try:
        for kind, number in numbers.items():
            if not _map_everyone(process, kind) and not _map_by_program(process, maps.get(kind, ())):
                _map_own(process, kind, f"{0 if as_root else number} {number} 1")
    except OSError as error:
        return error.errno or CANNOT
    return 0


def _map_everyone(process: int, kind: str) -> bool:
    """Whether all could be mapped to themselves, which only root may do."""
    try:
        _write(f"/proc/{process}/{kind}_map", _everyone(kind))
    except PermissionError:
        return False
    return True


def _map_by_program(process: int, command: Sequence[str]) -> bool:
    """Whether newuidmap or newgidmap could write a map; what they say is the command's output to nobody."""
    if not command:
        return False
    program, *numbers = command
    os.dup2(os.open("/dev/null", os.O_WRONLY), 2)
    try:
        return os.spawnv(os.P_WAIT, program, [program, str(process), *numbers]) == 0  # noqa: S606 - without a shell
    except OSError:
        return False


def _map_own(process: int, kind: str, line: str) -> None:
    if kind == "gid":
        _write(f"/proc/{process}/setgroups", "deny")
    _write(f"/proc/{process}/{kind}_map", line)


def _be_again(user: int, group: int) -> None:
    """Have these numbers instead of root's, in a user namespace inside."""
    _call("unshare", _C.unshare, _NEW_USER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/gid_map", f"{group} 0 1")
    _write("/proc/self/uid_map", f"{user} 0 1")


def _everyone(kind: str) -> str:
    with open(f"/proc/self/{kind}_map") as file:
        lines = [line.split() for line in file]
    return "".join(f"{inside} {inside} {count}\n" for inside, _, count in lines)


def _write(path: str, text: str) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


# ---- the mounts -----------------------------------------------------------------------------------------------


def _mount(kind: str, target: str, flags: int = 0, options: str = "") -> None:
    source = kind.encode()
    _call(f"mounting {kind} on {target}", _C.mount, source, _bytes(target), source, flags, _bytes(options))


def _tree(path: str, *, read_only: bool = False) -> int:
    """A copy of the mounts at `path` that is not attached anywhere."""
    flags = _CLONE | _CLOEXEC | _RECURSIVE
    tree = _call(f"binding {path}", _C.syscall, _OPEN_TREE, _HERE, _bytes(path), flags)
    _set(tree, "", _EMPTY_PATH | _RECURSIVE, _ATTR_NOSUID | (_ATTR_READ_ONLY if read_only else 0), path)
    return tree


def _set(folder: int, path: str, flags: int, attributes: int, name: str) -> None:
    wanted = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)  # struct mount_attr
    step = f"changing the mount {name}"
    _call(step, _C.syscall, _MOUNT_SETATTR, folder, path.encode(), flags, wanted, ctypes.c_size_t(32))


def _attach(tree: int, target: str) -> None:
    step = f"mounting on {target}"
    _call(step, _C.syscall, _MOVE_MOUNT, tree, b"", _HERE, _bytes(target), _FROM_EMPTY_PATH)
    os.close(tree)


def _staged(kind: str, options: str, lines: Sequence[str] = (), *, read_only: bool = False) -> int:
    """A new filesystem, mounted for a moment where it can be filled and copied."""
    _mount(kind, _STAGE, _NOSUID | (_NODEV | _NOEXEC if kind == "proc" else 0), options)
    try:
        for line in lines:
            _register(line)
        return _tree(_STAGE, read_only=read_only)
    finally:
        _C.umount2(_STAGE.encode(), _DETACH)


def _register(line: str) -> None:
    try:
        _write(f"{_STAGE}/register", line)
    except OSError as error:
        raise Refused(f"registering {line.split(':')[1]}", error.errno or 0) from error


def _prepared(mount: Spec) -> int | None:
    """The tree of a mount that needs the old view of files; None for others."""
    if mount["kind"] == "bind":
        return _tree(mount["source"], read_only=mount["read_only"])
    if mount["kind"] == "overlay":
        return _staged("overlay", mount["options"])
    if mount["kind"] == "binfmt_misc":
        return _staged("binfmt_misc", "", mount["lines"], read_only=True)
    if mount["kind"] == "proc":  # allowed only where a whole /proc is in view
        return _staged("proc", "")
    if mount["kind"] == "tmpfs" and mount["target"] == "/":
        return _staged("tmpfs", mount["options"])
    return None


def _tried(mount: Spec) -> int | None:
    """As `_prepared`; _REFUSED for an optional mount that the kernel refuses."""
    try:
        return _prepared(mount)
    except Refused:
        if mount["optional"]:
            return _REFUSED
        raise


def _make_mounts(mounts: list[Spec]) -> None:
    _call("making mounts private", _C.mount, b"none", b"/", None, _REC | _PRIVATE, None)
    tried = [(mount, _tried(mount)) for mount in mounts]
    prepared = [(mount, tree) for mount, tree in tried if tree != _REFUSED]
    root = prepared.pop(0)[1] if prepared and prepared[0][0]["target"] == "/" else None
    if root is not None:
        _attach(root, _STAGE)
        os.chdir(_STAGE)
        _call("changing the root", _C.pivot_root, b".", b".")
        _call("leaving the old root", _C.umount2, b".", _DETACH)
        os.chdir("/")
    for mount, tree in prepared:
        _add(mount, tree, makes=root is not None)


def _add(mount: Spec, tree: int | None, *, makes: bool) -> None:
    """Add a mount to the current view; `makes` says whether a missing target is made."""
    kind, target = mount["kind"], mount["target"]
    if makes and not os.path.lexists(target):
        _make(target, mount)
    if kind == "read-only":
        _set(_HERE, target, 0, _ATTR_READ_ONLY | _ATTR_NOSUID, target)
    elif tree is not None:
        _attach(tree, target)
        if kind == "proc":
            _close_proc()
    elif kind != "link":
        _mount(kind, target, _NOSUID | _NOEXEC if kind == "devpts" else _NOSUID, mount["options"])


def _make(target: str, mount: Spec) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if mount["kind"] == "link":
        os.symlink(mount["source"], target)
    elif mount["file"]:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    else:
        os.mkdir(target)


def _close_proc() -> None:
    """Close the files of /proc that root may write, or read secrets from, without any capability."""
    for path in filter(os.path.exists, _UNCHANGED):
        _attach(_tree(path, read_only=True), path)
    for path in filter(os.path.exists, _FORBIDDEN):
        if os.path.exists("/dev/null"):
            _attach(_tree("/dev/null"), path)


# ---- files that come and go -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(spec: Spec) -> Iterator[tuple[Sequence[IO[bytes]], IO[bytes] | None]]:
    """The archives to unpack, and the file for the packed one; the old view of files has them."""
    if not spec["unpack"] and not spec["pack"]:
        yield [], None
        return
    import tarfile

    # Users are numbers: a look at /etc/passwd would load the root's own libraries into this process.
    tarfile.pwd = tarfile.grp = None  # type: ignore[attr-defined]
    with contextlib.ExitStack() as stack:
        archives: list[IO[bytes]] = [stack.enter_context(open(path, "rb")) for path in spec["unpack"]]
        yield archives, stack.enter_context(open(spec["pack"][1], "wb")) if spec["pack"] else None


def _unpack(file: IO[bytes]) -> None:
    """Unpack an archive of ours at the root; what it replaces is removed, not written through."""
    tarfile = sys.modules["tarfile"]
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            if not member.isdir():
                with contextlib.suppress(OSError):
                    os.unlink(f"/{member.name}")
        trust = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
        archive.extractall("/", **trust)  # noqa: S202 - ours


def _pack(path: str, file: IO[bytes]) -> None:
    path = os.path.normpath(path)
    with sys.modules["tarfile"].open(fileobj=file, mode="w:") as archive:
        archive.add(path, os.path.basename(path) or ".")


# ---- the processes --------------------------------------------------------------------------------------------


def _process_1(spec: Spec, command: list[str], ended: int, alive: int) -> None:
    """Mount, start the command, and reap until it ends; its status is written to `ended`."""
    _C.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.set_blocking(alive, False)
    try:
        if not os.read(alive, 1):
            return  # the process outside has ended already
    except BlockingIOError:
        pass
    if not spec["network"]:
        _start_loopback()
    if spec["terminal"]:
        import fcntl  # noqa: F401 - here, where the standard library is in sight
        import select  # noqa: F401
        import termios  # noqa: F401
    with _opened(spec) as (archives, packed):
        sys.path.clear()  # the root is not trusted: nothing may be imported from it
        sys.path_importer_cache.clear()
        _make_mounts(spec["mounts"])
        for archive in archives:
            _unpack(archive)
        if packed:
            _limit(spec)
            _pack(spec["pack"][0], packed)
            os.write(ended, b"0")
            return
    started, terminal = _start(spec, command, ended)
    status = _relay(terminal, started) if terminal else _reap_until(started)
    os.write(ended, str(status).encode())


def _start(spec: Spec, command: list[str], ended: int) -> tuple[int, int]:
    """Start the command; return its number, and the other end of its terminal, 0 if it gets none."""
    ours, theirs = os.openpty() if spec["terminal"] else (0, 0)
    started = os.fork()
    if not started:
        os.close(ended)
        if theirs:
            _take_terminal(theirs)
        _become(spec, command)
    if theirs:
        os.close(theirs)
    return started, ours


def _reap_until(process: int) -> int:
    """Reap whatever ends, up to this process; return its status."""
    while True:
        ended, status = os.wait()
        if ended == process:
            return status


# ---- a terminal of the command's own --------------------------------------------------------------------------

# A terminal belongs to one session, and process groups of the old pid namespace have no numbers in the new one. So
# the command has a session of its own, with a terminal of the new /dev/pts, as in containers of an engine. It never
# holds the caller's terminal, into which it could type (TIOCSTI).

_BLOCK = 64 * 1024
_DRAINED = 64  # blocks shown at most of what was printed before the end: background processes may go on for ever


def _take_terminal(terminal: int) -> None:
    os.setsid()
    sys.modules["fcntl"].ioctl(terminal, sys.modules["termios"].TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(terminal, number)  # the copies are inheritable, `terminal` is not


def _relay(terminal: int, process: int) -> int:
    """Carry bytes and the window's size between the caller's terminal and the command's; return its status."""
    select, woken = sys.modules["select"].select, _woken_by_signals()
    os.set_blocking(terminal, False)
    unsent, sources = b"", {0, terminal, woken}
    while True:
        ready, free, _ = select(sources - {0} if unsent else sources, [terminal] if unsent else [], [])
        if free:
            unsent = unsent[_sent(terminal, unsent) :]
        if terminal in ready and not _show(terminal):
            sources.discard(terminal)
        if 0 in ready and not (unsent := _taken(0)):
            sources.discard(0)
        if woken in ready:
            os.read(woken, _BLOCK)
            _fit(terminal)
            if (status := _reaped(process)) is not None:
                _show_the_rest(terminal)
                return status


def _woken_by_signals() -> int:
    """What can be read when a child has ended or the window has another size, and once at the beginning."""
    woken, waking = os.pipe()
    for number in (woken, waking):
        os.set_blocking(number, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    for signals in (signal.SIGCHLD, signal.SIGWINCH):
        signal.signal(signals, lambda *_: None)
    os.write(waking, b".")
    return woken


def _show_the_rest(terminal: int) -> None:
    for _ in range(_DRAINED):
        if not sys.modules["select"].select([terminal], [], [], 0)[0] or not _show(terminal):
            return


def _fit(terminal: int) -> None:
    fcntl, termios = sys.modules["fcntl"], sys.modules["termios"]
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))


def _taken(source: int) -> bytes:
    """The bytes that were typed or printed; empty at the end, and if the terminal is gone."""
    try:
        return os.read(source, _BLOCK)
    except OSError:
        return b""


def _sent(terminal: int, data: bytes) -> int:
    try:
        return os.write(terminal, data)
    except BlockingIOError:
        return 0
    except OSError:
        return len(data)  # nobody reads any more


def _show(terminal: int) -> bool:
    """Show what the command printed; False if no process has its terminal any more."""
    data = shown = _taken(terminal)
    while shown:
        shown = shown[os.write(1, shown) :]
    return bool(data)


def _reaped(process: int) -> int | None:
    """Reap what has ended; return the status of this process if it has."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == process:
                return found[1]
    return None


def _start_loopback() -> None:
    import fcntl
    import socket
    import struct

    up, set_flags = 1, 0x8914  # IFF_UP, SIOCSIFFLAGS
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sH14x", b"lo", up))


def _limit(spec: Spec) -> None:
    for name, value in spec["limits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def _become(spec: Spec, command: list[str]) -> None:
    """Replace this process by the command, without the rights to change mounts."""
    if spec["user"] and spec["user"][0] != os.geteuid():
        _be_again(*spec["user"])
    _limit(spec)
    for number in range(_LAST_CAPABILITY + 1):
        if number not in spec["capabilities"]:
            _C.prctl(_CAPBSET_DROP, number, 0, 0, 0)
    _C.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    for number in (*_LEFT_TO_COMMAND, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    environ = {name[1:]: value for name, value in os.environb.items() if name[:1] == MAPPED.encode()}
    try:
        os.chdir(spec["cwd"])
        os.execvpe(command[0], command, environ)  # noqa: S606 - the purpose of this file
    except OSError as error:
        _say(f"{command[0]}: {error.strerror}")
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


# The command's session gets these signals, and it decides; the namespace ends with it.
_LEFT_TO_COMMAND = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def _say(text: str) -> None:
    os.write(2, f"crosswheel: {text}\n".encode())


def _run(spec: Spec, command: list[str]) -> int:
    """Run the command; return its status as of `os.wait`."""
    for number in _LEFT_TO_COMMAND:
        signal.signal(number, signal.SIG_IGN)
    for entrance in spec["entrances"]:
        _write(entrance, "0")
    _unshare(spec)
    status, ended = os.pipe()
    alive, _living = os.pipe()
    if not os.fork():
        os.close(_living)
        code = CANNOT
        try:
            _process_1(spec, command, ended, alive)
            code = 0
        except BaseException as error:  # noqa: BLE001 - nothing else would report it
            _say(str(error) or repr(error))
        finally:
            os._exit(code)
    os.close(ended)
    told = os.read(status, 16)
    os.wait()
    return int(told) if told else CANNOT << 8


def main(spec: str, *command: str) -> None:
    try:
        status = _run(json.loads(spec), list(command))
    except (Refused, OSError) as error:
        _say(str(error))
        sys.exit(CANNOT)
    if os.WIFSIGNALED(status):
        _end_by(os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status))


def _end_by(number: int) -> None:
    """End as the command did."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


if __name__ == "__main__":
    main(*sys.argv[1:])
