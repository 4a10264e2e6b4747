"""The platforms that are judged where none is named."""

from __future__ import annotations

from crosswheel.model.options import options
from crosswheel.trees.cells import usual_platforms


def test_the_session_of_an_architecture_judges_what_the_option_does_by_itself() -> None:
    assert list(usual_platforms(["aarch64"])) == options()["platforms"].default
    assert usual_platforms(["riscv64"]) == ("manylinux_2_34_riscv64", "musllinux_1_2_riscv64")
