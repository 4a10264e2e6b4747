"""What Cargo is told of a target."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from crosswheel.model.targets import parse_target
from crosswheel.toolchains.rust import cargo_environ, rust_target


@pytest.mark.parametrize(
    ("target", "triple"),
    [
        ("cp313-manylinux2014_aarch64", "aarch64-unknown-linux-gnu"),
        ("cp313-musllinux_1_2_aarch64", "aarch64-unknown-linux-musl"),
        ("cp313-manylinux_2_31_armv7l", "armv7-unknown-linux-gnueabihf"),
        ("cp313-manylinux2014_ppc64le", "powerpc64le-unknown-linux-gnu"),
        ("cp313-manylinux_2_39_riscv64", "riscv64gc-unknown-linux-gnu"),
    ],
)
def test_targets_have_the_names_that_rustup_knows(target: str, triple: str) -> None:
    assert rust_target(parse_target(target)) == triple


def test_the_target_and_this_machine_have_a_linker_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert cargo_environ(parse_target("cp313-manylinux2014_aarch64"), Path("/bin")) == {
        "CARGO_BUILD_TARGET": "aarch64-unknown-linux-gnu",
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER": "/bin/cc",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER": "/bin/build-cc",
    }
