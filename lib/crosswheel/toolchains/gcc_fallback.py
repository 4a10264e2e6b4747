"""The commands of a build that clang could not serve: the driver in containers gave them to the image's own gcc.

The driver notes each command of a compiler in a file: ``clang SECONDS`` or ``gcc SECONDS`` (driver/clang/serve.c).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_MOST = 16 * 1024 * 1024  # bytes read of the notes, to which any build may write without limit


@dataclass(frozen=True)
class Commands:
    """The number of all noted commands, of those by gcc, and the seconds of these."""

    all: int = 0
    by_gcc: int = 0
    gcc_seconds: float = 0.0


def notes_to(path: Path) -> dict[str, str]:
    """The variable that names the file of notes; the driver makes the file in a folder that exists."""
    return {"CROSSWHEEL_COMMANDS": str(path)}


def commands_in(path: Path) -> Commands:
    """What the file says; lines of another form, which a build may have written, are left out."""
    if not path.is_file():
        return Commands()
    with path.open("rb") as file:
        noted = [words for line in file.read(_MOST).splitlines() if len(words := line.split()) == 2]  # noqa: PLR2004
    seconds = [float(word) for name, word in noted if name == b"gcc" and word.replace(b".", b"", 1).isdigit()]
    return Commands(len(noted), len(seconds), round(sum(seconds), 3))
