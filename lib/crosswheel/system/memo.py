"""What was asked before and can have no other answer: kept in the user's cache with all that it rests on.

A file for each question, below a folder for each kind of question. It is written beside its place and renamed; one
that is damaged is as good as none. What an answer rests on are files: they are looked at each time, as they would be
asked, and where one has changed in any way, or has come or gone, the question is asked anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosswheel import __version__
from crosswheel.system.locks import mark_used

FOLDER = Path("answers")  # in the cache

_SCHEMA = 1
# What changed so shortly before it was looked at may have changed after it was asked, and shows the same time.
_SETTLED = 2.0


@dataclass(frozen=True)
class Answers:
    """Those in a folder; in none, where nothing is kept."""

    folder: Path | None = None

    def recall(self, kind: str, *question: str) -> Any:
        """The answer as JSON has it; None where nobody knows."""
        place = self._place(kind, question)
        if place is None:
            return None
        kept = _read(place)
        if kept is None or any(_state(Path(path)) != state for path, state in kept["rests_on"].items()):
            return None
        mark_used(place)
        return kept["answer"]

    def keep(
        self, answer: Any, kind: str, *question: str, asked: float = 0.0, rests_on: Iterable[str | Path] = ()
    ) -> None:
        """Remember it, unless a file may have changed after it was asked, at `asked` (as time.time has it).

        That this is not possible is no reason to fail.
        """
        place = self._place(kind, question)
        states = {str(path): _state(Path(path)) for path in rests_on}
        if place is None or any(state and max(state[2:]) > (asked - _SETTLED) * 1e9 for state in states.values()):
            return
        text = json.dumps({"schema": _SCHEMA, "answer": answer, "rests_on": states})
        with suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=place.parent, prefix=".making-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(f"{_seal(text)}\n{text}\n")
            Path(draft).replace(place)

    def _place(self, kind: str, question: tuple[str, ...]) -> Path | None:
        name = hashlib.sha256(json.dumps([__version__, *question]).encode()).hexdigest()[:32]
        return self.folder / kind / name if self.folder else None


def answers_in(cache: Path) -> Answers:
    """The user's own."""
    return Answers(cache / FOLDER)


def _read(place: Path) -> dict[str, Any] | None:
    try:
        seal, _, text = place.read_text("utf-8").rstrip("\n").partition("\n")
        kept: dict[str, Any] = json.loads(text) if seal == _seal(text) else {}
    except (OSError, ValueError):
        return None
    return kept if kept.get("schema") == _SCHEMA else None


def _seal(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _state(path: Path) -> list[int] | None:
    """What tells a file from all that were ever there before; None where there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # of a name that no file can have
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
