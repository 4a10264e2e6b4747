"""The result of a verb: frozen, with an exit code, a document for machines and a text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosswheel.errors import CrosswheelError
from crosswheel.reporting.document import Document

if TYPE_CHECKING:
    from rich.console import Console


class Result:
    """Base of the results; each verb has its own subclass with its own fields."""

    @property
    def exit_code(self) -> int:
        """The exit code of the command: 0, or the code of a class in `crosswheel.errors`."""
        return 0

    @property
    def ok(self) -> bool:
        """Whether the exit code is 0."""
        return self.exit_code == 0

    @property
    def failure(self) -> CrosswheelError | None:
        """An error that the command raises after it has shown the result; usually None."""
        return None

    def document(self) -> Document:
        """The document of ``--json``."""
        raise NotImplementedError

    def sarif(self) -> Document | None:
        """The document of ``--sarif``; None if the verb has none."""
        return None

    def summary(self) -> str:
        """Markdown for the summary page of a CI run; empty if the verb has none."""
        return ""

    def text(self, console: Console | None = None) -> str:
        """The text that the command shows, in the width and colours of the console; plain without one."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text().rstrip("\n")
