"""Text that others wrote (log lines, file names, error messages), made safe to show on a terminal and in a CI log."""

from __future__ import annotations

import re
from collections.abc import Iterator

# ECMA-48 control sequences: CSI; OSC, DCS, SOS, PM and APC with their payload; the short escapes.
_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"
    r"|\x1b[ -/]*[0-~]"
)
# The older commands of CI runners, `##[add-mask]` and `##vso[task.setvariable]`, count anywhere in a line.
_HASH_COMMAND = re.compile(r"##(?=\w*\[)")
_COLON_COMMAND = re.compile(r"(?<!\S)::")
# Compiler command lines can be enormous, and wrapping one puts any part of it at the start of a line.
_LONGEST = 2000


def clean(line: str) -> str:
    """One line as a terminal would finally show it: no escapes, no invisible characters, no `##[command]`."""
    shown = _ESCAPE_SEQUENCE.sub("", line).rstrip("\r\n").rpartition("\r")[2].expandtabs()
    visible = "".join(char for char in shown if char.isprintable())
    return _HASH_COMMAND.sub("# #", visible)


def one_line(text: str) -> str:
    """Any text as a single line that starts no `::workflow command::`, wherever it is wrapped."""
    joined = " ".join(word for part in text.splitlines() for word in clean(part).split())
    calm = _COLON_COMMAND.sub(": :", joined)
    return calm if len(calm) <= _LONGEST else calm[: _LONGEST - 1] + "…"


def lines(text: str) -> Iterator[str]:
    """The lines of a message, each as `one_line` makes it but with its indentation."""
    for part in text.splitlines():
        shown = clean(part)
        yield " " * (len(shown) - len(shown.lstrip())) + one_line(shown)
