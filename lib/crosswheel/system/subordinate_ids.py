"""The users and groups that an ordinary user may have in a user namespace besides root: subuid(5), subgid(5).

Only root's programs newuidmap and newgidmap can map them, so that packages may give files to others and commands may
become another user. Without them the kernel maps the user alone (user_namespaces(7)).
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from crosswheel.system.namespaces import Namespace
from crosswheel.system.process import CommandFailed, Processes
from crosswheel.system.refusal import Refusal

Maps: TypeAlias = Mapping[str, tuple[str, ...]]
"""By ``uid`` and ``gid``, the program that maps them and its numbers, as `Namespace.maps` wants them."""

_ETC = Path("/etc")
_PROGRAMS = {"uid": "newuidmap", "gid": "newgidmap"}
_PATH = "/usr/bin:/bin:/usr/local/bin:/run/wrappers/bin"  # the last is NixOS's
_FIRST, _COUNT = 100000, 65536  # as useradd gives them (login.defs)

_AS_ANOTHER = "import os; os.setgroups([1]); os.setgid(1); os.setuid(1)"
_SETGID, _SETUID = 6, 7  # linux/capability.h


@dataclass(frozen=True)
class User:
    """A user by the numbers and the name, which may be unknown."""

    uid: int
    gid: int
    name: str


def this_user() -> User:
    name = ""
    with suppress(KeyError):
        name = pwd.getpwuid(os.geteuid()).pw_name
    return User(os.geteuid(), os.getegid(), name)


def find_maps(user: User, etc: Path = _ETC, path: str = _PATH) -> Maps | Refusal:
    """How the user's namespaces get all of the user's ids; nothing for root, who has all of them."""
    if user.uid == 0:
        return {}
    found = {kind: shutil.which(name, path=path) for kind, name in _PROGRAMS.items()}
    for kind, name in _PROGRAMS.items():
        if not found[kind]:
            return Refusal(f"{name} is not installed", "sudo apt install uidmap, or dnf install shadow-utils")
    ranges = {kind: [*_ranges_of(user, etc / f"sub{kind}")] for kind in _PROGRAMS}
    for kind in _PROGRAMS:
        if not ranges[kind]:
            return Refusal(f"/etc/sub{kind} has no range for {user.name or user.uid}", _usermod(user, etc))
    own = {"uid": user.uid, "gid": user.gid}
    return {kind: (str(found[kind]), *_numbers(own[kind], ranges[kind])) for kind in _PROGRAMS}


def try_maps(maps: Maps | Refusal, processes: Processes) -> Refusal | None:
    """Whether another user can be had in a namespace: None, or the reason why there is only root. Raises Stopped."""
    if isinstance(maps, Refusal):
        return maps
    inside = Namespace(as_root=True, maps=maps, capabilities=frozenset({_SETGID, _SETUID}))
    try:
        processes.run([sys.executable, "-I", "-S", "-c", _AS_ANOTHER], env={}, namespace=inside)
    except CommandFailed:
        programs = " and ".join(command[0] for command in maps.values()) or "the kernel"
        return Refusal(
            f"{programs} did not map the ranges of /etc/subuid and /etc/subgid",
            "sudo apt install --reinstall uidmap, whose programs run as root; not below setpriv --no-new-privs",
        )
    return None


def _ranges_of(user: User, file: Path) -> Iterator[tuple[int, int]]:
    """The first number and the count of each range of the user."""
    for owner, first, count in _lines(file):
        if owner in {user.name, str(user.uid)}:
            yield first, count


def _lines(file: Path) -> Iterator[tuple[str, int, int]]:
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    for line in lines:
        with suppress(ValueError):
            owner, first, count = line.strip().split(":")
            yield owner, int(first), int(count)


def _numbers(own: int, ranges: list[tuple[int, int]]) -> Iterator[str]:
    """Triples of newuidmap(1): root inside is the user, and those after root are the ranges, one after the other."""
    inside = 1
    yield from ("0", str(own), "1")
    for first, count in ranges:
        yield from (str(inside), str(first), str(count))
        inside += count


def _usermod(user: User, etc: Path) -> str:
    """The command that gives the user a range which no other user has."""
    lines = [line for kind in _PROGRAMS for line in _lines(etc / f"sub{kind}")]
    first = max([_FIRST, *(first + count for _, first, count in lines)])
    wanted = f"{first}-{first + _COUNT - 1}"
    return f"sudo usermod --add-subuids {wanted} --add-subgids {wanted} {user.name or user.uid}"
