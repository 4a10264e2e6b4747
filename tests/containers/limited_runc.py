"""runc, for machines whose root has not got every capability: in a sandbox, say.

Older engines give a privileged container all that the kernel knows of, and then it does not start.
usage: limited_runc.py RUNC ARGUMENT...
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def bounding_set() -> set[str]:
    """What a process here can have at most."""
    text = subprocess.run(["setpriv", "--dump"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    found = re.search(r"^Capability bounding set: (\S+)$", text, re.MULTILINE)
    return {f"CAP_{name.upper()}" for name in found[1].split(",")} if found else set()


def is_complete() -> bool:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text("ascii"))
    found = re.search(r"^CapBnd:\s*(\S+)$", Path("/proc/self/status").read_text("ascii"), re.MULTILINE)
    return found is not None and int(found[1], 16) == (1 << (last + 1)) - 1


def main(arguments: Sequence[str]) -> None:
    for option, value in itertools.pairwise(arguments):
        if option == "--bundle":
            _limit(Path(value, "config.json"))
        elif option == "--process":
            _limit(Path(value))
    os.execv(arguments[0], list(arguments))  # noqa: S606 - becomes it


def _limit(path: Path) -> None:
    """In the description of a container, or that of one more process in it."""
    description = json.loads(path.read_text("utf-8"))
    here = bounding_set()
    sets = description.get("process", description).get("capabilities") or {}
    for name, capabilities in sets.items():
        sets[name] = [each for each in capabilities if each in here]
    path.write_text(json.dumps(description), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
