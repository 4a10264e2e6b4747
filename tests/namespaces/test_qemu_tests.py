"""Where containers are forbidden, wheels are tested with the image's files alone."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.engines.facts import Facts, Once
from crosswheel.engines.qemu_tests import QemuTest, find_qemu_test
from crosswheel.model.config_reader import load_config
from crosswheel.model.targets import parse_target
from crosswheel.steps.test import untested
from crosswheel.system.process import CommandFailed
from crosswheel.testing.tiny_files import tiny_wheel
from stand_in_roots import StandInRoot

TARGET = parse_target("cp311-manylinux_2_41_aarch64")
CODE = b"""\
import platform, subprocess, sys
child = subprocess.run([sys.executable, "-c", "import platform; print(platform.machine())"], stdout=-1, text=True)
MACHINES = [platform.machine(), child.stdout.strip()]
"""


@pytest.fixture
def forbidden(facts: Facts) -> Facts:
    """An engine is wanted that does not answer."""
    return replace(facts, engine_only=True, once=Once())


def test_the_image_s_interpreter_runs_the_wheel_and_its_children(
    forbidden: Facts, manylinux_root: StandInRoot, tmp_path: Path
) -> None:
    config = load_config(tmp_path, {"image": manylinux_root.reference, "policy": "manylinux_2_41"})
    assert untested(TARGET, config, forbidden) == ""
    found = find_qemu_test(TARGET, config, forbidden)
    if not isinstance(found, QemuTest):
        pytest.skip(found)
    tag = "cp311-cp311-manylinux_2_41_aarch64"
    wheel = tiny_wheel(tmp_path, name="asks", tag=tag, members={"asks.py": CODE})
    log, deadline = tmp_path / "log", time.monotonic() + 300

    def run(folder: str, script: str) -> None:
        command = ["sh", "-c", f"python -c '{script}'"]
        found.run(tmp_path / folder, [f"asks @ file://{wheel}"], command, log, deadline)

    run("first", 'import asks; assert asks.MACHINES == ["aarch64"] * 2')
    with pytest.raises(CommandFailed):
        run("second", "import no_such_module")
    # Of the standard library too: the image's folder is never written to.
    assert list((tmp_path / "first" / "bytecode").rglob("subprocess.*.pyc"))


def test_without_the_image_the_reason_is_that_there_is_no_engine(forbidden: Facts, tmp_path: Path) -> None:
    config = load_config(tmp_path, {"image": "localhost/no-such:1", "policy": "manylinux_2_41"})
    assert "not wanted here" in untested(TARGET, config, forbidden)
