"""The console command in this process, as a shell would see it: to start a Python takes longer than most commands.

Tests of what only a process of its own has (its streams, signals, imports) start one.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

from crosswheel.tasks import main


def console(folder: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``crosswheel WORDS`` in `folder`, which gets the cache too; `environ` is added to this process's."""
    command = ["crosswheel", *words]
    added = {"CROSSWHEEL_CACHE": str(folder / "cache"), **environ}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8") as err,
        _inside(folder),
        patch.dict(os.environ, added),
        patch("tempfile.tempdir", None),  # which is that of TMPDIR, asked for once
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = _code(command)
        for stream in (out, err):
            stream.flush()
            stream.seek(0)
        return subprocess.CompletedProcess(command, code, out.read(), err.read())


def _code(command: list[str]) -> int:
    try:
        main(command)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
