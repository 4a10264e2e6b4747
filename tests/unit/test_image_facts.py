"""The table of what the engines rely on in pypa's images names files and texts that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LIBRARY = TESTS.parent / "lib" / "crosswheel"
ROWS = [
    re.split(r" \| ", row.strip("| "))
    for row in (TESTS / "containers" / "images.md").read_text("utf-8").splitlines()
    if row.startswith("| ") and not row.startswith("| fact |")
]
# `a/file.py`: `a text in it`
_REFERENCE = re.compile(r"`([\w./-]+\.(?:c|py|toml))`: `([^`]+)`")
_THEIRS = re.compile(r"(`(?:\.\./)?[\w./-]+:\d+`)( `(?:\.\./)?[\w./-]+:\d+`)*")


def assert_there(cell: str, folder: Path) -> None:
    found = _REFERENCE.findall(cell)
    assert found, cell
    for path, text in found:
        assert text in (folder / path).read_text("utf-8"), f"{path} has no {text!r} any more: mend the table"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:60])
def test_what_a_row_names_is_there(row: list[str]) -> None:
    _, ours, theirs, here = row
    assert_there(ours, LIBRARY)
    assert _THEIRS.fullmatch(theirs)
    if not here.startswith("no stand-in: "):
        assert_there(here, TESTS)
