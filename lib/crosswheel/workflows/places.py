"""The marked places of a generated file: what a user writes into them stays when the file is written again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from crosswheel.errors import UsageError

_BEGIN = re.compile(r"\s*# >>> your own: ([a-z-]+)\b.*")
_END = re.compile(r"\s*# <<< your own: ([a-z-]+)\s*")


def read_places(text: str, path: str) -> dict[str, str]:
    """The lines in each place by its name, as they stand. Raises UsageError for a place that does not end."""
    places: dict[str, str] = {}
    name, lines = "", list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if begin := _BEGIN.fullmatch(line):
            if name or begin[1] in places:
                raise _broken(path, number, begin[1])
            name, lines = begin[1], []
        elif end := _END.fullmatch(line):
            if end[1] != name:
                raise _broken(path, number, end[1])
            places[name], name = "".join(f"{one}\n" for one in lines), ""
        elif name:
            lines.append(line)
    if name:
        raise _broken(path, len(text.splitlines()), name)
    return places


def write_place(name: str, places: Mapping[str, str], indent: int, what: str) -> str:
    """The two lines of a place, with what it had between them. `what` says what belongs there."""
    margin = " " * indent
    return f"{margin}# >>> your own: {name} ({what})\n{places.get(name, '')}{margin}# <<< your own: {name}"


def refuse_lost(places: Mapping[str, str], text: str, path: str) -> None:
    """Raise UsageError if `text` lacks a place that was filled."""
    kept = read_places(text, path)
    if lost := [name for name, content in places.items() if content.strip() and name not in kept]:
        raise UsageError(
            f"{path} has steps of your own in {', '.join(lost)}, a place that the new file lacks: they would be lost",
            hint=f"move them into one of: {', '.join(kept)}",
        )


def _broken(path: str, number: int, name: str) -> UsageError:
    return UsageError(
        f"{path}:{number}: the place {name!r} does not begin and end exactly once",
        hint=f"correct the lines '# >>> your own: {name}' and '# <<< your own: {name}'",
    )
