"""Commands in this process, as a shell would see them: to start a Python takes longer than most of them.

Tests of what only a process of its own has (its streams, signals, imports) start one.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from crosswheel.tasks import main


def console(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``crosswheel WORDS`` in `folder`, which gets the cache too; `environ` is added to this process's."""
    command = ["crosswheel", *words]
    added = {"CROSSWHEEL_CACHE": str(folder / "cache"), **environ}
    return _run(lambda: main(command), command, folder, added)


def nox(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``nox WORDS`` in `folder`, without the variables of a nox that runs these tests."""
    from nox import registry
    from nox.__main__ import main as nox_main

    command = ["nox", "--non-interactive", *words]
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    try:
        with patch.object(registry, "_REGISTRY", {}), patch.object(sys, "argv", command), warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # in tests it would be an error
            return _run(nox_main, command, folder, environ)
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers


def _run(
    program: Callable[[], None], command: list[str], folder: Path, added: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
        _inside(folder),
        _environ(added),
        patch("tempfile.tempdir", None),  # which is that of TMPDIR, asked for once
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = _code(program)
        for stream in (out, err):
            stream.flush()
            stream.seek(0)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())


def _code(program: Callable[[], None]) -> int:
    try:
        program()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:  # noqa: BLE001 - as Python itself does
        traceback.print_exc()
        return 1
    return 0


@contextmanager
def _environ(added: Mapping[str, str]) -> Iterator[None]:
    with patch.dict(os.environ, added):
        for name in [name for name in os.environ if name.startswith("NOX")]:
            del os.environ[name]
        yield


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
