"""Entries of binfmt_misc are registered all or none; pipes stand in for the kernel's files, and keep the time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from crosswheel.containers.binfmt import new_handler, register
from crosswheel.model.targets import architectures
from crosswheel.system.process import CommandFailed, Processes

NAMES = ("riscv64", "s390x", "ppc64le")
HANDLERS = [new_handler(architectures()[name], Path("/emulator")) for name in NAMES]
# The files that the registration writes to before each line, and in the end.
_TRIALS = [f"{handler.name}-crosswheel" for handler in HANDLERS]
GATES = [*_TRIALS, *(handler.name for handler in HANDLERS), *_TRIALS]
_RUN = """
import sys
from pathlib import Path
from crosswheel.containers.binfmt import new_handler, register
from crosswheel.model.targets import architectures
from crosswheel.system.process import Processes
handlers = [new_handler(architectures()[name], Path("/emulator")) for name in sys.argv[2:]]
register(handlers, Processes(), Path(sys.argv[1]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A registration waits at each old entry until the pipe in its place is read."""
    (tmp_path / "register").touch()
    for name in {*GATES}:
        os.mkfifo(tmp_path / name)
    return tmp_path


@contextmanager
def registering(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", _RUN, str(folder), *NAMES]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        yield process


def open_gates(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        gate = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK)
        deadline = time.monotonic() + 60
        text = b""
        while not text and time.monotonic() < deadline:
            time.sleep(0.01)
            with contextlib.suppress(BlockingIOError):
                text = os.read(gate, 10)
        os.close(gate)
        assert text == b"-1", name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("moment", [1, 3, 5])
def test_a_registration_that_has_begun_comes_to_its_end(folder: Path, number: signal.Signals, moment: int) -> None:
    with registering(folder) as process:
        open_gates(folder, GATES[:moment])
        os.killpg(process.pid, number)
        open_gates(folder, GATES[moment:])
        assert process.wait(60) == -number
    assert (folder / "register").read_text() == HANDLERS[-1].line


def test_what_the_kernel_refuses_leaves_old_entries_as_they_were(tmp_path: Path) -> None:
    for handler in HANDLERS:
        (tmp_path / handler.name).write_text("enabled")
    # No text can be written to a folder.
    (tmp_path / "register").mkdir()
    with pytest.raises(CommandFailed) as caught:
        register(HANDLERS, Processes(), tmp_path)
    assert caught.value.output.startswith("qemu-riscv64: ")
    assert {(tmp_path / handler.name).read_text() for handler in HANDLERS} == {"enabled"}
