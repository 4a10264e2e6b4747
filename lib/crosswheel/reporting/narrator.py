"""The output of a verb while it works: a moving display, and whole texts in between, on one stream."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, TextIO, final

from crosswheel.model.job import Event, Fact, Stage, Told
from crosswheel.reporting.console import console_for
from crosswheel.reporting.release import fact_text, stage_text
from crosswheel.reporting.run import display
from crosswheel.system.terminal import forget_typed

if TYPE_CHECKING:
    from types import TracebackType

    from crosswheel.reporting.live import LiveDisplay
    from crosswheel.reporting.plain import PlainDisplay


@final
class Narrator:
    """A listener and context manager; jobs may call it from threads."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], *, plain: bool = False) -> None:
        """`plain`: nothing moves, because another program writes to the same terminal."""
        self._stream = stream
        self._plain = plain
        self._environ = environ
        self._display: LiveDisplay | PlainDisplay | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Narrator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._still()

    def __call__(self, event: Event) -> None:
        if isinstance(event, Stage):
            self._say(stage_text(event, console_for(self._stream, self._environ)))
        elif isinstance(event, Fact):
            self._say(fact_text(event, console_for(self._stream, self._environ)))
        elif isinstance(event, Told):
            self._say(event.what.text(console_for(self._stream, self._environ)))
        else:
            self._moving()(event)

    def ask(self, question: str) -> bool:
        """Ask on the terminal. Text typed before the question is discarded."""
        forget_typed()
        self._say(question)
        return sys.stdin.readline().strip().lower() in {"y", "yes"}

    def _moving(self) -> LiveDisplay | PlainDisplay:
        with self._lock:
            if self._display is None:
                self._display = display(self._stream, self._environ, plain=self._plain)
                self._display.__enter__()
            return self._display

    def _still(self) -> None:
        with self._lock:
            if self._display is not None:
                self._display.__exit__(None, None, None)
                self._display = None

    def _say(self, text: str) -> None:
        """Write and flush: if the process is killed next, the text is out."""
        self._still()
        self._stream.write(text)
        self._stream.flush()
