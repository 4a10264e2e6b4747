"""Containers in namespaces keep the promises of those of an engine."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from crosswheel.containers.images import Image
from crosswheel.containers.namespace_container import NamespaceContainer
from crosswheel.containers.namespace_host import NamespaceHost
from crosswheel.errors import ContainerLost, EmulatorCrashed, TimeLimit
from crosswheel.system.locks import take
from crosswheel.system.process import CommandFailed, Processes, Stopped


def test_programs_and_their_children_are_of_the_target(container: NamespaceContainer) -> None:
    assert container.run(["sh", "-c", "uname -m; id -u; sh -c 'uname -m'"]).split() == ["aarch64", "0", "aarch64"]


def test_commands_see_the_variables_of_image_container_and_call(container: NamespaceContainer) -> None:
    out = container.run(
        ["sh", "-c", 'echo "$GIVEN, $AUDITWHEEL_ARCH, $MORE, $HOME, $PWD"'], env={"MORE": "now"}, cwd="/usr"
    )
    assert out == "to all, aarch64, now, /root, /usr\n"


def test_output_goes_into_the_log_and_its_end_into_the_error(container: NamespaceContainer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(CommandFailed) as failed:
        container.run(["sh", "-c", "echo out; echo err >&2; exit 3"], log=log)
    assert failed.value.returncode == 3
    assert log.read_text().splitlines()[-2:] == ["out", "err"] == failed.value.output.splitlines()


def test_files_come_and_go_and_stay_between_commands(container: NamespaceContainer, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "file").write_text("content")
    container.put(source, to=PurePosixPath("/there"))
    container.write({PurePosixPath("/etc/new/a b"): b"written"})
    assert container.run(["cat", "/there/source/deep/file", "/etc/new/a b"]) == "contentwritten"
    container.run(
        ["sh", "-c", "mkdir /made && echo 1 > /made/one && ln -s /etc/passwd /made/link && mkfifo /made/fifo"]
    )
    container.get("/made", tmp_path / "got")
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["one"]
    with pytest.raises(ContainerLost, match="No such file"):
        container.get("/missing", tmp_path / "got")


def test_a_link_in_the_container_leads_nowhere_else(
    host: NamespaceHost, image: Image, container: NamespaceContainer, tmp_path: Path
) -> None:
    """A build may replace any folder by a link: what is copied in, and what is mounted, stays inside."""
    container.run(["sh", "-c", f"rm -rf /srv && mkdir -p {tmp_path} && ln -s {tmp_path} /srv"])
    container.write({PurePosixPath("/srv/file"): b"inside"})
    assert container.run(["cat", f"{tmp_path}/file"]) == "inside"
    linked = replace(image, layer=container.commit("crosswheel-tests", "linked", {}))
    host.ensure_volume("crosswheel-tests", {})
    given = {"volumes": {"crosswheel-tests": "/srv/volume"}, "timeout": 60, "emulated": True}
    with host.running(linked, host.host.processes, **given) as another:  # type: ignore[arg-type]
        assert another.run(["ls", str(tmp_path)]).split() == ["file", "volume"]
    assert list(tmp_path.iterdir()) == []


def test_the_image_stays_as_it_is(host: NamespaceHost, image: Image, container: NamespaceContainer) -> None:
    container.run(["sh", "-c", "rm /etc/passwd && echo changed > /etc/group"])
    with host.running(image, host.host.processes, timeout=60, emulated=True) as another:
        assert another.run(["cat", "/etc/passwd"]).startswith("root:")
        assert another.run(["head", "-n1", "/etc/group"]) == "root:x:0:\n"


def test_nothing_of_this_machine_is_there(container: NamespaceContainer, host: NamespaceHost) -> None:
    seen = container.run(["sh", "-c", f"ls -d {host.folder} {Path(__file__)} {Path.home()}/.cache 2>/dev/null; echo"])
    assert seen.strip() == ""
    with pytest.raises(CommandFailed):
        container.run(["sh", "-c", "echo 1 > /proc/sys/vm/overcommit_memory"])
    with pytest.raises(CommandFailed):
        container.run(["sh", "-c", "cat /proc/1/environ"])


def test_a_layer_is_kept_and_lies_under_others(
    host: NamespaceHost, image: Image, container: NamespaceContainer
) -> None:
    container.run(["sh", "-c", "echo kept > /kept"])
    layer = container.commit("crosswheel-tests", "layer", {})
    assert host.find_layer("crosswheel-tests", "layer") == layer
    container.run(["sh", "-c", "echo later > /kept"])
    with host.running(replace(image, layer=layer), host.host.processes, timeout=60, emulated=True) as another:
        assert another.run(["cat", "/kept"]) == "kept\n"
        another.run(["rm", "/kept"])
        above = another.commit("crosswheel-tests", "above", {})
    with host.running(replace(image, layer=above), host.host.processes, timeout=60, emulated=True) as last:
        assert last.run(["sh", "-c", "ls /kept 2>/dev/null || echo gone"]) == "gone\n"


def test_a_time_limit_ends_the_command_and_the_container_goes_on(container: NamespaceContainer) -> None:
    with pytest.raises(TimeLimit):
        container.run(["sleep", "600"], deadline=time.monotonic() + 0.5)
    assert container.run(["echo", "again"]) == "again\n"


def test_a_stopped_run_ends_its_commands(host: NamespaceHost, image: Image) -> None:
    processes = Processes()
    with host.running(image, processes, timeout=60, emulated=True) as container:
        threading.Timer(0.5, processes.stop).start()
        with pytest.raises(Stopped):
            container.run(["sleep", "600"])


def test_a_crash_under_the_emulator_is_told_from_a_failure(container: NamespaceContainer) -> None:
    with pytest.raises(EmulatorCrashed):
        container.run(["sh", "-c", "kill -SEGV $$"])


def test_a_container_leaves_nothing(host: NamespaceHost, container: NamespaceContainer) -> None:
    container.run(["sh", "-c", "mkdir -m 0 /closed /closed-too; setsid sleep 600 &"])
    folder = container.folder
    container.remove()
    with host.running(container.image, host.host.processes, timeout=60) as another:
        gone = another.folder
    assert not gone.exists()
    assert folder.exists()  # its own block goes on


def test_the_next_run_removes_what_a_killed_one_left(host: NamespaceHost) -> None:
    left = host.folder / "containers" / "run-killed"
    (left / "work" / "work").mkdir(parents=True)
    (left / "work" / "work").chmod(0)
    before = {path for path in left.parent.iterdir() if path != left}
    assert take(left.parent / "no-such") is None
    assert host.remove_stale() == 1
    assert set(left.parent.iterdir()) == before
