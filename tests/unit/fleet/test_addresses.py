"""Which schedulers work may be sent to."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.errors import UsageError
from crosswheel.fleet.addresses import certificates_folder, scheduler_address


@pytest.mark.parametrize(
    "text", ["tls://build:8786", "tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786"]
)
def test_an_address_is_taken(text: str) -> None:
    assert scheduler_address(text, Path()).text == text


@pytest.mark.parametrize("text", ["tcp://build:8786", "tcp://10.0.0.1:8786", "tcp://0.0.0.0:8786"])
def test_plain_tcp_to_another_machine_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not encrypted") as caught:
        scheduler_address(text, Path())
    assert "crosswheel certificates" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["build", "build:8786", "tls://build", "tls://build:x", "http://build:8786", "tls://[::1"]
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="not an address"):
        scheduler_address(text, Path())


def test_missing_certificates_are_named(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    (tmp_path / "ca.pem").touch()
    with pytest.raises(UsageError, match=r"has no client.pem and no client-key.pem"):
        scheduler_address("tls://build:8786", tmp_path).security("client")


def test_the_usual_folder_is_the_users() -> None:
    assert certificates_folder(None, {"HOME": "/home/u"}) == Path("/home/u/.config/crosswheel/certificates")
    assert certificates_folder(None, {"XDG_CONFIG_HOME": "/c"}) == Path("/c/crosswheel/certificates")
    assert certificates_folder(Path("mine"), {}) == Path("mine")
