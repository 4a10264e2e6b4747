"""What every verb returns: frozen, with an exit code, a document for machines and a text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crosswheel.errors import CrosswheelError
from crosswheel.report.document import Document

if TYPE_CHECKING:
    from rich.console import Console


class Result:
    """Each verb has a kind of its own, whose fields are what was found or made."""

    @property
    def exit_code(self) -> int:
        """What the command ends with: 0, or that of the class in `crosswheel.errors` that says what is wrong."""
        return 0

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return self.exit_code == 0

    @property
    def failure(self) -> CrosswheelError | None:
        """What the command ends with after it has shown the rest; None where the text says it all."""
        return None

    def document(self) -> Document:
        """What ``--json`` writes."""
        raise NotImplementedError

    def sarif(self) -> Document | None:
        """What ``--sarif`` writes; None for what has no such form."""
        return None

    def summary(self) -> str:
        """Markdown for the page of a CI run; empty for what has none."""
        return ""

    def text(self, console: Console | None = None) -> str:
        """What the command shows when it is done, as wide and as coloured as the console, or plain."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.text().rstrip("\n")
