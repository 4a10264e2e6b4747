"""Signals that end a run in order, through every front end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from crosswheel.system.endings import ending_in_order


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_keyboard_interrupt_while_a_run_is_under_way(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), ending_in_order():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_what_nohup_has_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_in_order():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_that_is_not_the_first_changes_no_handler() -> None:
    done = []

    def run() -> None:
        with ending_in_order():
            done.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done == [before]


WAITING = """
import time
from crosswheel import commands, tasks
def wait(*_, **__):
    print("ready", flush=True)
    time.sleep(60)
commands.perform = wait
tasks.main(["crosswheel", "plan"])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_console_command_ends_with_130(number: signal.Signals) -> None:
    command = [sys.executable, "-c", WAITING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.decode().strip()) == (130, "crosswheel: interrupted")
