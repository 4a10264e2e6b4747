"""Whether two wheels of one sdist have the same extension modules and files."""

from __future__ import annotations

import re
from pathlib import Path

from crosswheel.formats.wheels import Wheel, read_wheel

_OWN = re.compile(r"\.cpython-\d+-[\w-]+?(?=\.so$)")  # PEP 3149


def is_compiled(wheel: Path) -> bool:
    """Whether the wheel has any compiled file: some projects leave their extensions out without an error."""
    return bool(read_wheel(wheel).elves)


def differences(native: Path, ours: Path) -> tuple[str, ...]:
    """The compiled files, and the other files, that only one of the wheels has, by names without the platform."""
    left, right = read_wheel(native), read_wheel(ours)
    found = []
    for what, one, other in (("lacks", left, right), ("has", right, left)):
        only = sorted(_names(one) - _names(other))
        found += [f"the wheel for AArch64 {what} {name}" for name in only]
    return tuple(found)


def _names(wheel: Wheel) -> frozenset[str]:
    """Without the libraries that a repair grafts, and without the metadata, which names the platform."""
    kept = (member for member in wheel.members if not re.match(r"[^/]+\.(?:dist-info|libs)/", member))
    return frozenset(_OWN.sub("", wheel.installed(member)) for member in kept)
