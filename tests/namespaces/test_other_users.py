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

from debian import DebianUnavailable, mirror, unpacked
from ordinary_user import TREE, USER, as_user, home, skip_unless_root

pytestmark = [pytest.mark.debian]

RANGE = "ordinary:2000000000:65536\n"
APT = (
    "apt",
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "debian-archive-keyring",
    "diffutils",
    "dpkg",
    "grep",
    "gzip",
    "libc-bin",
    "sed",
    "tar",
)
# A package that needs no other, and a file of it.
INSTALL = """
apt-get -q=2 update && apt-get -q=2 install -y netbase >&2 && dpkg-query -W -f '${Status} ' netbase
stat -c %u /etc/protocols && stat -c %U /var/lib/apt/lists/partial
"""
RPM = ("base-passwd", "bash", "coreutils", "dash", "findutils", "grep", "gzip", "libc-bin", "mawk", "rpm", "sed", "tar")
# A package that gives a file to another user, made and installed.
RPM_INSTALL = """
cat > /tmp/told.spec <<END
Name: told
Version: 1
Release: 1
Summary: A file of another user
License: MIT
BuildArch: noarch
AutoReqProv: no
%description
A file of another user.
%install
mkdir -p %{buildroot}/srv && echo told > %{buildroot}/srv/told
%files
%attr(640, games, games) /srv/told
END
set -e
rpmbuild --quiet -bb --define '_topdir /tmp/made' /tmp/told.spec >&2
rpm --dbpath /var/lib/rpm -i /tmp/made/RPMS/noarch/told-1-1.noarch.rpm >&2
rpm --dbpath /var/lib/rpm -q --qf '%{name} ' told
stat -c '%U %a' /srv/told
"""
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
        return told(folder, [str(make_root(busybox, folder / "root"))], ranges, options)


def told(folder: Path, words: Sequence[str], ranges: str, options: Sequence[str] = ()) -> Mapping[str, str]:
    """What the program tells in this home."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "CROSSWHEEL_"))}
    command = [sys.executable, "-B", str(PROGRAM), *words]
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
    give_to_user(root)
    return root


def give_to_user(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        os.chown(path, USER, USER, follow_symlinks=False)


def debian(packages: Sequence[str], cache: Path) -> Path:
    """The files of these packages, none of which dpkg knows to be installed."""
    if platform.machine() != "x86_64":
        pytest.skip("the programs are taken from Debian's packages for x86_64")
    try:
        return unpacked("amd64", packages, "bookworm", cache)
    except DebianUnavailable as error:
        pytest.skip(str(error))


def make_debian(files: Path, root: Path) -> Path:
    """The files of an image of Debian with its users."""
    shutil.copytree(files, root, symlinks=True)
    for name in ("dev", "proc", "root", "sys", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for name in ("passwd", "group"):
        shutil.copyfile(root / f"usr/share/base-passwd/{name}.master", root / "etc" / name)
    return root


def add_apt(root: Path) -> None:
    """Its user and its folders, for packages from where this machine has its own."""
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/apt/lists"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/apt/apt.conf.d/70debconf").unlink()  # it asks a program of a package that is not there
    with (root / "etc/passwd").open("a") as file:
        file.write("_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n")
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (root / "etc/apt/sources.list").write_text(f"deb [signed-by={keys}] {mirror()} bookworm main\n")


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
    ("packages", "install", "printed"),
    [(APT, INSTALL, "install ok installed 0 _apt"), (RPM, RPM_INSTALL, "told games 640")],
    ids=["apt", "rpm"],
)
def test_with_a_range_packages_are_installed(
    packages: Sequence[str], install: str, printed: str, debian_cache: Path
) -> None:
    skip_unless_root()
    if not all(map(shutil.which, ("newuidmap", "newgidmap"))):
        pytest.skip("newuidmap and newgidmap are not installed (Debian's package uidmap)")
    with home() as folder:
        root = make_debian(debian(packages, debian_cache), folder / "root")
        if packages is APT:
            add_apt(root)
        give_to_user(root)
        found = told(folder, [str(root), install], RANGE)
    assert found["printed"].split() == printed.split()


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
