"""Registering an emulator for tests, and leaving the kernel as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from containers import binfmt
from containers.binfmt import BinfmtUnavailable, Handler, handler, registered, unregistered

_TEXT = """\
enabled
interpreter /usr/bin/qemu-aarch64-static
flags: OCF
offset 0
magic 7f454c46
mask ffffffff
"""
_LINE = r":qemu-aarch64:M:0:\x7f\x45\x4c\x46:\xff\xff\xff\xff:/usr/bin/qemu-aarch64-static:OCF"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(binfmt, "_FOLDER", tmp_path)
    return tmp_path


def test_an_entry_is_read_and_can_be_written_again(folder: Path) -> None:
    (folder / "qemu-aarch64").write_text(_TEXT)
    assert handler() == Handler(
        "qemu-aarch64", True, "/usr/bin/qemu-aarch64-static", "OCF", "0", "7f454c46", "ffffffff"
    )
    assert (found := handler())
    assert found.line == _LINE


def test_an_entry_may_be_disabled_and_without_flags(folder: Path) -> None:
    (folder / "qemu-aarch64").write_text(_TEXT.replace("enabled", "disabled").replace(" OCF", " "))
    assert (found := handler())
    assert not found.enabled
    assert not found.flags


def test_no_entry_is_nothing(folder: Path) -> None:
    assert handler() is None


@pytest.mark.containers
@pytest.mark.binfmt
def test_both_states_can_be_had() -> None:
    before = handler()
    try:
        with registered() as now:
            assert "F" in now.flags
            with unregistered():
                assert handler() is None
            assert handler() == now
    except BinfmtUnavailable as error:
        pytest.skip(str(error))
    assert handler() == before
