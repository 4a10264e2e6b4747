from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from unittest.mock import Mock

import pytest

from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import Running
from crosswheel.errors import CannotRun, ImageUnavailable
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Event, Note
from crosswheel.steps import PREPARE, Machine
from crosswheel.steps.machine import PulledImage

REGISTER = import_module("crosswheel.steps.register")  # its function has the same name in the package
HOST = Mock(spec=DockerHost, address="unix:///docker.sock")


def machine(folder: Path, told: list[Event], **options: object) -> Machine:
    return Machine(HOST, load_config(folder, {"arch": ["aarch64", "s390x"], **options}), told.append, {})


def test_a_host_that_runs_everything_is_only_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        import_module("crosswheel.steps.register"),
        "survey",
        lambda _host, archs: {arch: Running(arch, natively=False) for arch in archs},
    )
    told: list[Event] = []
    done = PREPARE.without("pull").fold(machine(tmp_path, told))
    assert told == [
        Note("aarch64 runs under QEMU on unix:///docker.sock"),
        Note("s390x runs under QEMU on unix:///docker.sock"),
    ]
    assert done.registration
    assert (done.registration.provider, done.registration.error) == ("", None)


def test_what_still_does_not_run_is_an_error_of_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    provider = Mock(
        changes=lambda _archs: ["try"], act=lambda _archs, _listener: "said", advice=lambda _archs: "advice"
    )
    provider.name = "fake"
    monkeypatch.setattr(
        import_module("crosswheel.steps.register"),
        "survey",
        lambda _host, archs: {arch: CannotRun(f"not {arch}") for arch in archs},
    )
    monkeypatch.setattr(REGISTER, "choose_provider", lambda *_args, **_rest: provider)
    done = PREPARE.without("pull").fold(machine(tmp_path, []))
    assert done.registration
    assert done.registration.error
    assert "fake finished, but" in done.registration.error.message
    assert "| said" in done.registration.error.message
    assert done.registration.error.hint == "advice"


def test_one_image_that_fails_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Mock()

    def find(_host: object, reference: str, _arch: object, _mirrors: object) -> object:
        if "s390x" in reference:
            raise ImageUnavailable("no such image")
        return there

    monkeypatch.setattr(import_module("crosswheel.steps.pull"), "find_image", find)
    done = PREPARE.without("register").fold(machine(tmp_path, []))
    assert [(image.arch.name, image.state) for image in done.images] == [("aarch64", "there"), ("s390x", "failed")]


def test_a_project_puts_its_own_step_between(tmp_path: Path) -> None:
    def warm(value: Machine) -> Machine:
        return replace(value, images=(PulledImage("own", value.config.build.arch[0]),))

    steps = PREPARE.after("register", warm).without("register", "pull")
    assert PREPARE.after("register", warm).names == ("register", "warm", "pull")
    assert [image.platform for image in steps.fold(machine(tmp_path, [])).images] == ["own"]
