"""What an engine tells of a container's memory, and what the kernel tells of a command's."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from crosswheel.containers.memory import Watch
from crosswheel.system.process import Meter, Processes

MIB = 1024**2


@pytest.mark.parametrize(
    ("told", "peak"),
    [
        ({"memory_stats": {"usage": 300 * MIB, "stats": {"total_inactive_file": 100 * MIB}}}, 200 * MIB),  # cgroup v1
        ({"memory_stats": {"usage": 300 * MIB, "stats": {"inactive_file": 50 * MIB}}}, 250 * MIB),  # v2
        ({"memory_stats": {}}, 0),  # it has just ended
        ({}, 0),
    ],
)
def test_files_that_the_kernel_may_drop_are_not_counted(told: dict[str, Any], peak: int) -> None:
    watch = Watch()
    watch.hear(told)
    assert watch.peak == peak


def test_the_highest_counts() -> None:
    watch = Watch()
    for usage in (10, 30, 20):
        watch.hear({"memory_stats": {"usage": usage * MIB}})
    assert watch.peak == 30 * MIB


def test_a_meter_sees_all_that_a_command_starts(tmp_path: Path) -> None:
    hold = f"{sys.executable} -c 'import time; held = bytearray({60 * MIB}); time.sleep(2)'"
    meter = Meter()
    log = tmp_path / "log"
    Processes().run(["sh", "-c", f"{hold} & {hold}; wait"], env=dict(os.environ), log=log, meter=meter)
    assert 120 * MIB < meter.peak < 400 * MIB
