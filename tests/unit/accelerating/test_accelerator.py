"""An engine that does not run an architecture is made to, before the container starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from crosswheel.accelerating import accelerator as module
from crosswheel.accelerating.accelerator import Accelerator
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import Running
from crosswheel.errors import CannotRun
from crosswheel.model.job import deaf
from crosswheel.model.targets import Architecture, architectures
from crosswheel.system.local_host import LocalHost

AARCH64 = architectures()["aarch64"]


class _Engine:
    """Runs what was registered."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, helps: bool = True) -> None:
        self.registered: list[Architecture] = []
        self.helps = helps
        monkeypatch.setattr(module, "known_survey", self.survey)

    def survey(self, _host: object, archs: list[Architecture], _answers: object) -> Mapping[Architecture, Any]:
        runs = self.helps and self.registered
        return {arch: Running(arch, natively=False) if runs else CannotRun("exec format error") for arch in archs}

    def register(self, _docker: object, arch: Architecture) -> None:
        self.registered.append(arch)


def _running(engine: _Engine, folder: Path, *, dry_run: bool = False) -> Running:
    class Host:
        cache = folder

    accelerator = Accelerator(
        host=lambda: cast("LocalHost", Host()),
        register=engine.register,
        listener=deaf,
        folder=folder,
        labels={},
        dry_run=dry_run,
    )
    return accelerator._running(AARCH64, cast("DockerHost", engine), cast("LocalHost", Host()))


def test_a_missing_emulator_is_registered_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = _Engine(monkeypatch)
    assert not _running(engine, tmp_path).natively
    assert _running(engine, tmp_path).arch == AARCH64
    assert engine.registered == [AARCH64]


def test_what_does_not_run_after_that_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = _Engine(monkeypatch, helps=False)
    with pytest.raises(CannotRun, match="exec format error"):
        _running(engine, tmp_path)
    assert engine.registered == [AARCH64]


def test_a_dry_run_registers_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = _Engine(monkeypatch)
    with pytest.raises(CannotRun):
        _running(engine, tmp_path, dry_run=True)
    assert engine.registered == []
