"""Runs hooks of a build backend (PEP 517) one after another, each in a process of its own that has the backend already.

    python hooks.py SCRIPT FOLDER HOOK...

SCRIPT is what pyproject-hooks would have started for each; in FOLDER, each hook has a folder of its name. Most of what
a short hook takes is the import of its backend, under emulation above all: it is imported once here, and each hook goes
on in a fork of that. The hooks after one that asks for more requirements are left undone: those have to be installed
first.
"""

import importlib
import json
import os
import runpy
import signal
import sys
from contextlib import suppress


def main(script: str, folder: str, *hooks: str) -> None:
    del sys.path[0]  # this file's folder, which is no place to import from
    alone = _threads()
    _import_backend()
    may_fork = _threads() == alone
    for hook in hooks:
        status = _run(script, hook, os.path.join(folder, hook), may_fork=may_fork)
        if status:
            _end(status)
        if not _needs_nothing(os.path.join(folder, hook)):
            break


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _import_backend() -> None:
    """Where it is among the installed packages, and not in the project's folder; what fails is told by the hook."""
    backend = os.environ["_PYPROJECT_HOOKS_BUILD_BACKEND"].partition(":")[0]
    if not os.environ.get("_PYPROJECT_HOOKS_BACKEND_PATH_JSON"):
        with suppress(ImportError):
            importlib.import_module(backend)


def _run(script: str, hook: str, folder: str, *, may_fork: bool) -> int:
    """Its exit code, negative for a signal. What has started threads must not be forked."""
    words = [script, hook, folder]
    if not may_fork:
        return os.spawnv(os.P_WAIT, sys.executable, [sys.executable, *words])
    sys.stdout.flush()
    child = os.fork()
    if not child:
        sys.argv = words
        runpy.run_path(script, run_name="__main__")
        sys.exit()
    _, status = os.waitpid(child, 0)
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _needs_nothing(folder: str) -> bool:
    with open(os.path.join(folder, "output.json"), encoding="utf-8") as file:
        return bool(json.load(file).get("return_val") == [])


def _end(status: int) -> None:
    """As the hook has ended."""
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
