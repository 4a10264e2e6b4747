"""Folders with multibuild: its scripts, or some that stand in for them, around a tiny project.

The real ones are cloned from GitHub, or are in the folder that CROSSWHEEL_TESTS_MULTIBUILD names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

import crosswheel as cw
from tiny_projects import tiny_project

GIVEN = "CROSSWHEEL_TESTS_MULTIBUILD"
_REPOSITORY = "https://github.com/multi-build/multibuild"
_CONFIG = """
function pre_build {
    echo "in pre_build: $PLAT $MB_ML_VER $BUILD_DEPENDS $FROM_ENV_VARS"
    mkdir -p /usr/local/lib
    echo 'int answer(void) { return 42; }' >answer.c
    cc -shared -fPIC -o /usr/local/lib/libanswer.so answer.c
}
function run_tests {
    echo "in run_tests: $(basename $PWD) $(python -c 'import fast, platform; print(fast.answer(), platform.machine())')"
}
"""
_ENV_VARS = 'export FROM_ENV_VARS="given by env_vars.sh"\n'
# What multibuild's scripts do, without what they install; each reads what the real one reads.
_BUILD = """
set -e
cd /io
source env_vars.sh
PATH=/opt/python/cp${PYTHON_VERSION/./}-cp${PYTHON_VERSION/./}/bin:$PATH
function build_wheel { pre_build; (cd "$1" && python -m pip wheel -w /io/wheelhouse --no-deps .); }
source config.sh
$BUILD_COMMANDS
"""
_TEST = """
set -e
cd /io
source config.sh
pip install --no-index wheelhouse/*.whl
mkdir tmp_for_test
(cd tmp_for_test && run_tests)
"""


def stand_in(folder: Path) -> None:
    folder.mkdir()
    (folder / "docker_build_wrap.sh").write_text(_BUILD)
    (folder / "docker_test_wrap.sh").write_text(_TEST)


def real(folder: Path) -> None:
    if given := os.environ.get(GIVEN):
        shutil.copytree(given, folder, ignore=shutil.ignore_patterns(".git"))
        return
    clone = ["git", "clone", "--quiet", "--depth=1", _REPOSITORY, str(folder)]
    try:
        done = subprocess.run(clone, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{_REPOSITORY} cannot be cloned: {error}")
    if done.returncode:
        pytest.skip(f"{_REPOSITORY} cannot be cloned, and {GIVEN} names no folder with it: {done.stderr.strip()}")


def multibuild_folder(folder: Path, scripts: Callable[[Path], None]) -> Path:
    folder.mkdir()
    tiny_project("compiles", folder)
    scripts(folder / "multibuild")
    (folder / "config.sh").write_text(_CONFIG)
    (folder / "env_vars.sh").write_text(_ENV_VARS)
    return folder


def assert_built_by_its_scripts(report: cw.Report) -> None:
    """For aarch64, by a compiler of this machine, and tested."""
    (outcome,) = report.outcomes
    assert outcome.failure is None, outcome.failure
    assert outcome.untested == ""
    assert outcome.log
    log = outcome.log.read_text()
    assert "in pre_build: aarch64 _2_41  given by env_vars.sh\n" in log
    assert "in run_tests: tmp_for_test 42 aarch64\n" in log
    assert outcome.usage.commands >= 2
    assert outcome.usage.by_gcc == 0
    (wheel,) = report.wheels
    assert wheel.path.name.endswith("-cp311-cp311-manylinux_2_41_aarch64.whl")
    with ZipFile(wheel.path) as opened:
        assert "fast.cpython-311-aarch64-linux-gnu.so" in opened.namelist()
