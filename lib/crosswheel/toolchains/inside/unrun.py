"""Records programs and libraries for another machine that a build starts here, where none of them runs.

Many setup.py files compile a program to ask the C library something, and take a value of their own if it does not run:
the wheel is made, and is not the one that a build on the target would make. One line of JSON each.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .elf_machine import machine_of


def main(path: str) -> None:
    if os.environ.get("CROSSWHEEL_TARGET"):
        ours = machine_of("/proc/self/exe")
        sys.addaudithook(lambda event, arguments: _hear(event, arguments, ours, path))


def _hear(event: str, arguments: "tuple[Any, ...]", ours: Any, path: str) -> None:
    """The events are listed in Python's manual, "Audit events table"; what is raised here would end the build."""
    find = _EVENTS.get(event)
    if find:
        with suppress(Exception):
            started = find(*arguments)
            if started and machine_of(started) not in (ours, None):
                _write(path, started)


def _of_popen(executable: Any, words: Any, folder: Any, _environ: Any) -> "str | None":
    words = [os.fspath(executable)] if isinstance(words, (str, bytes, os.PathLike)) else [os.fsdecode(w) for w in words]
    if words[1:2] == ["-c"] and os.path.basename(words[0]) in ("sh", "bash"):
        return _of_shell(words[2], folder)
    return _found(os.fsdecode(executable or words[0]), folder)


def _of_shell(command: Any, folder: Any = None) -> "str | None":
    words = os.fsdecode(command).split()
    return _found(words[0], folder) if words else None


def _found(program: str, folder: Any = None) -> "str | None":
    return os.path.join(os.fsdecode(folder or "."), program) if "/" in program else shutil.which(program)


def _of_library(name: Any) -> "str | None":
    return os.fsdecode(name) if name else None


_EVENTS: "dict[str, Callable[..., str | None]]" = {
    "subprocess.Popen": _of_popen,
    "os.system": _of_shell,
    "os.exec": lambda program, _words, _environ: _found(os.fsdecode(program)),
    "os.posix_spawn": lambda program, _words, _environ: _found(os.fsdecode(program)),
    "ctypes.dlopen": _of_library,
}


def _write(path: str, started: str) -> None:
    row = {"program": os.path.basename(started)}
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(file, (json.dumps(row) + "\n").encode())
    finally:
        os.close(file)
