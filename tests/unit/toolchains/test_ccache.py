"""What ccache is told, and what it says of the compiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.toolchains.ccache import environ, hits_and_misses

# Of each compile the source, and the counters that it put up; of what was only passed on likewise.
LOG = """\
# one.c
cache_miss
direct_cache_miss
local_storage_write
preprocessed_cache_miss
# two.c
direct_cache_hit
local_storage_hit
# three.c
direct_cache_miss
preprocessed_cache_hit
# conftest
called_for_link
"""


def test_served_are_those_with_the_same_text_with_and_without_the_preprocessor(tmp_path: Path) -> None:
    (tmp_path / "compiles").write_text(LOG)

    assert hits_and_misses(tmp_path / "compiles") == (2, 1)


def test_where_nothing_was_compiled_none_were_served(tmp_path: Path) -> None:
    assert hits_and_misses(tmp_path / "compiles") == (0, 0)


@pytest.mark.parametrize("content", [b"", b"\xff\x00cache_miss\n", b"direct_cache_hit" * 1000])
def test_whatever_a_build_writes_there_is_no_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "compiles").write_bytes(content)

    assert hits_and_misses(tmp_path / "compiles") == (0, 0)


def test_a_folder_in_its_place_is_no_error(tmp_path: Path) -> None:
    assert hits_and_misses(tmp_path) == (0, 0)


def test_each_job_has_a_file_of_its_own(tmp_path: Path) -> None:
    assert environ(tmp_path / "a")["CCACHE_STATSLOG"] != environ(tmp_path / "b")["CCACHE_STATSLOG"]


def test_a_file_without_an_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "compiles").open("wb") as file:
        file.write(b"cache_miss\n")
        file.truncate(2**40)  # a hole: nothing is written

    assert hits_and_misses(tmp_path / "compiles") == (0, 1)
