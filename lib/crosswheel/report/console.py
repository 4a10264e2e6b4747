"""A rich console for a stream: colours where they are wanted, and never a wrapped line in a file or a CI log."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TextIO

from crosswheel.report.wording import COMMAND, Line

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

UNWRAPPED = 10_000


def console_for(stream: TextIO, environ: Mapping[str, str]) -> Console:
    """The stream's own width and colours; `environ` may hold NO_COLOR, FORCE_COLOR, TERM and COLUMNS."""
    from rich.console import Console

    if isinstance(stream, io.TextIOWrapper):
        # A build log in another language must not end the run on a terminal that cannot show it.
        stream.reconfigure(errors="backslashreplace")
    return Console(
        file=stream,
        width=None if stream.isatty() else UNWRAPPED,
        markup=False,
        emoji=False,
        highlight=False,
        _environ=environ,
    )


def plain_console() -> Console:
    """For text that goes into a string: no colours, no width."""
    return console_for(io.StringIO(), {})


def styled(lines: Iterable[Line]) -> list[RenderableType]:
    """Each line keeps its indentation where it is wrapped, except commands, which are printed with `crop=False`."""
    from rich.padding import Padding
    from rich.text import Text

    return [
        Text(line, style, no_wrap=True, overflow="ignore")
        if style == COMMAND
        else Padding(Text(line.lstrip(), style), (0, 0, 0, len(line) - len(line.lstrip())), expand=False)
        for style, line in lines
    ]
