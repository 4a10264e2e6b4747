"""The CPythons of this machine: found like nox does (PATH, pyenv, uv), and downloaded by uv on request."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from crosswheel.errors import CrosswheelError, MissingTool, UsageError
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import PythonTag, python_tags
from crosswheel.system.memo import Answers
from crosswheel.system.process import CommandFailed, Processes

_FORGETFUL = Answers()
_PATIENCE = 30.0  # seconds for an interpreter to describe itself; a name in PATH may be any program

# Prints the description of an interpreter; debug builds have another ABI (PEP 3149's d) and are not used. `itself` is
# the program that runs, which differs from a started script; `rests_on` are other files of the interpreter, which
# could be replaced separately.
_PROBE = """
import json, os, platform, sys, sysconfig
folder = os.path.dirname(sys.executable)
print(json.dumps({
    "implementation": sys.implementation.name,
    "version": platform.python_version(),
    "minor": sys.version_info[1] if sys.version_info[0] == 3 else -1,
    "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    "debug": hasattr(sys, "gettotalrefcount"),
    "final": sys.version_info[3] == "final",
    "headers": os.path.exists(sysconfig.get_config_h_filename()),
    "base": os.path.realpath(getattr(sys, "_base_executable", sys.executable) or sys.executable),
    "venv": sys.prefix != sys.base_prefix,
    "include": sysconfig.get_path("include"),
    "platinclude": sysconfig.get_path("platinclude"),
    "stdlib": sysconfig.get_path("stdlib"),
    "multiarch": sysconfig.get_config_var("MULTIARCH") or "",
    "itself": os.path.realpath(sys.executable),
    "rests_on": [sys.executable, os.__file__, sysconfig.get_config_h_filename(),
        os.path.join(folder, "pyvenv.cfg"), os.path.join(os.path.dirname(folder), "pyvenv.cfg"),
        *(module.__file__ for name, module in sys.modules.items() if name.startswith("_sysconfigdata")),
        *{line.split()[-1] for line in open("/proc/self/maps", errors="replace") if "/libpython" in line}],
}))
"""

_FIRST_LOOK = threading.Lock()


def uv() -> str:
    """The uv program installed beside crosswheel."""
    import sysconfig

    from uv import find_uv_bin

    # Jobs are threads, and sysconfig shows its variables to a second one before they are complete (CPython 3.11).
    with _FIRST_LOOK:
        sysconfig.get_config_vars()
        return str(find_uv_bin())


def find_interpreters(
    processes: Processes, environ: Mapping[str, str], answers: Answers = _FORGETFUL
) -> dict[PythonTag, Interpreter]:
    """The best CPython for each tag: one with headers is preferred, then the newest patch release.

    Each is started once; `answers` caches its description until its files change.
    """
    candidates = list(dict.fromkeys(_candidates(processes, environ, answers)))
    with ThreadPoolExecutor(max_workers=4) as pool:
        probed = pool.map(lambda path: _probe(path, processes, environ, answers), candidates)
    best: dict[PythonTag, tuple[tuple[object, ...], Interpreter]] = {}
    for rank, interpreter in filter(None, probed):
        if interpreter.tag not in best or rank > best[interpreter.tag][0]:
            best[interpreter.tag] = (rank, interpreter)
    return {tag: interpreter for tag, (_, interpreter) in best.items()}


def interpreter_at(
    path: Path, processes: Processes, environ: Mapping[str, str], answers: Answers = _FORGETFUL
) -> Interpreter | None:
    """The CPython of that path; None if it does not start, or is none that wheels are built for."""
    found = _probe(path, processes, environ, answers)
    return found and found[1]


def fetch_interpreter(tag: PythonTag, processes: Processes, environ: Mapping[str, str]) -> Interpreter:
    """Download a CPython with uv, like nox's --download-python. Raises MissingTool if that fails.

    `environ` is uv's environment, with a HOME whose settings uv may use.
    """
    command = [uv(), "python", "install", f"{tag.version}{'t' if tag.free_threaded else ''}"]
    try:
        processes.run(command, env=environ, cwd=Path(environ["HOME"]))
    except CommandFailed as error:
        last = error.output.strip().splitlines()[-1:] or [""]
        raise MissingTool(
            f"no CPython for {tag} on this machine, and uv could not download one: {last[0].strip()}",
            hint=f"{' '.join(['uv', *command[1:]])}, or install it with pyenv or the system's packages",
        ) from error
    found = find_interpreters(processes, environ).get(tag)
    if found is None:
        raise MissingTool(
            f"uv installed a CPython for {tag}, but it cannot be found", hint="uv python list --only-installed"
        )
    return found


def _candidates(processes: Processes, environ: Mapping[str, str], answers: Answers) -> Iterator[Path]:
    names = [tag.name for tag in python_tags()]
    root = _pyenv_root(environ)
    for folder in sorted(root.glob("versions/*/bin")):
        yield from _existing(folder / name for name in names)
    on_path = (Path(entry) for entry in environ.get("PATH", os.defpath).split(os.pathsep) if entry)
    # A shim is a script that starts one of the versions found above, or fails.
    for folder in (entry for entry in on_path if entry != root / "shims"):
        yield from _existing(folder / name for name in (*names, "python3"))
    yield from _existing(_managed_by_uv(processes, environ, answers))


def _pyenv_root(environ: Mapping[str, str]) -> Path:
    """Pyenv's root folder. Raises UsageError if PYENV_ROOT names a folder that cannot be read."""
    if not (named := environ.get("PYENV_ROOT")):
        return Path(environ.get("HOME", "/"), ".pyenv")
    try:
        os.listdir(Path(named, "versions"))  # noqa: PTH208 - iterdir looks when it is asked for the first
    except FileNotFoundError:
        pass  # no versions installed
    except OSError as error:
        raise UsageError(
            f"PYENV_ROOT: {named}/versions cannot be read: {error.strerror}",
            hint=f"ls -ld {named} {named}/versions; or unset PYENV_ROOT, to do without these Pythons",
        ) from error
    return Path(named)


def _managed_by_uv(processes: Processes, environ: Mapping[str, str], answers: Answers) -> Iterator[Path]:
    # `uv python list` would start every interpreter, which we do ourselves.
    heard = sorted(item for item in environ.items() if item[0].startswith(("HOME", "UV_", "XDG_")))
    question = ("managed-pythons", uv(), str(Path.cwd()), *map("=".join, heard))
    if not (folder := answers.recall(*question)):
        asked = time.time()
        try:
            # Without the settings of the current folder, which is not trusted, and of those above.
            folder = processes.run([uv(), "python", "dir"], env={**environ, "UV_NO_CONFIG": "1"}).strip()
        except CommandFailed:  # an old uv; PATH and pyenv remain
            return
        answers.keep(folder, *question, asked=asked, rests_on=[uv()])
    yield from Path(folder).glob("cpython-*/bin/python3*")


def _existing(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if os.access(path, os.X_OK) and path.is_file():
            yield path.resolve()


def _probe(
    path: Path, processes: Processes, environ: Mapping[str, str], answers: Answers
) -> tuple[tuple[object, ...], Interpreter] | None:
    try:
        facts = facts_of(path, processes, environ, answers)
    except (CrosswheelError, OSError, ValueError):
        return None
    tag = PythonTag(facts["minor"], free_threaded=facts["free_threaded"])
    if facts["implementation"] != "cpython" or facts["debug"] or tag not in python_tags():
        return None
    micro = tuple(int(part) if part.isdigit() else 0 for part in facts["version"].split("."))
    # For a virtual environment the base interpreter is used, from which other environments are made.
    interpreter = Interpreter(tag, facts["version"], Path(facts["base"]) if facts["venv"] else path, facts["headers"])
    return (facts["headers"], facts["final"], micro, str(path)), interpreter


def facts_of(path: Path, processes: Processes, environ: Mapping[str, str], answers: Answers) -> dict[str, Any]:
    """The description of an interpreter. A script may start different interpreters at different times.

    Raises CommandFailed, TimeLimit, OSError, and ValueError if it is not a Python.
    """
    question = ("interpreter", str(path), _PROBE, environ.get("LD_LIBRARY_PATH", ""))
    if known := answers.recall(*question):
        return dict(known)
    asked = time.time()
    said = processes.run([str(path), "-I", "-c", _PROBE], env=environ, deadline=time.monotonic() + _PATIENCE)
    facts: dict[str, Any] = json.loads(said)
    if facts.get("itself") == str(path):
        answers.keep(facts, *question, asked=asked, rests_on=facts["rests_on"])
    return facts
