"""Reads from a source whether its build may compile, and what it needs beside a compiler for C and C++.

The patterns are in data/signs.toml.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosswheel.model.job import Need, NeedName
from crosswheel.model.targets import load_table

_LARGEST = 1 << 20  # bytes of a build file in a folder
_DEEPEST = 2  # folders around a build file that is searched: the sdist's own, and one in it
_PYPROJECT = re.compile(r"[^/]+/pyproject\.toml")
_SHOWN = 60  # characters of evidence


@dataclass(frozen=True)
class _Sign:
    """A row of data/signs.toml."""

    need: NeedName
    path: re.Pattern[str]
    pattern: re.Pattern[str] | None
    unless: re.Pattern[str] | None
    sure: bool

    def evidence(self, name: str, text: str | None) -> str:
        """Where the sign stands, as in ``meson.build: add_languages('fortran')``; empty without the sign."""
        if not self.path.fullmatch(name):
            return ""
        inside = name.partition("/")[2]
        if self.pattern is None:
            return inside
        found = self.pattern.search(text or "")
        if not text or not found or (self.unless and self.unless.search(text)):
            return ""
        line = text[text.rfind("\n", 0, found.end() - 1) + 1 :].partition("\n")[0]
        return f"{inside}: {line.strip()[:_SHOWN]}"


def needs_in(names: Collection[str], texts: Mapping[str, str]) -> tuple[Need, ...]:
    """The needs of an sdist with members `names`: one of each name, a sure one if there is any."""
    found: dict[NeedName, Need] = {}
    telling = [name for name in names if _is_sign(name)]
    for sign in _signs():
        for name in telling:
            known = found.get(sign.need)
            if (known is None or (sign.sure and not known.sure)) and (seen := sign.evidence(name, texts.get(name))):
                found[sign.need] = Need(sign.need, seen, sure=sign.sure)
    return tuple(found.values())


def compiles_nothing(names: Collection[str], texts: Mapping[str, str]) -> bool:
    """Whether the build backend of an sdist cannot compile; source code in it is then data of the package."""
    text = next((text for name, text in texts.items() if _PYPROJECT.fullmatch(name)), "")
    return any(_is_pure(row, names, text) for row in load_table("signs.toml")["pure"])


def _is_pure(row: Mapping[str, str], names: Collection[str], text: str) -> bool:
    if not re.search(row["pattern"], text, re.MULTILINE) or re.search(row["unless"], text, re.MULTILINE):
        return False
    return not any(re.fullmatch(row["without"], name) for name in names)


def needs_of_folder(folder: Path) -> tuple[Need, ...]:
    """The needs of a project's folder, from its build files there and one folder below."""
    paths = (path for pattern in ("*", "*/*") for path in folder.glob(pattern))
    names = {f"project/{path.relative_to(folder).as_posix()}": path for path in paths}
    files = {name: path for name, path in sorted(names.items()) if _is_sign(name) and path.is_file()}
    return needs_in(files, dict(_texts(files)))


def is_telling(name: str) -> bool:
    """Whether the text of that member is searched for signs."""
    return name.count("/") <= _DEEPEST and any(sign.pattern and sign.path.fullmatch(name) for sign in _signs())


def _is_sign(name: str) -> bool:
    return name.count("/") <= _DEEPEST and any(sign.path.fullmatch(name) for sign in _signs())


def _texts(files: Mapping[str, Path]) -> Iterator[tuple[str, str]]:
    for name, path in files.items():
        with path.open("rb") as file:
            yield name, file.read(_LARGEST).decode("utf-8", "replace")


@functools.cache
def version_of_signs() -> str:
    """A hash of the table: needs that were read with another one are out of date."""
    return hashlib.sha256(json.dumps(load_table("signs.toml")).encode()).hexdigest()


@functools.cache
def _signs() -> tuple[_Sign, ...]:
    return tuple(_sign(row) for row in load_table("signs.toml")["sign"])


def _sign(row: Mapping[str, Any]) -> _Sign:
    def compiled(key: str) -> re.Pattern[str] | None:
        return re.compile(str(row[key]), re.MULTILINE | re.DOTALL) if key in row else None

    return _Sign(
        row["need"], re.compile(str(row["path"])), compiled("pattern"), compiled("unless"), bool(row.get("sure"))
    )
