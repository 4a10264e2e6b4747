"""Runs hooks of a build backend (PEP 517) one after another, each in a fork of a process that has imported it.

    python hooks.py SCRIPT FOLDER HOOK...

SCRIPT is the script that pyproject-hooks would start for each hook; each hook has a folder of its name in FOLDER. The
import of the backend takes most of a short hook's time, especially under emulation, so it is imported once. If a hook
asks for more requirements, the hooks after it are not run, because these must be installed first.
"""

import importlib
import json
import os
import runpy
import signal
import sys
from contextlib import suppress


def main(script: str, folder: str, *hooks: str) -> None:
    del sys.path[0]  # this file's folder must not be imported from
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
    """Import an installed backend, not one in the project's folder; errors are left to the hook."""
    backend = os.environ["_PYPROJECT_HOOKS_BUILD_BACKEND"].partition(":")[0]
    if not os.environ.get("_PYPROJECT_HOOKS_BACKEND_PATH_JSON"):
        with suppress(ImportError):
            importlib.import_module(backend)


def _run(script: str, hook: str, folder: str, *, may_fork: bool) -> int:
    """Run a hook in a fork and return its exit code, negative for a signal; without fork if threads were started."""
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
    """End this process like the hook ended."""
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
