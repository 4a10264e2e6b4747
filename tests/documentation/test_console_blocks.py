"""Every command that a page shows is run by a test, or the page says in front of it why not."""

from __future__ import annotations

import re

import pytest

from console_blocks import ROOT, Block, blocks, shows, without_numbers
from documentation_scenes import SCENES

BLOCKS = list(blocks())
MARKS = r"not run: .{10,}|run by \S+\.py|not compared: .{10,}"


@pytest.mark.parametrize("block", BLOCKS, ids=[block.place for block in BLOCKS])
def test_a_block_is_run_or_says_why_not(block: Block) -> None:
    assert block.commands, "it shows no command: call it text"
    assert not block.mark or re.fullmatch(MARKS, block.mark), "a comment in front of a block has one of these forms"
    assert not [path for path in re.findall(r"tests/\S+\.py", block.mark) if not (ROOT / path).exists()]
    if block.mark.startswith("run by"):
        test = ROOT / block.mark.removeprefix("run by ")
        assert block.page in test.read_text(), "that test does not name the page"
    elif not block.mark.startswith("not run"):
        assert block.page in SCENES, "documentation_scenes.py has no scene for it: test_commands.py would not run it"


def test_every_scene_has_a_page_whose_commands_are_run() -> None:
    assert set(SCENES) == {block.page for block in BLOCKS if not re.match("not run|run by", block.mark)}


def test_what_differs_from_run_to_run_is_not_compared() -> None:
    shown = "✔ tiny.whl   2.1 KiB  5ba405641267\n...\n2 files · 0.7 s"
    found = "✔ tiny.whl  13.8 KiB  8b43c5641aaa\nmore\nand more\n2 files · 12.5 s"
    assert shows(without_numbers(found), without_numbers(shown).split("\n"))
    assert not shows(without_numbers(found.replace("2 files", "3 files")), without_numbers(shown).split("\n"))
