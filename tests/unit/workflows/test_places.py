"""What users write into the marked places of a file stays, to the byte, or the file is not written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosswheel.errors import UsageError
from crosswheel.workflows.places import read_places, refuse_lost, write_place

# Without categories of Unicode, whose table hypothesis makes anew in each fresh clone, for half a minute.
LINES = st.lists(
    st.text(" \t#<>:-|{}\"'%&*!yournwjbs.é→\u3042\U0001f600\ufeff").filter(lambda line: "your own" not in line)
)


@given(LINES)
def test_a_place_keeps_its_lines(lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in lines)
    text = f"a:\n{write_place('jobs', {'jobs': content}, 2, 'jobs of your own')}\nb:\n"
    assert read_places(text, "f.yml") == {"jobs": content}


@pytest.mark.parametrize(
    "text",
    [
        "# >>> your own: jobs\n",
        "# <<< your own: jobs\n",
        "# >>> your own: jobs\n# >>> your own: more\n# <<< your own: more\n",
        "# >>> your own: jobs\n# <<< your own: jobs\n# >>> your own: jobs\n# <<< your own: jobs\n",
    ],
    ids=["no end", "no begin", "nested", "twice"],
)
def test_broken_marks_are_refused_with_their_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"f\.yml:\d: the place '\w+' does not begin and end exactly once"):
        read_places(text, "f.yml")


def test_steps_are_never_lost() -> None:
    with pytest.raises(UsageError, match="has steps of your own in before, a place that the new file lacks"):
        refuse_lost({"before": "- run: x\n", "empty": "\n"}, write_place("jobs", {}, 0, "jobs"), "f.yml")
