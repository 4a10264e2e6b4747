"""Where a control group may be made, and that its limit holds for a command in a namespace."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from crosswheel.system.cgroups import may_limit_memory, memory_group
from crosswheel.system.namespaces import Namespace
from crosswheel.system.process import CommandFailed, Processes

MIB = 1024 * 1024
ALLOCATE = "x = bytearray(400 << 20); x[::4096] = b'x' * len(x[::4096])"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The groups of a user's session by systemd, in `groups`, and a process of it, in `proc`."""
    groups, proc = tmp_path / "groups", tmp_path / "proc"
    proc.mkdir()
    (proc / "mountinfo").write_text(f"30 23 0:26 / {groups} rw,nosuid shared:4 - cgroup2 cgroup2 rw\n")
    (proc / "cgroup").write_text("0::/user.slice/app.slice/run-1.scope\n")
    folder = groups
    for name, controllers in (
        ("", "memory pids"),
        ("user.slice", "memory"),
        ("app.slice", "memory"),
        ("run-1.scope", ""),
    ):
        folder /= name
        folder.mkdir()
        (folder / "cgroup.procs").touch()
        (folder / "cgroup.subtree_control").write_text(f"{controllers}\n")
    return tmp_path


def test_a_group_is_made_in_the_nearest_that_gives_its_children_memory(machine: Path) -> None:
    with memory_group(64 * MIB, machine / "proc") as group:
        assert group
        assert group.folder.parent == machine / "groups/user.slice/app.slice"
        assert (group.folder / "memory.max").read_text() == str(64 * MIB)
        assert (group.folder / "memory.swap.max").read_text() == "0"
        assert group.kills == 0
        (group.folder / "memory.events").write_text("low 0\noom 3\noom_kill 2\noom_group_kill 0\n")
        assert group.kills == 2
        for file in group.folder.iterdir():  # the kernel's go with their folder
            file.unlink()
    assert not group.folder.exists()


@pytest.mark.parametrize("lacking", ["permission", "controller", "cgroups"])
def test_where_none_may_be_made_nothing_is_limited(
    machine: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    if lacking == "permission":
        monkeypatch.setattr(os, "access", lambda *_: False)
    elif lacking == "controller":
        for file in machine.rglob("cgroup.subtree_control"):
            file.write_text("cpu\n")
    else:
        (machine / "proc" / "cgroup").unlink()
    with memory_group(64 * MIB, machine / "proc") as group:
        assert group is None


def test_what_killed_runs_left_is_removed(machine: Path) -> None:
    parent = machine / "groups/user.slice/app.slice"
    gone, alive = (
        parent / "crosswheel-4194305-ab",
        parent / "crosswheel-1-cd",
    )  # the first is above any process's number
    gone.mkdir()
    alive.mkdir()
    with memory_group(MIB, machine / "proc") as group:
        assert group
        assert not gone.exists()
        assert alive.exists()
        for file in group.folder.iterdir():
            file.unlink()


def test_the_limit_holds_for_all_that_a_command_starts() -> None:
    if not may_limit_memory():
        pytest.skip("this process may make no control groups")
    with memory_group(64 * MIB) as group:
        assert group
        inside = Namespace(entrances=(group.entrance,))
        command = ["/bin/sh", "-c", f'"{sys.executable}" -I -c "{ALLOCATE}" || exit 3']
        try:
            with pytest.raises(CommandFailed) as failed:
                Processes().run(command, env={}, namespace=inside)
        finally:
            kills = group.kills
        if "125" in str(failed.value):
            pytest.skip(failed.value.output)
        assert failed.value.returncode == 3
        assert kills == 1
    assert not group.folder.exists()
