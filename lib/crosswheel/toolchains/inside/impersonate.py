"""Makes the interpreters of a build environment answer as the target's CPython would.

This file is copied into the environment and runs at the start of each of its interpreters, whatever started it; it
acts only where CROSSWHEEL_TARGET names a description (toolchains/description.py), which is set for the hooks of the
build backend, and not while build requirements are installed. It must run on every CPython that we build for, and
so uses the standard library alone.

CPython's own protocol for this, _PYTHON_SYSCONFIGDATA_NAME and _PYTHON_HOST_PLATFORM, would reach every Python that
the build starts, also those of other versions, and leave `platform.machine()` as it is.
"""

import json
import os
import sys
import sysconfig
from typing import Any

# Meson tells the building machine and the target apart by itself, with the cross file that it is given.
_KNOWS_BOTH_MACHINES = ("meson", "meson.py")


def become(description: "dict[str, Any]") -> None:
    # `get_config_vars` gives the dictionary that sysconfig itself reads.
    sysconfig.get_config_vars().update(description["vars"])
    sysconfig.get_platform = lambda: description["platform"]
    setattr(sys.implementation, "_multiarch", description["multiarch"])  # noqa: B010 - no stub has it
    if _started_by() not in _KNOWS_BOTH_MACHINES:
        _change_machine(description["machine"])


def _started_by() -> str:
    """The script that this interpreter runs: there is no sys.argv yet, and in 3.9 no sys.orig_argv."""
    with open("/proc/self/cmdline", encoding="utf-8", errors="replace") as file:
        words = file.read().split("\0")
    return os.path.basename(words[1]) if len(words) > 1 else ""


def _change_machine(machine: str) -> None:
    real_uname = os.uname

    def uname() -> "os.uname_result":
        real = real_uname()
        return os.uname_result((real.sysname, real.nodename, real.release, real.version, machine))

    os.uname = uname


def main() -> None:
    path = os.environ.get("CROSSWHEEL_TARGET")
    if path:
        with open(path) as file:
            become(json.load(file))
