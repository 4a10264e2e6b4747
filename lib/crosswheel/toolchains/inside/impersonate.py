"""Makes the interpreters of a build environment answer like the target's CPython.

This file is copied into the environment and runs at the start of each of its interpreters. It only acts if
CROSSWHEEL_TARGET names a description (toolchains/description.py), which is set for the hooks of the build backend, not
while build requirements are installed. It must run on every CPython that we build for, so it only uses the standard
library.

CPython's own variables for this, _PYTHON_SYSCONFIGDATA_NAME and _PYTHON_HOST_PLATFORM, would affect every Python that
the build starts, also other versions, and do not change `platform.machine()`.
"""

import json
import os
import sys
import sysconfig
from typing import Any

from .after_import import after_import

# Meson distinguishes build machine and target itself, by its cross file.
_KNOWS_BOTH_MACHINES = ("meson", "meson.py")
_C_LIBRARY = ("c", "dl", "m", "pthread", "rt", "util")


def become(description: "dict[str, Any]") -> None:
    # `get_config_vars` returns the dictionary that sysconfig itself uses.
    sysconfig.get_config_vars().update(description["vars"])
    sysconfig.get_platform = lambda: description["platform"]
    setattr(sys.implementation, "_multiarch", description["multiarch"])  # noqa: B010 - no stub has it
    if _started_by() not in _KNOWS_BOTH_MACHINES:
        _change_machine(description["machine"])
    after_import(["ctypes.util"], _find_for_target)


def _started_by() -> str:
    """The script that this interpreter will run: sys.argv is not set yet, and 3.9 has no sys.orig_argv."""
    with open("/proc/self/cmdline", encoding="utf-8", errors="replace") as file:
        words = file.read().split("\0")
    return os.path.basename(words[1]) if len(words) > 1 else ""


def _change_machine(machine: str) -> None:
    real_uname = os.uname

    def uname() -> "os.uname_result":
        real = real_uname()
        return os.uname_result((real.sysname, real.nodename, real.release, real.version, machine))

    os.uname = uname


def _find_for_target(module: Any) -> None:
    """`find_library` asks ldconfig first, which knows this machine's libraries; the target's are the compiler's."""
    real = getattr(module, "_findSoname_ldconfig", None)
    if real:  # every target has the C library's
        module._findSoname_ldconfig = lambda name: real(name) if name in _C_LIBRARY else _soname(module, name)


def _soname(module: Any, name: str) -> "str | None":
    """What a program that links the target's library would load."""
    import subprocess

    command = [os.environ.get("CC") or "cc", f"-print-file-name=lib{name}.so"]
    try:
        path = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return None
    return (module._get_soname(path) or os.path.basename(path)) if os.path.isabs(path) else None


def main() -> None:
    path = os.environ.get("CROSSWHEEL_TARGET")
    if path:
        with open(path) as file:
            become(json.load(file))
