from __future__ import annotations

import pytest

from crosswheel.reporting.untrusted import clean, lines, one_line


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain — déjà ✔", "plain — déjà ✔"),
        ("\x1b[1;31mred\x1b[0m\x1b[K", "red"),
        ("\x1b]8;;https://e.example\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1b]0;never ended", ""),
        ("\x1bP1$r\x1b\\x\x1b(B\x1bc", "x"),
        ("\x1b\x1b[[31m31mx", "31m31mx"),
        ("a\x00b\x08c\x7fd\x9be", "abcde"),
        ("a\u202eb\u2066c\u200bd\u2028e\udce9f", "abcdef"),
        ("10%\r20%\r\n", "20%"),
        ("a\tb", "a       b"),
        ("##vso[x] ##[y] ## [z] #[w]", "# #vso[x] # #[y] ## [z] #[w]"),
        ("##\x00[error]x", "# #[error]x"),
    ],
)
def test_clean(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\n b\r\n\n c", "a b c"),
        ("::error::x and ::warning::y but std::vector", ": :error::x and : :warning::y but std::vector"),
        ("x" * 2001, "x" * 1999 + "…"),
        ("x" * 2000, "x" * 2000),
        ("", ""),
    ],
)
def test_one_line(raw: str, shown: str) -> None:
    assert one_line(raw) == shown


def test_lines_keep_their_indentation() -> None:
    assert list(lines("first\n  second  half\n\n\t::third")) == ["first", "  second half", "", "        : :third"]
