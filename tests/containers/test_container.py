"""Containers on real hosts: what commands in them say and see, what comes out of them, and how they end.

Tests with `docker_host` are of a Docker Engine alone: of its daemon, its settings of containers and its volumes.
"""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

import docker
import pytest

from containers import dockerd
from containers.engine import Engine
from containers.program import find_program
from crosswheel.containers import container, namespace_container
from crosswheel.containers.container import Container as DockerContainer
from crosswheel.containers.container import remove_stale, running, unstarted
from crosswheel.containers.docker_containers import DockerContainers
from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.containers.host import Container, ContainerHost
from crosswheel.containers.images import Image
from crosswheel.containers.namespace_container import NamespaceContainer
from crosswheel.containers.opt_python import find_pythons
from crosswheel.containers.ownership import LABEL, is_stale, labels
from crosswheel.errors import BuildFailed, ContainerLost, EngineUnavailable, OutOfMemory, TimeLimit
from crosswheel.model.job import deaf
from crosswheel.model.targets import parse_architecture
from crosswheel.system.cgroups import may_limit_memory
from crosswheel.system.cpu_time import measured
from crosswheel.system.memo import answers_in
from crosswheel.system.process import CommandFailed, Processes, Stopped
from stray import runs_still

pytestmark = pytest.mark.containers

X86 = parse_architecture("x86_64")
MIB = 1024 * 1024
# Longer than any test waits.
SLEEP = ("sleep", "300")


@pytest.fixture(scope="module")
def docker_host(docker_engine: Engine) -> Iterator[DockerHost]:
    host = connect(docker_engine.address, os.environ)
    with closing(host.client):
        yield host


def image_of(host: ContainerHost, reference: str) -> Image:
    return host.ensure_image(reference, X86, mirrors=(), offline=False, listener=deaf)


@pytest.fixture(scope="module")
def busybox(host: ContainerHost, busybox_x86_64: str) -> Image:
    return image_of(host, busybox_x86_64)


@pytest.fixture(scope="module")
def docker_busybox(docker_host: DockerHost, busybox_x86_64: str) -> Image:
    return image_of(DockerContainers(docker_host), busybox_x86_64)


@pytest.fixture(scope="module")
def manylinux(host: ContainerHost, manylinux_x86_64: str) -> Image:
    return image_of(host, manylinux_x86_64)


@pytest.fixture(scope="module")
def shared(host: ContainerHost, manylinux: Image) -> Iterator[Container]:
    """For tests that leave it alive."""
    with host.running(manylinux, Processes(), timeout=600, environ={"GIVEN": "to all"}) as container:
        yield container


@pytest.fixture
def opened(host: ContainerHost, busybox: Image) -> Iterator[Callable[..., Container]]:
    """Containers for tests that end them."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            host.running(**{"image": busybox, "processes": Processes(), "timeout": 600, **options})
        )


@pytest.fixture
def on_docker(docker_host: DockerHost, docker_busybox: Image) -> Iterator[Callable[..., DockerContainer]]:
    """The same of a Docker Engine."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(
            running(docker_host, **{"image": docker_busybox, "processes": Processes(), "timeout": 600, **options})
        )


def exists(container: Container) -> bool:
    """Removal goes on for a moment after an engine has answered."""
    for _ in range(50):
        if not _is_there(container):
            return False
        time.sleep(0.1)
    return True


def _is_there(container: Container) -> bool:
    if isinstance(container, NamespaceContainer):
        return container.folder.exists()
    assert isinstance(container, DockerContainer)
    # One that goes while the engine lists it is an error to the library, unless it is told otherwise.
    listed = container.docker.client.containers
    return bool(listed.list(all=True, filters={"id": container._id}, ignore_removed=True))


def running_now(*words: str) -> list[int]:
    """The processes of this machine with these words in their command."""
    line = b"\0".join(map(str.encode, words))
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _command_line(path).startswith(line)]


def is_running(*words: str) -> bool:
    """Whether such a process runs a while after it should have ended."""
    return any(map(runs_still, running_now(*words)))


def _command_line(folder: Path) -> bytes:
    with suppress(OSError):
        return (folder / "cmdline").read_bytes()
    return b""


def sh(container: Container, script: str) -> str:
    return container.run(["sh", "-c", script])


# ---- commands -------------------------------------------------------------------------------------------------


def test_what_a_command_prints_is_returned_without_its_errors(shared: Container) -> None:
    assert sh(shared, "echo out; echo err >&2") == "out\n"


def test_or_goes_to_the_end_of_the_log_with_them(shared: Container, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    assert shared.run(["sh", "-c", "echo out; echo err >&2"], log=log) == ""
    assert log.read_text() == "before\n$ sh -c echo out; echo err >&2\nout\nerr\n"


def test_output_of_a_megabyte_and_of_bytes_that_are_no_text_arrives(shared: Container) -> None:
    assert len(sh(shared, f"head -c {MIB} /dev/zero")) == MIB
    assert sh(shared, r"printf '\377x'") == "\N{REPLACEMENT CHARACTER}x"


def test_a_command_that_fails_says_how_and_what_it_printed(shared: Container) -> None:
    with pytest.raises(CommandFailed) as caught:
        sh(shared, "echo out; echo err >&2; exit 3")
    assert (caught.value.returncode, caught.value.output) == (3, "out\nerr\n")
    assert str(caught.value).endswith("ended with exit code 3")


def test_of_a_log_the_error_shows_what_the_command_wrote(shared: Container, tmp_path: Path) -> None:
    """And not what others did, by which it would be judged."""
    (tmp_path / "log").write_text("qemu: uncaught target signal\n")
    with pytest.raises(CommandFailed) as caught:
        shared.run(["sh", "-c", "echo some reason; exit 1"], log=tmp_path / "log")
    assert caught.value.output == "some reason"


def test_the_processor_time_of_a_command_is_counted(shared: Container) -> None:
    with measured() as idle:
        sh(shared, "sleep 0.5")
    with measured() as busy:
        # The limit is one of processor time: it says the same on a busy machine.
        sh(shared, "sh -c 'ulimit -t 1; while :; do :; done' || :")
    assert idle.seconds is not None
    assert busy.seconds is not None
    assert idle.seconds + 0.5 < busy.seconds < 2.5


def test_a_program_that_is_not_there_fails_and_the_container_lives(shared: Container) -> None:
    with pytest.raises(CommandFailed, match=r"exit code 12[67]"):
        shared.run(["no-such-program"])
    assert sh(shared, "echo still here") == "still here\n"


def test_one_that_something_killed_is_no_lost_container(shared: Container) -> None:
    with pytest.raises(CommandFailed, match="exit code 137"):
        sh(shared, "kill -KILL $$")
    assert shared.is_running


def test_a_command_that_closed_its_output_is_waited_for(shared: Container) -> None:
    with pytest.raises(CommandFailed, match="exit code 5"):
        sh(shared, "exec >&- 2>&-; sleep 3; exit 5")


def test_a_server_that_a_command_left_is_not_waited_for(shared: Container) -> None:
    began = time.monotonic()
    assert sh(shared, "sleep 300 & echo started") == "started\n"
    assert time.monotonic() - began < 60


def test_it_starts_in_the_folder_and_with_the_variables_that_are_given(shared: Container) -> None:
    given = {"MORE": "for one", "LANG": "xx"}
    assert shared.run(["sh", "-c", "pwd; echo $GIVEN, $MORE, $LANG"], cwd="/usr/lib", env=given) == (
        "/usr/lib\nto all, for one, xx\n"
    )
    assert sh(shared, "pwd; echo $GIVEN, $MORE, $LANG") == "/\nto all, , C.UTF-8\n"


# ---- what it sees of its caller -------------------------------------------------------------------------------


def test_nothing_of_the_caller_is_inside(
    opened: Callable[..., Container], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWINE_PASSWORD", "canary")
    container = opened()
    assert "canary" not in sh(container, "env; cat /proc/1/environ || true")
    with pytest.raises(CommandFailed):
        container.run(["ls", str(tmp_path)])


def test_how_it_is_confined(docker_host: DockerHost, on_docker: Callable[..., DockerContainer]) -> None:
    volume = docker_host.client.volumes.create(labels=labels())
    try:
        container = on_docker(volumes={volume.name: "/opt/tools"}, memory=256 * MIB)
        container._container.reload()
        attributes = container._container.attrs
        limits = attributes["HostConfig"]
        mounts = [(mount["Type"], mount["Name"], mount["Destination"], mount["RW"]) for mount in attributes["Mounts"]]
        assert mounts == [("volume", volume.name, "/opt/tools", False)]
        assert limits["Binds"] == [f"{volume.name}:/opt/tools:ro"]
        assert not limits["Privileged"]
        assert not limits["CapAdd"]
        assert not limits["Devices"]
        assert limits["SecurityOpt"] == ["no-new-privileges"]
        assert limits["NetworkMode"] == "bridge"
        assert (limits["PidMode"], limits["UsernsMode"]) == ("", "")
        assert limits["PidsLimit"] == 8192
        assert (limits["Memory"], limits["MemorySwap"]) == (256 * MIB, 256 * MIB)
        assert attributes["Config"]["Labels"][LABEL] == labels()[LABEL]
        with pytest.raises(CommandFailed, match="exit code 1"):
            sh(container, "touch /opt/tools/file")
        container.remove()
    finally:
        volume.remove(force=True)


def test_it_gains_no_rights_and_has_only_a_few(opened: Callable[..., Container]) -> None:
    status = dict(line.split(":\t", 1) for line in sh(opened(), "cat /proc/self/status").splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
    admin, module, ptrace = 1 << 21, 1 << 16, 1 << 19  # linux/capability.h
    assert not int(status["CapBnd"], 16) & (admin | module | ptrace)


def test_volumes_are_read_and_caches_written(host: ContainerHost, opened: Callable[..., Container]) -> None:
    for name in ("crosswheel-tests-read", "crosswheel-tests-written"):
        host.ensure_volume(name, labels())
    given = {"volumes": {"crosswheel-tests-read": "/read"}, "caches": {"crosswheel-tests-written": "/written"}}
    with pytest.raises(CommandFailed, match="exit code 1"):
        sh(opened(**given), "touch /read/file")
    sh(opened(**given), "echo kept > /written/file")
    assert sh(opened(**given), "cat /written/file; rm /written/file") == "kept\n"


# ---- files in and out -----------------------------------------------------------------------------------------


def test_files_go_in_and_come_out_as_they_are(shared: Container, tmp_path: Path) -> None:
    folder = tmp_path / "some folder"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "program").write_bytes(b"#!/bin/sh\necho runs\n")
    (folder / "bin" / "program").chmod(0o755)
    (folder / "data").write_bytes(bytes(range(256)))
    os.utime(folder / "data", (1_234_567_890, 1_234_567_890))
    shared.put(folder)
    assert shared.run([str(folder / "bin/program")]) == "runs\n"
    assert sh(shared, f"stat -c '%u %g %Y' '{folder}/data'") == "0 0 1234567890\n"
    shared.get(folder, tmp_path / "back")
    program, data = tmp_path / "back/bin/program", tmp_path / "back/data"
    assert data.read_bytes() == bytes(range(256))
    assert data.stat().st_mtime == 1_234_567_890
    assert program.stat().st_mode & 0o111
    assert not data.stat().st_mode & 0o111


def test_a_file_goes_below_a_folder_and_one_comes_out_alone(shared: Container, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("1")
    shared.put(tmp_path / "one", to=PurePosixPath("/made/here"))
    shared.get("/made/here/one", tmp_path / "out")
    assert [(path.name, path.read_text()) for path in (tmp_path / "out").iterdir()] == [("one", "1")]


def test_files_go_in_as_they_were_when_they_were_given(shared: Container, tmp_path: Path) -> None:
    (tmp_path / "early").write_text("early")
    shared.put(tmp_path / "early", to=PurePosixPath("/given"))
    (tmp_path / "early").write_text("late")
    shared.write({PurePosixPath("/given/other"): b"other"})
    assert sh(shared, "cat /given/early /given/other") == "earlyother"


def test_what_is_not_there_cannot_come_out(shared: Container, tmp_path: Path) -> None:
    with pytest.raises(ContainerLost, match="copying /no/such out of a container: "):
        shared.get("/no/such", tmp_path)


def test_links_and_pipes_stay_inside(shared: Container, tmp_path: Path) -> None:
    sh(
        shared,
        "mkdir -p /hostile/real && cd /hostile && ln -s /etc/passwd link && ln -s / root && ln -s ../.. real/up"
        " && mkfifo pipe && echo fine > real/file && chmod 6755 real/file",
    )
    shared.get("/hostile", tmp_path / "out")
    found = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*")}
    assert found == {Path("real"), Path("real/file")}
    assert not (tmp_path / "out/real/file").stat().st_mode & (stat.S_ISUID | stat.S_ISGID)


class Answering:
    """Stands for a container whose engine gives this archive."""

    def __init__(self, archive: bytes) -> None:
        self.archive = archive

    def get_archive(self, path: str) -> tuple[list[bytes], dict[str, object]]:
        return [self.archive], {}


def archive_of(*members: tuple[str, bytes, str]) -> bytes:
    """Of (name, type, where it links to)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind, link in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            member.size = 4 if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(b"evil") if member.size else None)
    return file.getvalue()


@pytest.mark.parametrize(
    "members",
    [
        [("made/../../escaped", tarfile.REGTYPE, "")],
        [("../escaped", tarfile.REGTYPE, "")],
        [("{tmp}/escaped", tarfile.REGTYPE, "")],
        [("made//{tmp}/escaped", tarfile.REGTYPE, "")],
        [("made/link", tarfile.SYMTYPE, "{tmp}"), ("made/link/escaped", tarfile.REGTYPE, "")],
        [("made/link", tarfile.LNKTYPE, "/etc/passwd")],
        [("made/device", tarfile.CHRTYPE, "")],
        [("..", tarfile.REGTYPE, "")],
    ],
    ids=["parent", "top", "absolute", "slashes", "symlink", "hard link", "device", "only dots"],
)
def test_a_hostile_archive_writes_nothing_outside(
    on_docker: Callable[..., DockerContainer], tmp_path: Path, members: Sequence[tuple[str, bytes, str]]
) -> None:
    named = [(name.format(tmp=tmp_path), kind, link.format(tmp=tmp_path)) for name, kind, link in members]
    container = replace(on_docker(), _container=Answering(archive_of(*named)))  # type: ignore[arg-type]
    out = tmp_path / "out"
    container.get("/made", out)
    assert [path for path in tmp_path.iterdir() if path != out] == []
    assert all(path.is_dir() or path.is_file() for path in out.rglob("*"))
    assert not any(path.is_symlink() for path in out.rglob("*"))


def test_half_an_archive_is_an_error_of_ours(on_docker: Callable[..., DockerContainer], tmp_path: Path) -> None:
    whole = archive_of(("made/file", tarfile.REGTYPE, ""))
    container = replace(on_docker(), _container=Answering(whole[:514]))  # type: ignore[arg-type]
    with pytest.raises(ContainerLost, match="the Docker Engine broke off"):
        container.get("/made", tmp_path)


def test_what_is_too_large_stays_inside(shared: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (container, namespace_container):
        monkeypatch.setattr(module, "LARGEST", 64 * MIB)
    sh(shared, "mkdir /holes && truncate -s 1T /holes/file")
    began = time.monotonic()
    with pytest.raises(BuildFailed, match="/holes in the container is larger than"):
        shared.get("/holes", tmp_path / "out")
    assert time.monotonic() - began < 60
    assert not (tmp_path / "out").exists()
    assert sh(shared, "rm -r /holes; echo fine") == "fine\n"


# ---- how it ends ----------------------------------------------------------------------------------------------


def test_it_is_removed_when_all_went_well_and_when_not(host: ContainerHost, busybox: Image) -> None:
    with host.running(busybox, Processes(), timeout=60) as one:
        assert one.is_running
    assert not exists(one)

    def fail() -> None:
        nonlocal one
        with host.running(busybox, Processes(), timeout=60) as one:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not exists(one)


def test_the_time_limit_ends_what_runs_in_it(opened: Callable[..., Container]) -> None:
    began = time.monotonic()
    with pytest.raises(TimeLimit) as caught:
        opened().run(["sh", "-c", "setsid sleep 3141 & sleep 3142"], deadline=time.monotonic() + 0.5)
    assert time.monotonic() - began < 20
    assert caught.value.message.startswith("sh -c setsid sleep 3141")
    assert caught.value.message.endswith("was still running in its container at the time limit")
    assert "`timeout`" in caught.value.hint
    assert not is_running("sleep", "3141")
    assert not is_running("sleep", "3142")


def test_the_time_limit_ends_a_container_of_an_engine(on_docker: Callable[..., DockerContainer]) -> None:
    """Those of namespaces go on with the next command: nothing of the last one is left in them."""
    container = on_docker()
    with pytest.raises(TimeLimit):
        container.run(SLEEP, deadline=time.monotonic() + 0.5)
    assert not exists(container)


def test_a_container_of_an_engine_ends_by_itself_soon_after_its_time(
    on_docker: Callable[..., DockerContainer],
) -> None:
    """Should nobody be left to remove it."""
    container = on_docker(timeout=7)
    assert container._container.attrs["Config"]["Cmd"] == ["sleep", "607"]
    assert container._container.attrs["HostConfig"]["AutoRemove"]


def test_stopping_ends_every_command_at_once(opened: Callable[..., Container]) -> None:
    """As Ctrl-C does."""
    processes = Processes()
    containers = [opened(processes=processes) for _ in range(2)]
    errors: list[Exception] = []

    def wait_for(container: Container) -> None:
        try:
            container.run(["sleep", "3143"])
        except Stopped as error:
            errors.append(error)

    threads = [threading.Thread(target=wait_for, args=[container]) for container in containers]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60  # an engine elsewhere shows none here
    while len(running_now("sleep", "3143")) < len(containers) and time.monotonic() < until:
        time.sleep(0.05)
    began = time.monotonic()
    processes.stop()
    for thread in threads:
        thread.join(30)
    assert time.monotonic() - began < 20
    assert [str(error) for error in errors] == ["stopped: sleep"] * 2
    assert not is_running("sleep", "3143")
    with pytest.raises(Stopped, match="not started: true"):
        containers[0].run(["true"])


ALLOCATE = "x = bytearray(400 << 20); x[::4096] = b'x' * len(x[::4096])"


@pytest.fixture
def small(host: ContainerHost, manylinux: Image, opened: Callable[..., Container]) -> Container:
    if not limits_memory(host):
        pytest.skip("this kernel does not limit the memory of containers")
    return opened(image=manylinux, memory=64 * MIB)


def limits_memory(host: ContainerHost) -> bool:
    if isinstance(host, DockerContainers):
        return bool(host.docker.client.info()["MemoryLimit"])
    return may_limit_memory()


@pytest.mark.parametrize(
    "script",
    ["exec {python} -c '{code}'", "{python} -c '{code}' || exit 1"],
    ids=["the command itself", "what it started"],
)
def test_out_of_memory_is_told_from_other_failures(small: Container, script: str) -> None:
    python = "/opt/python/cp313-cp313/bin/python"
    with pytest.raises(CommandFailed):
        sh(small, "exit 1")
    with pytest.raises(OutOfMemory) as caught:
        sh(small, script.format(python=python, code=ALLOCATE.replace("'", '"')))
    assert caught.value.message == "out of memory: the kernel killed sh or a child of it"
    assert caught.value.hint.startswith("--jobs 1; or ")
    time.sleep(3.5)
    with pytest.raises(CommandFailed):
        sh(small, "exit 1")


def during(container: DockerContainer, action: Callable[[], object]) -> Exception:
    """What a command raises that is under way when something happens to its container."""
    timer = threading.Timer(1, action)
    timer.start()
    try:
        with pytest.raises((ContainerLost, EngineUnavailable)) as caught:
            container.run(SLEEP)
    finally:
        timer.join()
    return caught.value


# Nothing of a container in namespaces runs between two commands, so nothing of it can be removed or killed.


def test_a_container_that_somebody_removes_is_lost(on_docker: Callable[..., DockerContainer]) -> None:
    container = on_docker()
    error = during(container, lambda: container._container.remove(force=True))
    assert isinstance(error, ContainerLost)
    assert str(error) == (
        "the container stopped during the build: it was removed, or the Docker Engine was restarted\n"
        "  try: the same command again; docker events shows why containers end"
    )
    with pytest.raises(ContainerLost, match="the container stopped during the build"):
        container.run(["true"])


def test_so_is_one_whose_every_process_was_killed(on_docker: Callable[..., DockerContainer]) -> None:
    container = on_docker()
    with pytest.raises(ContainerLost):
        sh(container, "kill -KILL -1; sleep 300")


@contextmanager
def engine_of_its_own(folder: Path) -> Iterator[DockerHost]:
    program = find_program(dockerd.PROGRAM)
    if program is None or os.geteuid() != 0:
        pytest.skip("only root can start dockerd")
    with dockerd.running_dockerd(program, folder) as address:
        host = connect(address, os.environ)
        with closing(host.client):
            yield host


def test_an_engine_that_ends_takes_its_containers_along_and_says_so(tmp_path: Path, busybox_x86_64: str) -> None:
    with engine_of_its_own(tmp_path) as host, ExitStack() as stack:
        container = stack.enter_context(
            running(host, image_of(DockerContainers(host), busybox_x86_64), Processes(), timeout=600)
        )
        number = int(Path(host.address.removeprefix("unix://")).with_name("dockerd.pid").read_text())
        error = during(container, lambda: os.kill(number, signal.SIGTERM))
        assert error.exit_code in {13, 17}  # type: ignore[attr-defined]
        assert "sleep" in str(error) or "the Docker Engine was restarted" in str(error)
        assert "\n  try: " in str(error)
        assert str(refusal_of(container)) == (
            "running true in a container: no Docker Engine answers there\n"
            "  try: sudo systemctl start docker, or systemctl --user start podman.socket; or --docker-host ADDRESS"
        )


def refusal_of(container: DockerContainer) -> EngineUnavailable:
    """What there is to say once the engine is gone; on its way it answers that the container is not running."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with pytest.raises((ContainerLost, EngineUnavailable)) as caught:
            container.run(["true"])
        if isinstance(caught.value, EngineUnavailable):
            return caught.value
        time.sleep(0.1)
    pytest.fail("the engine does not end")


# ---- what a killed run leaves ---------------------------------------------------------------------------------

KILLED = """
import os, sys, time
from crosswheel.containers.container import running
from crosswheel.containers.docker_host import connect
from crosswheel.containers.images import find_image
from crosswheel.containers.ownership import labels
from crosswheel.system.process import Processes
from crosswheel.model.targets import parse_architecture

arch, host = parse_architecture("x86_64"), connect(sys.argv[1], os.environ)
image = find_image(host, sys.argv[2], arch)
short = host.client.containers.create(image.id, ["true"], labels=labels())
with running(host, image, Processes(), timeout=600) as container:
    print(container._id, short.id, flush=True)
    time.sleep(300)
"""


def test_the_next_run_removes_what_a_killed_one_left_and_nothing_of_a_living_one(
    docker_host: DockerHost, docker_busybox: Image, busybox_x86_64: str, on_docker: Callable[..., DockerContainer]
) -> None:
    ours = on_docker()

    def names() -> set[str]:
        return {str(each.id) for each in docker_host.client.containers.list(all=True, ignore_removed=True)}

    command = [sys.executable, "-c", KILLED, docker_host.address, busybox_x86_64]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        left = set(run.stdout.readline().split())
        remove_stale(docker_host)
        assert left < names()
        run.kill()
    assert left < names()
    assert remove_stale(docker_host) == 2
    assert not left & names()
    assert ours._id in names()
    assert ours.is_running


def test_whose_a_label_is(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = labels()[LABEL]
    machine, number, _ = mine.split()
    assert not is_stale(labels())
    assert is_stale({LABEL: f"{machine} {number} 1"})
    assert is_stale({LABEL: f"{machine} nobody"})
    assert not is_stale({LABEL: f"another-machine {number} 1"})
    assert not is_stale({})


def test_looking_for_pythons_leaves_no_container(
    docker_host: DockerHost, manylinux_x86_64: str, engine: docker.DockerClient
) -> None:
    manylinux = image_of(DockerContainers(docker_host), manylinux_x86_64)
    before = {each.id for each in engine.containers.list(all=True, ignore_removed=True)}
    assert {str(tag) for tag in find_pythons(docker_host, manylinux)} >= {"cp311", "cp313"}
    assert {each.id for each in engine.containers.list(all=True, ignore_removed=True)} <= before


def test_what_an_image_has_gets_into_no_volume(docker_host: DockerHost, docker_busybox: Image) -> None:
    """Programs of all projects lie in one, and an empty one takes what is in its place."""
    volume = docker_host.client.volumes.create("crosswheel-tests-empty")
    try:
        with (
            unstarted(docker_host, docker_busybox, {str(volume.name): "/bin"}) as holder,
            pytest.raises(docker.errors.NotFound),
        ):
            holder.get_archive("/bin/sh")
    finally:
        volume.remove(force=True)


def test_an_image_without_pypas_folders_has_none(host: ContainerHost, busybox: Image, tmp_path: Path) -> None:
    assert dict(host.pythons(busybox, answers_in(tmp_path))) == {}


def test_the_pythons_of_an_image_are_known(host: ContainerHost, manylinux: Image, tmp_path: Path) -> None:
    found = host.pythons(manylinux, answers_in(tmp_path))
    assert {str(tag) for tag in found} >= {"cp311", "cp313"}
