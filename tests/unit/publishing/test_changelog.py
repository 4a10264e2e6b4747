from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from crosswheel.errors import NotReleasable
from crosswheel.publishing.changelog import find_entry, read_entry

KEEP_A_CHANGELOG = """\
# Changelog

## [Unreleased]

## [1.1.0] - 2026-05-01 [YANKED]

### Added

- A thing, see `1.0`.

```console
# no heading
## 1.0.0
```

### How to come from 1.0.0

Read.

## [1.0.0] - 2026-01-01

First.

[Unreleased]: compare/v1.1.0...HEAD
[1.0.0]: tag/v1.0.0
"""
RESTRUCTURED = """\
=======
Changes
=======

.. contents::

1.1.0 (2026-05-01)
==================

Added
-----

* A thing.

.. _v1.0.0:

1.0.0
=====

First.
"""
PLAIN = """\
What is new in tiny
All of it.

Version 1.1.0, 1 May 2026

* a thing, better
  than in 1.0.0

tiny 1.0.0:

* first
"""


def body(text: str, version: str) -> str:
    return find_entry(text, Version(version))[1]


def test_an_entry_ends_where_the_next_version_begins() -> None:
    title, text = find_entry(KEEP_A_CHANGELOG, Version("1.1"))
    assert title == "[1.1.0] - 2026-05-01 [YANKED]"
    assert text.startswith("### Added\n\n- A thing, see `1.0`.\n\n```console\n# no heading\n## 1.0.0\n```")
    assert text.endswith("Read.")


def test_targets_of_links_at_the_end_belong_to_nobody() -> None:
    assert body(KEEP_A_CHANGELOG, "1.0.0") == "First."


def test_chapters_of_restructured_text() -> None:
    assert find_entry(RESTRUCTURED, Version("1.1.0")) == ("1.1.0 (2026-05-01)", "Added\n-----\n\n* A thing.")
    assert body(RESTRUCTURED, "1.0.0") == "First."


def test_any_line_may_stand_under_a_heading_and_one_across_the_page_under_a_chapter() -> None:
    text = "1.1\n~~~\n\nNews.\n\n----\n\n1.0\n~~~\n\nFirst.\n\n*****\n"
    assert [body(text, version) for version in ("1.1", "1.0")] == ["News.", "First."]


def test_lines_of_plain_text() -> None:
    assert body(PLAIN, "1.1.0") == "* a thing, better\n  than in 1.0.0"
    assert find_entry(PLAIN, Version("1.0.0")) == ("tiny 1.0.0:", "* first")


@pytest.mark.parametrize(
    "heading",
    [
        "## 1.0.0",
        "# v1.0.0 (2026-01-01)",
        "### [1.0](x/y) - today ###",
        "Version 1.0.0\n---",
        "## **1.0.0**",
        "## 2026-01-01: 1.0.0",
    ],
)
def test_many_ways_to_write_a_heading(heading: str) -> None:
    assert body(f"# Changes\n\n{heading}\n\nNews.\n", "1.0.0") == "News."


def test_the_same_version_spelled_otherwise() -> None:
    assert body("## 2.0.0-rc.1\n\nNews.\n", "2.0rc1") == "News."


@pytest.mark.parametrize("version", ["1.0", "1.0.1", "11.0.0", "1.1.0rc1"])
def test_no_other_version_will_do(version: str) -> None:
    assert find_entry("## 1.0.0.1\n\nNews.\n\n## 1.1.0\n\nMore.\n", Version(version)) == ("", "")


def test_headings_of_other_chapters_are_not_the_version_s_own() -> None:
    assert body("## 2.0\n\nNew.\n\n### Since 1.0\n\nMuch.\n\n## 1.0\n\nFirst.\n", "1.0") == "First."


@pytest.mark.parametrize("name", ["CHANGELOG.md", "Changes.rst", "NEWS", "HISTORY.txt", "releasenotes.rst"])
def test_the_usual_files_are_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("1.0\n===\n\nFirst.\n")
    entry = read_entry(tmp_path, Version("1.0"))
    assert (entry.path.name, entry.title, entry.text, entry.is_markdown) == (name, "1.0", "First.", name.endswith("md"))


def test_news_of_locks_unreleased_are_news(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text("## 1.0\n\nNo lock stays unreleased.\n")
    assert read_entry(tmp_path, Version("1.0")).text == "No lock stays unreleased."


def test_a_file_that_is_named_wins(tmp_path: Path) -> None:
    (tmp_path / "CHANGELOG.md").write_text("## 1.0\n\nWrong.\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "new.md").write_text("## 1.0\n\nRight.\n")
    assert read_entry(tmp_path, Version("1.0"), "docs/new.md").text == "Right."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("## 1.1\n\nNews.\n", "CHANGELOG.md has no entry for 1.0"),
        ("", "CHANGELOG.md has no entry for 1.0"),
        ("## 1.0\n\n## 0.9\n\nOld.\n", "the entry `1.0` in CHANGELOG.md is empty"),
        ("## 1.0 (unreleased)\n\nNews.\n", "CHANGELOG.md marks the version as unreleased: `1.0 (unreleased)`"),
        (
            "## 1.0, not released yet\n\nNews.\n",
            "CHANGELOG.md marks the version as unreleased: `1.0, not released yet`",
        ),
        ("## 1.0\n\n*(not yet released)*\n\n- News.\n", "CHANGELOG.md marks the version as unreleased: `1.0`"),
        ("1.0\n---\n\nUnreleased\n\n- News.\n", "CHANGELOG.md marks the version as unreleased: `1.0`"),
    ],
)
def test_without_an_entry_nothing_is_released(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "CHANGELOG.md").write_text(text)
    with pytest.raises(NotReleasable) as caught:
        read_entry(tmp_path, Version("1.0"))
    assert caught.value.message == message
    assert caught.value.hint


def test_without_a_changelog_nothing_is_released(tmp_path: Path) -> None:
    with pytest.raises(NotReleasable, match="no changelog found in"):
        read_entry(tmp_path, Version("1.0"))
    with pytest.raises(NotReleasable, match=r"new\.md cannot be read: No such file"):
        read_entry(tmp_path, Version("1.0"), "new.md")
