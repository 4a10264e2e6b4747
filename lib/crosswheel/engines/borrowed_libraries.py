"""Shared libraries that an image's CPython needs on a machine that lacks them.

pypa links the standard library's extension modules against the image's distribution: ``_ctypes`` needs libffi.so.6 of
AlmaLinux 8, ``_ssl`` the OpenSSL below /opt/_internal. Elsewhere the interpreter starts, and these modules do not
import. So the missing libraries are copied for it; those that the machine has are left alone.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from crosswheel.errors import TimeLimit
from crosswheel.system.memo import Answers
from crosswheel.system.process import CommandFailed, Processes
from crosswheel.system.scratch import temporary_folder

# Prints the libraries that the loader did not find for the extension modules of the standard library. Modules for
# CPython's own tests do not count, and Tk, which needs a display.
_PROBE = """
import importlib, json, os, re, sys
missing = set()
for folder in (entry for entry in sys.path if entry.endswith("lib-dynload")):
    for name in sorted({file.split(".")[0] for file in os.listdir(folder)}):
        if name.startswith(("_test", "_ctypes_test", "xx", "_tkinter")):
            continue
        try:
            importlib.import_module(name)
        except ImportError as error:
            missing.update(re.findall(r"^(\\S+): cannot open shared object file", str(error)))
print(json.dumps(sorted(missing)))
"""

# Below an image's root, in the order of its loader; pypa's own OpenSSL and SQLite have a folder each.
_FOLDERS = (
    "usr/local/lib64",
    "usr/local/lib",
    "lib64",
    "usr/lib64",
    "lib/*-linux-gnu",
    "usr/lib/*-linux-gnu",
    "lib",
    "usr/lib",
    "opt/_internal/*/lib",
)
_LOADERS = "/etc/ld.so.cache"  # changes when a library is installed
_ROUNDS = 5  # a library may need others, which may need others
_PATIENCE = 60.0  # seconds for one round; a fraction of one is usual


def missing_libraries(
    python: Path, root: Path, processes: Processes, environ: Mapping[str, str], answers: Answers
) -> tuple[Path, ...]:
    """The libraries of the image in `root` that its `python` needs and this machine lacks.

    It is asked again when this machine's libraries change. One whose modules crash when imported lacks nothing.
    """
    question = ("borrowed", str(python), _PROBE)
    if (known := answers.recall(*question)) is not None:
        return tuple(map(Path, known))
    asked = time.time()
    found: dict[str, Path] = {}
    with temporary_folder() as folder:
        for _ in range(_ROUNDS):
            more = {
                name: path
                for name in _asked(python, folder, processes, environ)
                if name not in found and (path := _library(root, name))
            }
            if not more:
                break
            found |= more
            copy_libraries(found.values(), folder)
    answers.keep([str(path) for path in found.values()], *question, asked=asked, rests_on=[python, _LOADERS])
    return tuple(found.values())


def copy_libraries(libraries: Iterable[Path], folder: Path) -> dict[str, str]:
    """Copy them; the variable by which the loader finds them there, none without a library."""
    libraries = tuple(libraries)
    if not libraries:
        return {}
    folder.mkdir(exist_ok=True)
    for path in libraries:
        shutil.copyfile(path, folder / path.name)
    return {"LD_LIBRARY_PATH": str(folder)}


def _asked(python: Path, folder: Path, processes: Processes, environ: Mapping[str, str]) -> list[str]:
    command, told = [str(python), "-I", "-c", _PROBE], {**environ, "LD_LIBRARY_PATH": str(folder)}
    try:
        *_, last = processes.run(command, env=told, deadline=time.monotonic() + _PATIENCE).splitlines() or ["[]"]
        names: list[str] = json.loads(last)
    except (CommandFailed, TimeLimit, ValueError):
        return []
    return names


def _library(root: Path, name: str) -> Path | None:
    """The path of a library in the image under the name that the loader looks for; None if the image lacks it."""
    for pattern in _FOLDERS:
        for folder in sorted(root.glob(pattern)):
            path = folder / name
            if path.is_file() and path.resolve().is_relative_to(root.resolve()):
                return path
    return None
