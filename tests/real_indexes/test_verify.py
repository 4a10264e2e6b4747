"""What real indexes serve is read back, through a proxy with faults too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bad_wheels import ARM, FAST, METADATA
from crosswheel.formats.distributions import read_distributions
from crosswheel.model.job import Listener, deaf
from crosswheel.model.targets import parse_target
from crosswheel.publishing.repositories import Repository
from crosswheel.publishing.verification import Verification
from crosswheel.steps import verify as step
from crosswheel.steps.verify import verify
from crosswheel.testing import tiny_wheel
from real_indexes.clients import sha256, twine
from real_indexes.proxy import Act, Fault, Proxy, answered, cut_after, late, replaced, stale
from real_indexes.servers import Served
from tiny_projects import tar_of

pytestmark = pytest.mark.real_indexes

TARGETS = tuple(map(parse_target, ("cp313-manylinux2014_aarch64", "cp313-manylinux_2_28_aarch64")))
REQUIRES = f"{METADATA}Requires-Python: >=3.10\n".encode()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "_FIRST_PAUSE", 0.05)


def compiled(folder: Path, tag: str = ARM) -> Path:
    """A wheel in which an audit finds nothing."""
    members = {"fast.abi3.so": FAST, "tiny-1.0.dist-info/METADATA": REQUIRES}
    return tiny_wheel(folder, tag=tag, members=members)


@pytest.fixture
def folder(served: Served, tmp_path: Path) -> Path:
    """A wheel and an sdist that are on the index."""
    files = [compiled(tmp_path), tar_of({"PKG-INFO": REQUIRES, "pyproject.toml": b""}, tmp_path)]
    uploaded = twine(served, *files)
    assert uploaded.returncode == 0, uploaded.stdout + uploaded.stderr
    return tmp_path


def read_back(served: Served, folder: Path, *, patience: float = 60, listener: Listener = deaf) -> Verification:
    repository = Repository(served.kind, served.upload_url, served.simple_url, served.username, served.password)
    return verify(
        repository, read_distributions([folder]), TARGETS, listener, patience=patience, environ=served.environ
    )


def test_an_index_serves_what_was_uploaded(served: Served, folder: Path) -> None:
    done = read_back(served, folder)
    assert done.ok, done.differences
    assert [choice.filename for choice in done.choices] == [f"tiny-1.0-{ARM}.whl"] * 2
    assert done.fetched == f"tiny-1.0-{ARM}.whl"
    assert done.untold == {"devpi": ("size",), "pypiserver": ("core metadata", "requires-python", "size")}[served.kind]
    assert served.password not in repr(done)


FAULTS: dict[str, tuple[str, Callable[[Path], Act], int]] = {
    "the index is in trouble": (r"simple/tiny/", lambda _: answered(503), 2),
    "the index has too much to do": (r"simple/tiny/", lambda _: answered(429, Retry_After="0"), 2),
    "the page is late": (r"simple/tiny/", lambda _: late(0.5), 3),
    "the page has another hash": (r"simple/tiny/", lambda file: replaced(sha256(file), "0" * 64), 3),
    "the page lacks a file": (r"simple/tiny/", lambda file: replaced(file.name, f"other-{file.name}"), 3),
    "the connection ends at the page": (r"simple/tiny/", lambda _: cut_after(0), 2),
    "the connection ends at the wheel": (r"\.whl$", lambda _: cut_after(0), 2),
    "the wheel has other bytes": (r"\.whl$", lambda _: replaced("PK", "KP"), 1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_waited_out(behind: Served, between: Proxy, folder: Path, fault: str) -> None:
    path, act, times = FAULTS[fault]
    between.faults.append(Fault("GET", path, act(folder / f"tiny-1.0-{ARM}.whl"), times))
    done = read_back(behind, folder)
    assert done.ok, done.differences
    assert all(fault.times == 0 for fault in between.faults)


def test_an_old_page_is_waited_out(behind: Served, between: Proxy, folder: Path) -> None:
    assert read_back(behind, folder).ok
    assert twine(behind, compiled(folder, ARM.replace("313", "312"))).returncode == 0
    between.faults.append(Fault("GET", r"simple/tiny/", stale, 4))
    done = read_back(behind, folder)
    assert done.ok, done.differences
    assert done.looks > 1
