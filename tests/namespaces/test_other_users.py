"""Containers of an ordinary user have the users of the user's range of ids, and without one only root."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from debian import DebianUnavailable, unpacked
from ordinary_user import TREE, USER, as_user, home, skip_unless_root

pytestmark = [pytest.mark.debian]

RANGE = "ordinary:2000000000:65536\n"
PROGRAM = Path(__file__).with_name("in_containers_of_a_user.py")


@pytest.fixture(scope="module")
def busybox(debian_cache: Path) -> Path:
    if platform.machine() != "x86_64":
        pytest.skip("busybox is taken from Debian's package for x86_64")
    try:
        return unpacked("amd64", ("busybox-static",), "bookworm", debian_cache) / "bin" / "busybox"
    except DebianUnavailable as error:
        pytest.skip(str(error))


def facts(busybox: Path, ranges: str, options: Sequence[str] = ()) -> Mapping[str, str]:
    """What the program tells that runs as an ordinary user with these ranges."""
    skip_unless_root()
    with home() as folder:
        root = make_root(busybox, folder / "root")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "CROSSWHEEL_"))}
        command = [sys.executable, "-B", str(PROGRAM), str(root)]
        done = subprocess.run(
            as_user(command, folder, ranges=ranges, options=options),
            cwd=TREE,
            env={**environ, "HOME": str(folder), "TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: Mapping[str, str] = json.loads(done.stdout)
        if why := found.get("skipped"):
            pytest.skip(why)
        return found


def make_root(busybox: Path, root: Path) -> Path:
    """The files of an image with busybox, as the user would unpack them."""
    for name in ("bin", "dev", "etc", "proc", "root", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copyfile(busybox, root / "bin" / "busybox")
    (root / "bin" / "busybox").chmod(0o755)
    for name in ("chmod", "chown", "id", "mkdir", "rm", "sh", "stat", "su", "tar", "touch"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    (root / "etc" / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
    for path in (root, *root.rglob("*")):
        os.chown(path, USER, USER, follow_symlinks=False)
    return root


def test_with_a_range_files_are_given_away_and_commands_become_others(busybox: Path) -> None:
    if not all(map(shutil.which, ("newuidmap", "newgidmap"))):
        pytest.skip("newuidmap and newgidmap are not installed (Debian's package uidmap)")
    found = facts(busybox, RANGE)
    assert found == {
        "refused": "",
        "chown": "33:44",
        "su": "65534\nnobody",
        "tar": "7:8",
        "cache": "",
        "above the layer": "33:44",
        "in the layer": "33:44",
        "left of containers": "",
        "left of all": "",
    }


@pytest.mark.daily(1)
@pytest.mark.parametrize(
    ("ranges", "options"),
    [("", ()), (RANGE, ("--no-new-privs",))],
    ids=["no range", "programs that do not become root"],
)
def test_without_one_root_is_alone_and_a_failed_chown_is_explained(
    busybox: Path, ranges: str, options: Sequence[str]
) -> None:
    found = facts(busybox, ranges, options)
    assert found["refused"]
    assert found["chown"].startswith("another user: ")
    assert "usermod --add-subuids" in found["chown"]
    assert found["su"].startswith("another user: ")
    assert (found["left of containers"], found["left of all"]) == ("", "")
