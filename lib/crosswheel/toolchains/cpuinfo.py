"""The /proc/cpuinfo that a cross build reads: that of the target's processors, not of this machine's.

Build scripts choose code by it, often through py-cpuinfo: on an x86 machine they would compile for SSE2 and AVX2.
"""

from __future__ import annotations

import re

from crosswheel.model.targets import Architecture, load_table


def cpuinfo(arch: Architecture, processors: int) -> str:
    """The text for so many processors, each with the features that all of the architecture have (data/targets.toml)."""
    one: str = load_table("targets.toml")["arch"][arch.name]["cpuinfo"]
    return "".join(one.format(number=number) for number in range(processors))


def features(arch: Architecture) -> tuple[str, ...]:
    """The kernel's names of what all processors of the architecture have; none where its text lists none."""
    listed = re.search(r"^(?:flags|features)\s*:(.*)", cpuinfo(arch, 1), re.IGNORECASE | re.MULTILINE)
    return tuple(listed[1].split()) if listed else ()
