"""Untrusted text (log lines, file names, error messages), made safe for terminals and CI logs."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from crosswheel.errors import CrosswheelError

# ECMA-48 control sequences: CSI; OSC, DCS, SOS, PM and APC with their payload; the short escapes.
_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"
    r"|\x1b[ -/]*[0-~]"
)
# CI runners obey the older commands, `##[add-mask]` and `##vso[task.setvariable]`, anywhere in a line.
_HASH_COMMAND = re.compile(r"##(?=\w*\[)")
_COLON_COMMAND = re.compile(r"(?<!\S)::")
# Compiler command lines can be very long, and wrapping can put any part of one at the start of a line.
_LONGEST = 2000


def clean(line: str) -> str:
    """One line as a terminal shows it in the end: no escapes, no invisible characters, no `##[command]`."""
    return _visible(_ESCAPE_SEQUENCE.sub("", line).rstrip("\r\n").rpartition("\r")[2].expandtabs())


def one_line(text: str) -> str:
    """Any text as a single line that cannot start a `::workflow command::`, even where it is wrapped."""
    joined = " ".join(word for part in text.splitlines() for word in clean(part).split())
    calm = _COLON_COMMAND.sub(": :", joined)
    return calm if len(calm) <= _LONGEST else calm[: _LONGEST - 1] + "…"


def lines(text: str) -> Iterator[str]:
    """The lines of a message, each cleaned by `one_line`, with its indentation."""
    for part in text.splitlines():
        shown = clean(part)
        yield " " * (len(shown) - len(shown.lstrip())) + one_line(shown)


def error_text(error: BaseException) -> str:
    """The text of an error that ends a run: its message, or the traceback of an unexpected exception."""
    if isinstance(error, CrosswheelError):
        return "\n".join(lines(str(error)))
    told = lines("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    return "\n".join(["this is a bug in crosswheel: please report it with these lines", *told])


@dataclass
class Guard:
    """Cleans a stream of text piece by piece: the last line of defence for text that was not cleaned before.

    It remembers whether it is at the start of a line: a `::workflow command::` counts only there.
    """

    _fresh: bool = True

    def __call__(self, text: str) -> str:
        return "\n".join(self._guarded(line, first=not number) for number, line in enumerate(text.split("\n")))

    def _guarded(self, part: str, *, first: bool) -> str:
        fresh = self._fresh or not first
        shown = _visible(_ESCAPE_SEQUENCE.sub("", part.expandtabs() if fresh else part.replace("\t", " ")))
        begun = shown.lstrip()
        self._fresh = fresh and not begun
        if fresh and begun.startswith("::"):
            return f"{shown[: len(shown) - len(begun)]}: {begun[1:]}"
        return shown


def _visible(text: str) -> str:
    """The text without invisible characters, and with `##[command]` broken up."""
    return _HASH_COMMAND.sub("# #", text if text.isprintable() else "".join(filter(str.isprintable, text)))
