"""What the go command is told of a target."""

from __future__ import annotations

import pytest

from crosswheel.model.targets import parse_architecture
from crosswheel.toolchains.go import go_environ


@pytest.mark.parametrize(
    ("arch", "told"),
    [
        ("aarch64", {"GOARCH": "arm64"}),
        ("armv7l", {"GOARCH": "arm", "GOARM": "7"}),
        ("i686", {"GOARCH": "386"}),
        ("ppc64le", {"GOARCH": "ppc64le"}),
        ("s390x", {"GOARCH": "s390x"}),
        ("riscv64", {"GOARCH": "riscv64"}),
    ],
)
def test_go_compiles_for_the_target_with_c(arch: str, told: dict[str, str]) -> None:
    assert go_environ(parse_architecture(arch)) == {"GOOS": "linux", "CGO_ENABLED": "1", **told}
