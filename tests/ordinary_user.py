"""Runs commands as an ordinary user, which only root can: folders open to the user, and ranges of ids if wanted."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

USER = 65533  # as whom nothing else runs
TREE = Path(__file__).parents[1]
_PASSWD = f"root:x:0:0::/root:/bin/sh\nordinary:x:{USER}:{USER}::/nonexistent:/bin/sh\n"


def skip_unless_root() -> None:
    if os.geteuid() != 0 or not all(map(shutil.which, ("setpriv", "unshare"))):
        pytest.skip("only root can become an ordinary user, with setpriv and unshare")


@contextmanager
def home() -> Iterator[Path]:
    """A folder of the user's, on a disk, as overlays want it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="crosswheel-user-", ignore_cleanup_errors=True) as folder:
        os.chown(folder, USER, USER)
        yield Path(folder)


def closed(needed: Iterable[Path]) -> set[Path]:
    """The folders above these that only their owner may enter, as root's home, where a Python may be."""
    return {parent for path in needed for parent in path.parents if not parent.stat().st_mode & 0o001}


def as_user(
    command: Sequence[str], folder: Path, *, ranges: str | None = None, options: Sequence[str] = ()
) -> list[str]:
    """The command run by the user; folders that would keep the interpreter from it are open in its view of files.

    `ranges` is the content of /etc/subuid and /etc/subgid in its view, in which the user has the name ``ordinary``;
    `options` are setpriv's.
    """
    lines = ["set -e"]
    if ranges is not None:
        for name, text in {"passwd": _PASSWD, "subuid": ranges, "subgid": ranges}.items():
            file = folder / f".{name}"
            file.write_text(text)
            Path("/etc", name).touch()
            lines.append(shlex.join(["mount", "--bind", str(file), f"/etc/{name}"]))
    for number, path in enumerate(sorted(closed([Path(sys.base_prefix), Path(sys.prefix), TREE]))):
        upper, work = folder / f".upper-{number}", folder / f".work-{number}"
        upper.mkdir(mode=0o755)
        work.mkdir()
        layers = f"lowerdir={path},upperdir={upper},workdir={work}"
        lines.append(shlex.join(["mount", "-t", "overlay", "-o", layers, "overlay", str(path)]))
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *options, "--", *command]
    lines.append(f"exec {shlex.join(become)}")
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", "\n".join(lines)]
