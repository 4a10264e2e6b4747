"""Runs pip several times, each in a fork of a process that has imported it, because the import takes most of the time.

    python pip_worker.py SECONDS FOLDER QUESTION...

A question is a JSON list of pip's arguments. The output of pip is written to FOLDER as ``0.out``,
``0.err`` and so on; the exit codes are printed as a list, signals as negative numbers. SIGALRM ends a pip that runs
longer than SECONDS.
"""

import importlib
import json
import os
import runpy
import signal
import sys
from contextlib import suppress
from pathlib import Path

# Modules that pip imports for an installation. The names are not public: a pip with other names imports what it needs
# in every fork.
_MODULES = ("cli.main", "commands.install", "resolution.resolvelib.resolver")


def main(seconds: str, folder: str, *questions: str) -> None:
    if Path(sys.path[0]) == Path(__file__).parent:
        del sys.path[0]  # this folder must not be imported from
    for module in _MODULES:
        with suppress(Exception):
            importlib.import_module(f"pip._internal.{module}")
    codes = [_ask(json.loads(question), Path(folder, str(at)), seconds) for at, question in enumerate(questions)]
    sys.stdout.write(json.dumps(codes))


def _ask(arguments: list[str], answer: Path, seconds: str) -> int:
    child = os.fork()
    if not child:
        for stream, kind in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(answer.with_suffix(kind), os.O_WRONLY | os.O_CREAT, 0o600), stream)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the parent process may have ignored it
        signal.alarm(int(seconds))
        sys.argv = ["pip", *arguments]
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
        sys.exit()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
