"""The tests of containers in namespaces once more, as an ordinary user runs them."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from containers.conftest import REGISTRY

pytestmark = [pytest.mark.containers, pytest.mark.index]

USER = 65533  # as whom nothing else runs
HERE = Path(__file__).parent
TREE = HERE.parents[1]


@contextmanager
def home() -> Iterator[Path]:
    """A folder of the user's, on a disk, as overlays want it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="crosswheel-user-", ignore_cleanup_errors=True) as folder:
        os.chown(folder, USER, USER)
        yield Path(folder)


def closed(needed: Iterable[Path]) -> set[Path]:
    """The folders above these that only their owner may enter, as root's home, where a Python may be."""
    return {parent for path in needed for parent in path.parents if not parent.stat().st_mode & 0o001}


def as_user(command: list[str], folder: Path) -> list[str]:
    """The command run by the user; folders that would keep the interpreter from it are open in its view of files."""
    lines = ["set -e"]
    for number, path in enumerate(sorted(closed([Path(sys.base_prefix), Path(sys.prefix), TREE]))):
        upper, work = folder / f".upper-{number}", folder / f".work-{number}"
        upper.mkdir(mode=0o755)
        work.mkdir()
        options = f"lowerdir={path},upperdir={upper},workdir={work}"
        lines.append(shlex.join(["mount", "-t", "overlay", "-o", options, "overlay", str(path)]))
    lines.append(f"exec setpriv --reuid={USER} --regid={USER} --clear-groups -- {shlex.join(command)}")
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", "\n".join(lines)]


def passes(registry: str, *tests: str) -> None:
    """Run tests of this folder as the user, on namespaces."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("setpriv", "unshare"))):
        pytest.skip("only root can become an ordinary user, with setpriv and unshare")
    with home() as folder:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "PYTEST_"))}
        given = {"HOME": str(folder), "USER": "ordinary", "TMPDIR": str(folder), REGISTRY: registry}
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-m", "containers", "-k", "namespace"]
        command = [sys.executable, "-B", "-m", "pytest", *options, *tests]
        done = subprocess.run(
            as_user(command, folder),
            cwd=TREE,
            env={**environ, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    sys.stdout.write(done.stdout)
    assert done.returncode == 0
    last = done.stdout.rstrip().splitlines()[-1]
    assert " passed" in last
    assert "failed" not in last


def test_containers_of_an_ordinary_user(registry: str, busybox_x86_64: str, manylinux_x86_64: str) -> None:
    passes(registry, str(HERE / "test_container.py"))


@pytest.mark.daily(2)
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
