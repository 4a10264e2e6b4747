"""The doctor on a real engine: what it shows is what runs, and what it mends runs afterwards."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from containers.binfmt import BinfmtUnavailable, unregistered
from containers.engine import Engine
from crosswheel.commands import run_verb
from crosswheel.containers import binfmt
from crosswheel.model.targets import architectures
from crosswheel.toolchains.zig import program_path
from crosswheel.upkeep import doctor as diagnosis

pytestmark = [pytest.mark.containers, pytest.mark.binfmt]

Looking = Callable[..., tuple[int, str]]


@pytest.fixture
def bare() -> Iterator[None]:
    """With nothing for riscv64, which nobody needs meanwhile."""
    try:
        with unregistered("qemu-riscv64"):
            yield
    except BinfmtUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def looking(docker_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Looking:
    """At this engine, and at a context that is gone; gives the exit code and what was printed."""
    monkeypatch.setattr(diagnosis, "contexts", lambda: {"board": f"unix://{tmp_path}/docker.sock"})
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path))
    program_path(tmp_path).parent.mkdir(parents=True)
    program_path(tmp_path).touch()

    def look(*archs: str, **options: object) -> tuple[int, str]:
        stream = io.StringIO()
        given = {"docker-host": docker_engine.address, "arch": list(archs), "json": "found.json", **options}
        return run_verb("doctor", tmp_path, given, stream), stream.getvalue()

    return look


def test_what_runs_is_shown_with_how_it_runs(
    docker_engine: Engine, looking: Looking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(diagnosis, "_SOON", 120)  # a loaded engine adds up its images slowly
    code, said = looking("x86_64")
    assert code == 0
    assert f"at {docker_engine.address}; API 1." in said
    assert "context board" in said
    document = json.loads((tmp_path / "found.json").read_text())
    here, board = document["docker_hosts"]
    assert (here["chosen"], here["answers"], board["chosen"], board["answers"]) == (True, True, False, False)
    assert [row["arch"] for row in here["architectures"]] == list(architectures())
    (x86_64,) = [row for row in here["architectures"] if row["arch"] == "x86_64"]
    assert (x86_64["wanted"], x86_64["runs"], x86_64["natively"]) == (True, True, True)
    assert here["used"] >= 0
    assert here["disk"]["free"] > 0


def test_what_is_wanted_and_does_not_run_has_its_exit_code_and_its_remedy(bare: None, looking: Looking) -> None:
    code, said = looking("x86_64", "riscv64")
    assert code == 15
    assert "✘ riscv64" in said
    assert "    try: crosswheel register --arch riscv64" in said


def test_fix_makes_it_run(bare: None, looking: Looking, tmp_path: Path) -> None:
    if binfmt.find_emulator(architectures()["riscv64"], os.environ) is None or os.geteuid() != 0:
        pytest.skip("only root can register, and qemu-user-static must be installed")
    code, said = looking("riscv64", fix=True)
    assert (code, "✔ riscv64" in said) == (0, True)
    document = json.loads((tmp_path / "found.json").read_text())
    (riscv64,) = [row for row in document["docker_hosts"][0]["architectures"] if row["arch"] == "riscv64"]
    assert (riscv64["runs"], riscv64["handler"]["name"]) == (True, "qemu-riscv64")
