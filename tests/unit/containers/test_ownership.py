from __future__ import annotations

import pytest

from crosswheel.containers.ownership import as_instructions


def test_labels_are_written_as_a_dockerfile_has_them() -> None:
    assert as_instructions({"io.crosswheel": "environment", "io.crosswheel.run": ""}) == [
        'LABEL "io.crosswheel"="environment"',
        'LABEL "io.crosswheel.run"=""',
    ]


@pytest.mark.parametrize("value", ['a "quoted" one', "back\\slash", "$HOME", "one\nRUN two"])
def test_what_engines_read_differently_is_no_label(value: str) -> None:
    with pytest.raises(ValueError, match="labels with quotes or backslashes"):
        as_instructions({"io.crosswheel.project": value})
