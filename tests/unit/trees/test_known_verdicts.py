"""Verdicts of an earlier run on the same lock."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crosswheel.model.targets import parse_target
from crosswheel.system.memo import answers_in
from crosswheel.trees.cells import cell_of
from crosswheel.trees.known_verdicts import known_verdicts
from crosswheel.trees.verdicts import Verdict

ARM = cell_of(parse_target("cp312-manylinux_2_34_aarch64"))
MUSL = cell_of(parse_target("cp312-musllinux_1_2_aarch64"))


def test_a_lock_is_judged_once_for_the_same_cells(tmp_path: Path) -> None:
    asked = []

    def judge() -> Sequence[Verdict]:
        asked.append(True)
        return [
            Verdict("a", "1.0", ARM, "wheel", "a.whl", url="https://x/a.whl"),
            Verdict("a", "1.0", MUSL, "to build"),
        ]

    answers = answers_in(tmp_path)
    first = known_verdicts("lock", [ARM, MUSL], answers, judge)
    assert known_verdicts("lock", [ARM, MUSL], answers, judge) == first == tuple(judge())
    asked.clear()
    known_verdicts("another", [ARM, MUSL], answers, judge)
    known_verdicts("lock", [MUSL, ARM], answers, judge)
    assert len(asked) == 2
