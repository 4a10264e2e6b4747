"""Writes lib/crosswheel/data/actions.toml: the newest final release of each action, and its commit.

`git ls-remote` asks each action's repository for its tags. An annotated tag stands there twice: the commit is the one
of `refs/tags/NAME^{}`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from packaging.version import Version

from crosswheel.workflows.pins import Pin, our_pins

FILE = Path(__file__).parents[1] / "lib" / "crosswheel" / "data" / "actions.toml"
FORGE = "https://github.com/"

_TAG = re.compile(r"([0-9a-f]{40})\trefs/tags/v(\d+\.\d+\.\d+)(\^\{\})?")
_HEAD = """\
# The actions of generated workflows: each is pinned by the commit of a release, whose version stands beside it.
# `nox -s refresh-actions` writes this file again.
"""


def newest_pin(tags: Iterable[str]) -> Pin | None:
    """The pin of the newest vX.Y.Z in the lines of `git ls-remote --tags`; None if there is none."""
    # In the order of the lines, the commit of an annotated tag comes after the tag.
    commits = {found[2]: found[1] for line in tags if (found := _TAG.fullmatch(line.strip()))}
    version = max(commits, key=Version, default="")
    return Pin(version, commits[version]) if version else None


def tags_of(action: str, forge: str = FORGE) -> list[str]:
    """The lines of `git ls-remote --tags` for an action's repository. Raises CalledProcessError."""
    command = ["git", "ls-remote", "--tags", f"{forge}{action}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def file_text(pins: Iterable[tuple[str, Pin]]) -> str:
    """The text of actions.toml."""
    return _HEAD + "".join(
        f'\n["{action}"]\nversion = "{pin.version}"\ncommit = "{pin.commit}"\n' for action, pin in pins
    )


def main(forge: str = FORGE, file: Path = FILE) -> int:
    """Write the file, with the old pin of each action that has no answer; return how many have none."""
    pins: list[tuple[str, Pin]] = []
    missing = 0
    for action, old in sorted(our_pins().items()):
        try:
            new = newest_pin(tags_of(action, forge))
        except subprocess.CalledProcessError as error:
            sys.stderr.write(error.stderr)
            new = None
        missing += new is None
        pin = new if new and Version(new.version) >= Version(old.version) else old
        pins.append((action, pin))
        sys.stdout.write(f"{action}: {old.version} -> {pin.version}{'' if new else ' (no answer: left as it is)'}\n")
    file.write_text(file_text(pins))
    return missing


if __name__ == "__main__":
    sys.exit(main())
