"""Cached answers in the user's cache, each with the files that it depends on.

There is a file per question, in a folder per kind of question. It is written to a temporary file and renamed; a
damaged one is ignored. The files that an answer depends on are checked at each use: if one has changed, appeared or
disappeared, the question is asked again.
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

FOLDER = Path("answers")  # below the cache folder

_SCHEMA = 1
# A file changed this shortly before the check may have changed after the question, with the same time stamp.
_SETTLED = 2.0


@dataclass(frozen=True)
class Answers:
    """The answers in a folder; without a folder, nothing is kept."""

    folder: Path | None = None

    def recall(self, kind: str, *question: str) -> Any:
        """The cached answer as a JSON value, or None."""
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
        """Store an answer, unless a file may have changed since `asked`, the time of the question (time.time).

        Errors of storing are ignored.
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
    """The answers in the user's cache."""
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
    """The state of a file, which distinguishes it from earlier versions; None if it is missing."""
    try:
        found = path.stat()
    except (OSError, ValueError):  # an invalid file name
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
