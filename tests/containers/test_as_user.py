"""The tests of containers in namespaces once more, as an ordinary user runs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from containers.conftest import REGISTRY
from ordinary_user import TREE, as_user, home, skip_unless_root

pytestmark = [pytest.mark.containers, pytest.mark.index]

RANGE = "ordinary:2000000000:65536\n"
HERE = Path(__file__).parent


def passes(registry: str, *tests: str, ranges: str | None = None) -> None:
    """Run tests of this folder as the user, on namespaces; `ranges` are the user's subordinate ids."""
    skip_unless_root()
    with home() as folder:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYTEST_"))}
        given = {"HOME": str(folder), "USER": "ordinary", "TMPDIR": str(folder), REGISTRY: registry}
        options = [
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "-m",
            "containers",
            "-k",
            "namespace",
            "--day=all",
        ]
        command = [sys.executable, "-B", "-m", "pytest", *options, *tests]
        done = subprocess.run(
            as_user(command, folder, ranges=ranges),
            cwd=TREE,
            env={**environ, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    sys.stdout.write(done.stdout)
    lines = done.stdout.rstrip().splitlines()
    assert [line for line in lines if line.startswith(("FAILED ", "ERROR "))] == []
    assert done.returncode == 0
    assert " passed" in lines[-1]


def test_containers_of_an_ordinary_user(registry: str, busybox_x86_64: str, manylinux_x86_64: str) -> None:
    passes(registry, str(HERE / "test_container.py"))


@pytest.mark.daily(1)
@pytest.mark.parametrize(
    "test", ["test_container.py", "test_engines.py::test_native_with_libraries_that_only_the_image_has"]
)
def test_containers_of_a_user_with_a_range_of_ids(
    registry: str, busybox_x86_64: str, manylinux_x86_64: str, test: str
) -> None:
    if not all(map(shutil.which, ("newuidmap", "newgidmap"))):
        pytest.skip("newuidmap and newgidmap are not installed (Debian's package uidmap)")
    passes(registry, str(HERE / test), ranges=RANGE)


@pytest.mark.daily(1)
@pytest.mark.parametrize(
    "test",
    [
        "test_shell.py::test_natively",
        "test_shell.py::test_jobs_are_controlled_by_the_shell",
        "test_engines.py::test_native_with_libraries_that_only_the_image_has",
        "test_engines.py::test_a_test_command_runs_in_each_image_with_what_it_requires_and_the_projects_files",
    ],
)
def test_shells_and_wheels_of_an_ordinary_user(
    registry: str, manylinux_x86_64: str, slim_x86_64: str, test: str
) -> None:
    passes(registry, str(HERE / test))


@pytest.mark.binfmt
@pytest.mark.daily(1)
@pytest.mark.parametrize("test", ["test_emulated", "test_a_cross_built_wheel_is_tested_in_a_container"])
def test_emulated_wheels_of_an_ordinary_user(registry: str, manylinux_aarch64: str, test: str) -> None:
    passes(registry, f"{HERE}/test_engines.py::{test}")
