"""What tests of every folder may use: interpreters and sysroots of other architectures, made of Debian packages."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

import daily
from arm import SUITES, ArmPython, debian_packages, find_arm_python
from builds import PYTHONS, Builder, BuildsOnce
from crosswheel.model.targets import parse_python
from crosswheel.system.interpreters import find_interpreters
from crosswheel.system.process import Processes
from debian import DebianUnavailable, unpacked

if TYPE_CHECKING:
    from stand_in_roots import StandInRoot

# Tests start Pythons by the hundred. Where none may write bytecode, as in many images of containers, each compiles all
# that it imports, which takes longer than all else that it does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell starts what it puts in the background with these ignored, and every program that tests start would inherit
# that: Ctrl-C in a container's shell would do nothing, for its engine was started by a test.
for _ignored in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_ignored) is signal.SIG_IGN:
        signal.signal(_ignored, signal.default_int_handler if _ignored == signal.SIGINT else signal.SIG_DFL)

# Debian's words for our architectures.
_DEBIAN = {
    "aarch64": "arm64",
    "armv7l": "armhf",
    "i686": "i386",
    "ppc64le": "ppc64el",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "x86_64": "amd64",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    daily.add_option(parser)


def pytest_report_header(config: pytest.Config) -> str:
    return daily.header(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before tests are handed to processes
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    daily.deselect(config, items)
    yield
    # After others have shuffled them: no process begins the longest test when the other has none left.
    items.sort(key=lambda item: not _takes_long(item))


def _takes_long(item: pytest.Item) -> bool:
    """Whether it builds or emulates; tests of containers stay in the order in which they share their engines."""
    marks = {mark.name for mark in item.iter_markers()}
    return "containers" not in marks and not marks.isdisjoint({"index", "debian", "emulator"})


@pytest.fixture(scope="session")
def debian_cache() -> Path:
    """Kept between runs: a folder takes seconds to make and never changes."""
    return platformdirs.user_cache_path("crosswheel-tests", appauthor=False)


@pytest.fixture(scope="session")
def arm_python(debian_cache: Path) -> ArmPython:
    """CPythons for aarch64 that run here."""
    return find_arm_python(debian_cache)


@pytest.fixture(scope="session")
def manylinux_root(debian_cache: Path) -> StandInRoot:
    """The unpacked stand-in for pypa's image of aarch64, with its cache; made of Debian packages once."""
    from containers.stand_ins.index_packages import IndexUnavailable
    from stand_in_roots import stand_in_root

    try:
        return stand_in_root(debian_cache, "pypa/manylinux_2_41_aarch64")
    except (DebianUnavailable, IndexUnavailable) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def debian_sysroot(debian_cache: Path) -> Callable[..., Path]:
    """Gives the folder with a CPython and its headers for an architecture, under the name of wheel tags."""

    def sysroot(arch: str, minor: int = 11) -> Path:
        try:
            return unpacked(_DEBIAN[arch], debian_packages(minor), SUITES[minor], debian_cache)
        except DebianUnavailable as error:
            pytest.skip(f"no sysroot for {arch}: {error}")

    return sysroot


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """Gives the build of a source, made at the first call by any of xdist's processes; the others wait for it."""
    missing = {parse_python(tag) for tag in PYTHONS} - set(find_interpreters(Processes(), os.environ))
    if missing:
        pytest.skip(f"this machine has no {', '.join(map(str, sorted(missing)))}")
    folder = tmp_path_factory.getbasetemp()
    return BuildsOnce(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder).build
