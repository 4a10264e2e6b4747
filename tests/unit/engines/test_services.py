"""What a run leaves for later is done all the same, and nobody waits for it longer than need be."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from crosswheel.engines.services import Services
from tiny_projects import tiny_facts, tiny_host


def test_what_is_left_for_later_is_done_when_a_run_settles_and_not_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosswheel.engines.services._PAUSE", 120)
    services, done = Services(tiny_facts(tiny_host(tmp_path))), threading.Event()

    services.later(done.set)
    assert not done.is_set()
    began = time.monotonic()
    services.__exit__(None, None, None)

    assert done.is_set()
    assert time.monotonic() - began < 60, "the pause is for the next job, and there is none"


def test_it_is_done_while_a_run_goes_on(tmp_path: Path) -> None:
    services, done = Services(tiny_facts(tiny_host(tmp_path))), threading.Event()

    services.later(done.set)

    assert done.wait(30)
    services.__exit__(None, None, None)
