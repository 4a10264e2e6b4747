"""The table of known differences between gcc and the compiler of cross, and what it leaves unexplained."""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from behaviour.machines import Facts

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TABLE = Path(__file__).with_suffix(".toml")
MISSING = "not there"


@dataclass(frozen=True)
class Difference:
    """Facts that match one of the patterns differ, on the architectures and with the runtimes that are named."""

    reason: str
    facts: tuple[str, ...]
    arch: tuple[str, ...]
    runtime: tuple[str, ...]

    def covers(self, fact: str) -> bool:
        return any(fnmatch.fnmatchcase(fact, pattern) for pattern in self.facts)


def known(arch: str, runtime: str) -> list[Difference]:
    """The rows for an architecture and a runtime, ``image``, ``ieee image``, ``zig`` or ``musl``."""
    rows = [
        Difference(row["reason"], tuple(row["facts"]), tuple(row.get("arch", ())), tuple(row.get("runtime", ())))
        for row in tomllib.loads(_TABLE.read_text())["difference"]
    ]
    return [row for row in rows if arch in (row.arch or (arch,)) and runtime in (row.runtime or (runtime,))]


def between(of_gcc: Facts, ours: Facts) -> Mapping[str, str]:
    """By fact, both values."""
    names = sorted({*of_gcc, *ours})
    values = {name: (of_gcc.get(name, MISSING), ours.get(name, MISSING)) for name in names}
    return {name: f"gcc {theirs!r}, ours {own!r}" for name, (theirs, own) in values.items() if theirs != own}
