"""Commands in namespaces: what they see, how they end, and what stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pytest

from crosswheel.errors import TimeLimit
from crosswheel.system import namespaces
from crosswheel.system.namespace_support import Kernel, allowed, explain_namespaces
from crosswheel.system.namespaces import (
    CONTAINER_CAPABILITIES,
    Namespace,
    bind,
    devices,
    link,
    locked,
    overlay,
    proc,
    tmpfs,
)
from crosswheel.system.process import CommandFailed, Processes
from terminals import terminal

ENVIRON = {"PATH": "/usr/bin:/bin"}
SYSTEM = (bind("/usr"), *(link(f"usr/{name}", f"/{name}") for name in ("bin", "lib", "lib64", "sbin")))


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Processes:
    found = Processes()
    permitted = allowed(found, tmp_path_factory.mktemp("tried"))
    if permitted.namespaces or permitted.overlay:
        pytest.skip(str(permitted.namespaces or permitted.overlay))
    return found


def run(processes: Processes, namespace: Namespace, *argv: str, **environ: str) -> str:
    return processes.run(argv, env={**ENVIRON, **environ}, namespace=namespace)


def ending(processes: Processes, *argv: str) -> int:
    with pytest.raises(CommandFailed) as caught:
        run(processes, Namespace(), *argv)
    return caught.value.returncode


def test_ends_as_the_command_does(processes: Processes) -> None:
    assert run(processes, Namespace(), "true") == ""
    assert ending(processes, "sh", "-c", "exit 3") == 3
    assert ending(processes, "sh", "-c", "kill -SEGV $$") == -signal.SIGSEGV
    assert ending(processes, "no-such-program") == 127
    assert ending(processes, "/etc/passwd") == 126


def test_variables_reach_only_the_command(processes: Processes) -> None:
    out = run(processes, Namespace(), "env", LD_PRELOAD="", PYTHONHOME="/nowhere", LANG="C", ODD="b\udce9")
    names = {line.partition("=")[0] for line in out.splitlines()}
    assert names == {"PATH", "LD_PRELOAD", "PYTHONHOME", "LANG", "ODD", "CROSSWHEEL_COMMAND"}


def test_own_root_shows_only_what_was_brought(processes: Processes, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    namespace = Namespace((tmpfs("/"), *SYSTEM, *devices(), proc(), tmpfs("/tmp"), locked()))  # noqa: S108
    out = run(processes, namespace, "ls", "-a", "/", "/tmp").split()  # noqa: S108
    assert {"bin", "dev", "lib", "lib64", "proc", "sbin", "tmp", "usr"} >= {n for n in out if n.isalnum()}
    text = run(
        processes, namespace, "sh", "-c", "ls /proc | grep -c '^[0-9]'; touch /x /usr/x; echo a >/tmp/a; cat /tmp/a"
    )
    assert text.split()[-1] == "a"
    assert int(text.split()[0]) < 6


def test_read_only_stays_so(processes: Processes) -> None:
    namespace = Namespace((tmpfs("/"), *SYSTEM, *devices(), proc(), locked()), as_root=True)
    for command in (
        "mount -o remount,rw,bind /usr",
        "umount /proc",
        "touch /usr/x",
        "echo 1 > /proc/sys/vm/overcommit_memory",
        "cat /proc/1/environ",
        "ls /proc/1/root/",
    ):
        with pytest.raises(CommandFailed):
            run(processes, namespace, "sh", "-c", command)


def test_overlay_keeps_the_lower_folder(processes: Processes, tmp_path: Path) -> None:
    lower, upper, work = (tmp_path / name for name in ("lower,1", "upper:1", "work"))
    for folder in (lower, upper, work):
        folder.mkdir()
    (lower / "old").write_text("old")
    # A link in the root, here to a folder of this machine, is followed inside only.
    (lower / "proc").symlink_to(tmp_path)
    layers = overlay("/", [lower], upper, work)
    namespace = Namespace((layers, *SYSTEM, *devices()), as_root=True, capabilities=CONTAINER_CAPABILITIES)
    run(processes, namespace, "sh", "-c", "echo new > /new; rm /old; chown 0:0 /new; id -u > /id")
    assert (lower / "old").read_text() == "old"
    assert ((upper / "new").read_text(), (upper / "id").read_text()) == ("new\n", "0\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lower,1", "upper:1", "work"]
    assert run(processes, namespace, "cat", "/new") == "new\n"


def test_without_network_there_is_loopback_only(processes: Processes) -> None:
    script = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(socket.if_nameindex())"
    out = run(processes, Namespace(network=False), sys.executable, "-I", "-c", script)
    assert out.strip() == "[(1, 'lo')]"


def test_nothing_survives_the_command(processes: Processes) -> None:
    run(processes, Namespace(), "sh", "-c", "setsid sleep 987654 & exit 0")
    assert not _running("sleep\0987654")


def test_time_limit_ends_everything(processes: Processes) -> None:
    with pytest.raises(TimeLimit):
        processes.run(
            ["sh", "-c", "setsid sleep 987653 & sleep 987653"],
            env=ENVIRON,
            namespace=Namespace(),
            deadline=time.monotonic() + 0.3,
        )
    assert not _running("sleep\0987653")


def test_a_killed_caller_leaves_nothing() -> None:
    argv, environ = Namespace().entered(["sh", "-c", "echo started; sleep 987652"], ENVIRON)
    with subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"started\n"
        process.kill()
    deadline = time.monotonic() + 5
    while _running("sleep\0987652"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


ON_A_TERMINAL = """
import sys
from pathlib import Path
from crosswheel.system.namespaces import Namespace, bind, devices, link, proc, tmpfs
from crosswheel.system.process import Processes
system = (bind("/usr"), *(link(f"usr/{name}", f"/{name}") for name in ("bin", "lib", "lib64")))
inside = Namespace((tmpfs("/"), *system, *devices(), proc()), as_root=True)
environ = {"PATH": "/usr/bin:/bin"}
print("code", Processes().interact(["sh", "-ic", sys.argv[1]], env=environ, cwd=Path("/"), namespace=inside))
"""


@pytest.mark.usefixtures("processes")
def test_a_terminal_of_its_own(tmp_path: Path) -> None:
    """Keys reach the command, also those that are signals; its processes may go on without it."""
    script = "tty; echo began; cat; stty size; sleep 987651 & exit 4"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with terminal([sys.executable, "-c", ON_A_TERMINAL, script], environ, tmp_path) as screen:
        before = screen.settings
        screen.expect(r"/dev/pts/0\r\nbegan\r\n")
        screen.resize(33, 77)
        screen.type("typed\n")
        screen.expect(r"typed\r\ntyped\r\n")
        screen.type("\x04")
        screen.expect(r"33 77\r\n(.|\n)*code 4\r\n")
        assert screen.code() == 0
        assert screen.settings == before
    assert not _running("sleep\0987651")


def test_allowed_says_why_not(processes: Processes, tmp_path: Path) -> None:
    """Inside a user namespace where none may be made."""
    script = (
        "from pathlib import Path; from crosswheel.system.process import Processes;"
        "from crosswheel.system.namespace_support import allowed;"
        f"print(allowed(Processes(), Path({str(tmp_path)!r})).namespaces)"
    )
    command = f"echo 0 > /proc/sys/user/max_user_namespaces && exec {sys.executable} -c {script!r}"
    out = subprocess.run(
        ["/usr/bin/unshare", "-Ur", "sh", "-c", command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert out.stdout.strip() == (
        "user.max_user_namespaces is 0, so there are no such namespaces; sudo sysctl -w user.max_user_namespaces=10000"
    ), out.stderr


AS_USER = r'''
import os, subprocess, sys, tempfile
from pathlib import Path
from crosswheel.system.namespaces import (
    CONTAINER_CAPABILITIES, Namespace, binfmt, bind, devices, link, locked, overlay, proc, tmpfs
)
folder = Path(tempfile.mkdtemp())
for name in ("lower", "upper", "work"):
    (folder / name).mkdir()
layers = overlay("/", [folder / "lower"], folder / "upper", folder / "work")
system = (bind("/usr"), *(link(f"usr/{name}", f"/{name}") for name in ("bin", "lib", "lib64")))
inside = Namespace((layers, *system, *devices(), proc()), as_root=True, capabilities=CONTAINER_CAPABILITIES)
script = "id -u; echo made > /made; chown 0:0 /made; touch /usr/x 2>/dev/null || echo read-only"
argv, environ = inside.entered(["sh", "-c", script], {"PATH": "/usr/bin"})
print(subprocess.run(argv, env=environ, stdout=-1, text=True).stdout.split(), os.getuid() != 0)
print((folder / "upper" / "made").stat().st_uid == os.getuid())
entries = binfmt([r":made:M::\x7fMADE::/bin/echo:F"])
inside = Namespace((tmpfs("/"), *system, *devices(), proc(), entries, tmpfs("/tmp", mode=0o1777), locked()))
script = """
id -u; id -g
printf '\x7fMADE' > /tmp/made; chmod +x /tmp/made; /tmp/made
mount -o remount,rw,bind /usr 2>/dev/null || echo refused
"""
argv, environ = inside.entered(["bash", "-c", script], {"PATH": "/usr/bin"})
print(subprocess.run(argv, env=environ, stdout=-1, text=True).stdout.split())
'''


@pytest.mark.usefixtures("processes")
def test_an_ordinary_user_is_root_inside(tmp_path: Path) -> None:
    python, setpriv = Path("/usr/bin/python3"), Path("/usr/bin/setpriv")
    if os.geteuid() or not python.exists() or not setpriv.exists():
        pytest.skip("needs root, which becomes another user, and a Python that this one may start")
    library = Path(namespaces.__file__).parents[2]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        Path(folder).chmod(0o777)
        user = [str(setpriv), "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        out = subprocess.run(
            [*user, str(python), "-c", AS_USER],
            env={"PYTHONPATH": str(library), "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if "No module named" in out.stderr or "Permission denied" in out.stderr:
        pytest.skip(out.stderr.splitlines()[-1])
    own, made, registered = out.stdout.splitlines()
    assert (own, made) == ("['0', 'read-only'] True", "True"), out.stderr
    # Whoever is not root inside still has an emulator of the namespace's own.
    assert registered == "['65534', '65534', '/tmp/made', 'refused']", out.stderr


def test_reasons() -> None:
    said = "unshare: Operation not permitted"
    assert "AppArmor" in str(
        explain_namespaces(said, Kernel("6.8.0", {"kernel.apparmor_restrict_unprivileged_userns": "1"}))
    )
    assert "seccomp=unconfined" in explain_namespaces(said, Kernel("6.8.0", filtered=True)).hint
    assert "only root" in str(explain_namespaces(said, Kernel("5.10.0", {"kernel.unprivileged_userns_clone": "0"})))
    assert "systempaths" in str(explain_namespaces("mounting proc on /proc: Operation not permitted", Kernel("6.8")))
    assert str(explain_namespaces(said, Kernel("6.8.0"))).startswith(said)


def _running(words: str) -> bool:
    return any(words.encode() in _command_line(folder) for folder in Path("/proc").glob("[0-9]*"))


def _command_line(folder: Path) -> bytes:
    with suppress(OSError):
        return (folder / "cmdline").read_bytes()
    return b""
