"""What a build on this machine sees and changes: canaries lie wherever the caller has secrets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.engines.workspace import HostWorkspace, private_environ
from crosswheel.system import namespace_init
from crosswheel.system.local_host import LocalHost
from crosswheel.system.namespace_support import Allowed
from crosswheel.system.namespaces import Mount
from crosswheel.system.process import CommandFailed
from crosswheel.system.refusal import Refusal
from crosswheel.system.sandbox import Layer, Sandbox, base_of, named_in, repository_of
from tiny_projects import tar_of, tiny_host

CANARY = "canary-5c1e0f"

_SPY = """
import json, os, socket, sys
yranac, *names = sys.argv[1:]
targets = ["/" + name for name in names]
canary = yranac[::-1]  # its own command line has no canary
skipped = {"/proc", "/sys", "/usr", "/dev", "/opt", sys.prefix, sys.base_prefix}
found = [f"environment: {name}" for name, value in os.environ.items() if canary in value]

def read(path):
    try:
        with open(path, "rb") as file:
            return canary.encode() in file.read(1 << 20)
    except OSError:
        return False

for process in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        if process != str(os.getpid()) and read(f"/proc/{process}/{name}"):
            found.append(f"/proc/{process}/{name}")
for folder, folders, files in os.walk(os.environ.get("SEARCHED", "/")):
    folders[:] = [name for name in folders if os.path.join(folder, name) not in skipped]
    found += [os.path.join(folder, name) for name in files if read(os.path.join(folder, name))]
for target in targets:
    for path in (target, "/proc/1/root" + target):
        try:
            with open(path, "r+") as file:
                file.write("changed")
            found.append(f"changed: {path}")
        except OSError:
            pass
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(path)
            found.append(f"connected: {path}")
        except OSError:
            pass
print("FOUND", json.dumps(found))
"""


class Machine:
    """A caller's home folder, with a project, caches and a socket in it, and the folder of a job."""

    def __init__(self, folder: Path) -> None:
        self.home, self.job = folder / "home", folder / "job"
        self.project, self.cache = self.home / "src" / "project", self.home / ".cache" / "crosswheel"
        self.secrets = [
            self.home / name
            for name in (
                ".pypirc", ".netrc", ".ssh/id_ed25519", ".config/gh/hosts.yml", ".cargo/credentials.toml",
                ".cache/crosswheel/journal/entry", ".cache/uv/archive/module.py", "src/another/private.py",
            )
        ]  # fmt: skip
        for path in self.secrets:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(CANARY)
        (self.home / ".cargo" / "bin").mkdir()
        self.project.mkdir()
        self.job.mkdir()
        self.socket = self.home / "docker.sock"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.socket))
        self.listener.listen()

    @property
    def targets(self) -> list[str]:
        """Without the first slash: a build sees what is named to it."""
        return [str(path)[1:] for path in (*self.secrets, self.socket)]

    def state(self) -> dict[str, bytes]:
        paths = [path for path in self.home.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in paths if self.project not in path.parents}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    # A socket's path is short, and other users get into no folder of pytest's.
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="cw-") as folder:
        made = Machine(Path(folder))
        with made.listener:
            yield made


@pytest.fixture
def host(machine: Machine, tmp_path: Path) -> LocalHost:
    path = f"{machine.home}/.cargo/bin:/usr/bin:/bin"
    secrets = {"TWINE_PASSWORD": CANARY, "GITHUB_TOKEN": CANARY}
    host = replace(
        tiny_host(tmp_path), environ={"PATH": path, "HOME": str(machine.home), **secrets}, cache=machine.cache
    )
    if refusal := host.allowed.namespaces:
        pytest.skip(str(refusal))
    return host


@pytest.fixture
def workspace(machine: Machine, host: LocalHost, tmp_path: Path) -> HostWorkspace:
    python = Path(sys.executable)
    environ = {**host.build_environ, **private_environ(machine.job)}
    sandbox = host.sandbox(machine.job, python, environ, Path(sys.prefix))
    return HostWorkspace(host, machine.job, python, tmp_path / "log", None, environ, sandbox=sandbox)


def spied(workspace: HostWorkspace, cwd: Path, machine: Machine) -> list[str]:
    workspace.run_hook([sys.executable, "-c", _SPY, CANARY[::-1], *machine.targets], cwd=str(cwd))
    (line,) = [line for line in workspace.log.read_text().splitlines() if line.startswith("FOUND ")]
    found: list[str] = json.loads(line.removeprefix("FOUND "))
    return found


@pytest.mark.parametrize("place", ["job", "project"])
def test_a_build_finds_no_secret_and_changes_nothing_of_the_callers(
    machine: Machine, workspace: HostWorkspace, place: str
) -> None:
    before = machine.state()
    assert spied(workspace, getattr(machine, place), machine) == []
    assert machine.state() == before


def test_without_the_sandbox_the_same_spy_finds_them(machine: Machine, workspace: HostWorkspace) -> None:
    """Otherwise the test above would show nothing."""
    bare = replace(workspace, sandbox=None, environ={**workspace.environ, "SEARCHED": str(machine.home)})
    found = spied(bare, machine.job, machine)
    assert {str(machine.home / ".ssh" / "id_ed25519"), f"connected: {machine.socket}"} <= set(found)


def test_an_ordinary_users_build_finds_none_either(machine: Machine, workspace: HostWorkspace) -> None:
    python = Path("/usr/bin/python3")
    if os.geteuid() != 0 or not python.exists():
        pytest.skip("only root can start a process of another user, and it needs the system's Python")
    nobody = 65534
    for path in (machine.home.parent, *machine.home.parent.rglob("*")):
        os.chown(path, nobody, nobody, follow_symlinks=False)
    sandbox = workspace.host.sandbox(machine.job, python, workspace.environ)
    assert sandbox
    with sandbox.entered() as namespace:
        command = ["/usr/bin/python3", "-c", _SPY, CANARY[::-1], *machine.targets]
        words, environ = namespace.entered(command, workspace.environ, machine.job)
        # Neither this interpreter nor this file need be in a folder that others get into.
        init = machine.home.parent / "init.py"
        init.write_bytes(Path(namespace_init.__file__).read_bytes())
        words = [str(init) if word == namespace_init.__file__ else word for word in words]
        done = subprocess.run(
            [str(python), *words[1:]],
            env=environ,
            cwd="/",
            user=nobody,
            group=nobody,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (0, "FOUND []\n"), done.stderr


def sh(workspace: HostWorkspace, command: str, cwd: Path) -> str:
    workspace.log.unlink(missing_ok=True)
    workspace.run_hook(["sh", "-c", command], cwd=str(cwd))
    return workspace.log.read_text().partition("\n")[2]


def test_a_build_writes_where_it_works_and_where_it_is_given_room(machine: Machine, workspace: HostWorkspace) -> None:
    more = machine.home / "more"
    more.mkdir()
    workspace.put(more)
    kept = replace(workspace, kept=(machine.cache / "objects",))
    (machine.cache / "objects").mkdir()
    sh(
        kept,
        f'touch made "$HOME/made" "$TMPDIR/made" /tmp/made {more}/made {machine.cache}/objects/made',
        machine.project,
    )
    assert all((folder / "made").exists() for folder in (machine.project, more, machine.cache / "objects"))
    assert not Path("/tmp/made").exists()  # noqa: S108


@pytest.mark.parametrize(
    "command",
    ["touch /etc/crosswheel", "touch /usr/crosswheel", "touch /crosswheel", "mount -o remount,rw /usr", "umount /proc"],
)
def test_a_build_does_not_change_the_system(machine: Machine, workspace: HostWorkspace, command: str) -> None:
    with pytest.raises(CommandFailed):
        sh(workspace, command, machine.job)


def test_a_build_sees_only_its_own_processes(machine: Machine, workspace: HostWorkspace) -> None:
    assert sh(workspace, "ls -d /proc/[0-9]*", machine.job).split() in (
        ["/proc/1", "/proc/2"],
        ["/proc/1", "/proc/2", "/proc/3"],
    )


def test_a_build_reads_of_the_processors_that_it_builds_for(machine: Machine, workspace: HostWorkspace) -> None:
    told = machine.job / "cpuinfo"
    told.write_text("Features\t: fp asimd\n")
    assert workspace.sandbox
    cross = replace(workspace, sandbox=replace(workspace.sandbox, cpuinfo=told))
    assert sh(cross, "cat /proc/cpuinfo", machine.job) == told.read_text()
    assert "fp asimd" not in sh(workspace, "cat /proc/cpuinfo", machine.job)


def test_programs_in_path_are_there_and_the_users_other_files_are_not(
    machine: Machine, workspace: HostWorkspace
) -> None:
    program = machine.home / ".cargo" / "bin" / "tool"
    program.write_text("#!/bin/sh\necho works\n")
    program.chmod(0o755)
    assert sh(workspace, "tool", machine.job) == "works\n"
    with pytest.raises(CommandFailed):
        sh(workspace, f"cat {machine.home}/.cargo/credentials.toml", machine.job)


def test_changes_in_a_layer_stay_in_it(machine: Machine, workspace: HostWorkspace) -> None:
    if refusal := workspace.host.allowed.overlay:
        pytest.skip(str(refusal))
    shared = machine.cache / "runtimes"
    shared.mkdir()
    (shared / "libc").write_text("good")
    assert workspace.sandbox
    layer = Layer(shared, machine.cache / "changes")
    own = replace(workspace, sandbox=replace(workspace.sandbox, layers=(layer,)))
    sh(own, f"cat {shared}/libc; echo bad > {shared}/libc; touch {shared}/more", machine.job)
    assert sh(own, f"cat {shared}/libc; ls {shared}", machine.job) == "bad\nlibc\nmore\n"
    assert ((shared / "libc").read_text(), list(shared.iterdir())) == ("good", [shared / "libc"])


def test_programs_stand_in_for_those_of_their_names(machine: Machine, workspace: HostWorkspace) -> None:
    if refusal := workspace.host.allowed.overlay:
        pytest.skip(str(refusal))
    (machine.job / "by-path").mkdir()
    compiler = machine.job / "by-path" / "gcc"
    compiler.write_text("#!/bin/sh\necho for the target\n")
    compiler.chmod(0o755)
    assert workspace.sandbox
    cross = replace(workspace, sandbox=replace(workspace.sandbox, programs=compiler.parent))
    told = sh(cross, "/usr/bin/gcc; PATH=/bin gcc; /usr/bin/env echo there; touch /usr/bin/x 2>&1 || :", machine.job)
    assert told.splitlines()[:3] == ["for the target", "for the target", "there"]
    assert "Read-only" in told


def test_programs_that_the_kernel_cannot_lay_over_change_nothing(machine: Machine, workspace: HostWorkspace) -> None:
    assert workspace.sandbox
    cross = replace(workspace, sandbox=replace(workspace.sandbox, programs=machine.job / "missing"))
    assert sh(cross, "/usr/bin/env echo there", machine.job) == "there\n"


def test_what_the_environment_shares_with_uvs_cache_is_not_changed_there(machine: Machine, host: LocalHost) -> None:
    if refusal := host.allowed.overlay:
        pytest.skip(str(refusal))
    environment = machine.job / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    shared, module = machine.home / ".cache" / "uv" / "archive" / "module.py", environment / "module.py"
    module.hardlink_to(shared)
    python, log = environment / "bin" / "python", machine.job / "log"
    sandbox = host.sandbox(machine.job, python, host.build_environ)
    workspace = HostWorkspace(host, machine.job, python, log, None, host.build_environ, sandbox=sandbox)
    sh(workspace, f"echo more >> {module}", machine.job)
    assert (sh(workspace, f"cat {module}", machine.job), shared.read_text()) == (f"{CANARY}more\n", CANARY)


def test_a_folder_that_a_link_leads_to_is_there_by_both_names(machine: Machine, workspace: HostWorkspace) -> None:
    (machine.home / "linked").symlink_to(machine.project)
    workspace.put(machine.home / "linked")
    sh(workspace, f"touch {machine.home}/linked/one {machine.project}/two; readlink {machine.home}/linked", machine.job)
    assert {path.name for path in machine.project.iterdir()} == {"one", "two"}


def test_git_of_a_project_is_seen_in_a_folder_of_a_repository(machine: Machine, workspace: HostWorkspace) -> None:
    repository = machine.home / "src"
    subprocess.run(["/usr/bin/git", "init", "-q", str(repository)], check=True)
    assert list(repository_of(machine.project)) == [repository]
    assert sh(workspace, "git rev-parse --show-toplevel", machine.project) == f"{repository}\n"


# ---- which mounts ---------------------------------------------------------------------------------------------


def mounts(sandbox: Sandbox) -> dict[str, Mount]:
    with sandbox.entered() as namespace:
        return {mount.target: mount for mount in namespace.mounts}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tmp", "home/project", "home/tools/bin", "home/.cache"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_a_home_that_is_the_project_is_seen_but_for_its_caches(folder: Path) -> None:
    home = folder / "home"
    made = mounts(Sandbox(folder / "tmp", (home,), hidden=(home, home / ".cache")))
    assert (made[str(home)].kind, made[str(home)].read_only) == ("bind", False)
    assert made[str(home / ".cache")].kind in {"tmpfs", "read-only"}


def test_what_another_folder_shows_is_not_mounted_again(folder: Path) -> None:
    home = folder / "home"
    made = mounts(
        Sandbox(folder / "tmp", (home / "project",), (home / "tools", home / "tools" / "bin", Path("/usr/bin")))
    )
    assert {path for path in made if path.startswith((str(home), "/usr"))} == {
        "/usr", str(home / "project"), str(home / "tools"),
    }  # fmt: skip


def test_what_a_hidden_folder_has_is_mounted_again(folder: Path) -> None:
    home = folder / "home"
    made = mounts(Sandbox(folder / "tmp", (), (folder, home / "tools"), hidden=(home,)))
    assert (made[str(folder)].kind, made[str(home / "tools")].kind) == ("bind", "bind")
    assert made[str(home)].kind == "read-only"  # after the tmpfs there


def test_variables_name_what_is_seen(folder: Path) -> None:
    tools = folder / "home" / "tools"
    (folder / "bin").mkdir()
    (tools / "bin" / "cmake").touch()
    (folder / "bin" / "cmake").symlink_to(tools / "bin" / "cmake")
    found = set(named_in({"PATH": f"{folder}/bin:relative", "CA": f"{folder}/ca.pem", "WORDS": "not a path"}))
    assert found >= {folder / "bin", folder / "ca.pem", tools / "bin", tools / "share"}
    assert tools not in found


def test_an_interpreter_brings_its_installation_not_the_folder_above(folder: Path) -> None:
    home = folder / "home"
    (home / "bin").mkdir()
    (home / "bin" / "python3.11").touch()
    environment = folder / "environment"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(home / "bin" / "python3.11")
    (environment / "pyvenv.cfg").write_text(f"home = {home / 'bin'}\n")
    found = set(base_of(environment / "bin" / "python"))
    assert found >= {home / "bin", home / "lib"}
    assert home not in found


# ---- requirements that are only sdists --------------------------------------------------------------------------

# Their backend, which puts what it has found into the wheel.
_SPYING = """
import json, os, subprocess, sys, zipfile
def build_wheel(folder, settings=None, metadata=None):
    command = [sys.executable, "spy.py", *json.load(open("words.json"))]
    alone = len([name for name in os.listdir("/proc") if name.isdigit()]) < 10  # a namespace: little to look through
    environ = {**os.environ, "SEARCHED": "/" if alone else open("searched").read()}
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environ)
    with zipfile.ZipFile(os.path.join(folder, "spy-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("found.txt", said.stdout)
        wheel.writestr("spy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: spy\\nVersion: 1.0\\n")
        wheel.writestr("spy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("spy-1.0.dist-info/RECORD", "")
    return "spy-1.0-py3-none-any.whl"
"""


@pytest.fixture
def spying_requirement(machine: Machine, tmp_path: Path) -> Path:
    """A folder with it for UV_FIND_LINKS."""
    members = {
        "PKG-INFO": b"Metadata-Version: 2.2\nName: spy\nVersion: 1.0\n",
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "spying"\nbackend-path = ["."]\n',
        "spying.py": _SPYING.encode(),
        "spy.py": _SPY.encode(),
        "words.json": json.dumps([CANARY[::-1], *machine.targets]).encode(),
        "searched": str(machine.home.parent).encode(),
    }
    links = tmp_path / "links"
    links.mkdir()
    tar_of(members, links, top="spy-1.0/", name="spy-1.0.tar.gz")
    return links


def found_by_requirement(host: LocalHost, machine: Machine, links: Path) -> list[str]:
    host = replace(host, environ={**host.environ, "UV_FIND_LINKS": str(links), "UV_INDEX_MINE_PASSWORD": CANARY})
    python = LocalHost.make_environment(host, Path(sys.executable), machine.job / "environment", None)
    host.install(["spy"], python, None)
    (file,) = (machine.job / "environment").rglob("found.txt")
    found: list[str] = json.loads(file.read_text().removeprefix("FOUND "))
    return found


def test_a_requirement_that_uv_builds_finds_no_secret_and_changes_nothing(
    machine: Machine, host: LocalHost, spying_requirement: Path
) -> None:
    before = {path: path.read_bytes() for path in machine.secrets}
    assert found_by_requirement(host, machine, spying_requirement) == []
    assert {path: path.read_bytes() for path in machine.secrets} == before


def test_where_the_kernel_forbids_namespaces_it_finds_them(
    machine: Machine, host: LocalHost, spying_requirement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the test above would show nothing; the run says that builds can read files then."""
    refusal = Refusal("it does not", "ask it to")
    monkeypatch.setattr(LocalHost, "allowed", Allowed(refusal, refusal, refusal))
    assert str(machine.home / ".ssh" / "id_ed25519") in found_by_requirement(host, machine, spying_requirement)


def test_what_it_built_is_kept_for_the_same_requirements(
    machine: Machine, host: LocalHost, spying_requirement: Path
) -> None:
    found_by_requirement(host, machine, spying_requirement)
    (kept,) = (machine.cache / "requirements").iterdir()
    assert any(kept.rglob("found.txt"))
