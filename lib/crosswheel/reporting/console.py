"""A rich console for a stream: colours where they are wanted, no wrapped lines in files and CI logs.

All text leaves through it: what it draws passes a Guard, even if a caller forgot to clean it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TextIO

from crosswheel.reporting.streams import GuardedErrors
from crosswheel.reporting.untrusted import Guard
from crosswheel.reporting.wording import COMMAND, Line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderResult

UNWRAPPED = 10_000


def console_for(stream: TextIO, environ: Mapping[str, str]) -> Console:
    """A console with the width and colours of the stream; `environ` may set NO_COLOR, FORCE_COLOR, TERM and COLUMNS."""
    from rich.console import Console, RenderHook

    class Border(RenderHook):
        def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
            return [Guarded(*renderables)]

    if isinstance(stream, GuardedErrors):
        stream = stream.stream
    if isinstance(stream, io.TextIOWrapper):
        # Characters that the terminal's encoding lacks must not end the run.
        stream.reconfigure(errors="backslashreplace")
    console = Console(
        file=stream,
        width=None if stream.isatty() else UNWRAPPED,
        markup=False,
        emoji=False,
        highlight=False,
        _environ=environ,
    )
    console.push_render_hook(Border())
    return console


class Guarded:
    """Renderables whose text may come from untrusted sources: each segment passes a Guard."""

    def __init__(self, *parts: RenderableType) -> None:
        self._parts = parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        guard = Guard()
        for part in self._parts:
            for segment in console.render(part, options):
                # Control codes come from rich itself; texts have none.
                yield segment if segment.control else Segment(guard(segment.text), segment.style)


def plain_console() -> Console:
    """A console for text that goes into a string: no colours, no width limit."""
    return console_for(io.StringIO(), {})


def styled(lines: Iterable[Line]) -> list[RenderableType]:
    """Lines as renderables; a wrapped line keeps its indentation, and commands are never wrapped."""
    from rich.padding import Padding
    from rich.text import Text

    return [
        Text(line, style, no_wrap=True, overflow="ignore")
        if style == COMMAND
        else Padding(Text(line.lstrip(), style), (0, 0, 0, len(line) - len(line.lstrip())), expand=False)
        for style, line in lines
    ]
