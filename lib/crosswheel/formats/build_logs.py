"""Explains failed builds from their output, by the patterns in data/failures.toml.

The output is untrusted text: `evidence`, and names in the sentences, are cleaned by reporting/ before they are shown.
"""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.model.targets import load_table

HERE = "here"
"""The place of work on this machine and for it: sdists."""

_LARGEST = 256 * 1024  # bytes from the end of a log
_LONGEST = 500  # characters of a line; longer lines are command lines, which explain nothing
_SHOWN = 300
_ATTEMPTS = 20  # matching lines for which the second line is searched
_BYTES = re.compile(r"""\bb["'].*\\n""")
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


@dataclass(frozen=True)
class Explanation:
    """An explained failure: its `kind` in the table, the meaning, the line as evidence, and the next step, if any."""

    kind: str
    means: str
    evidence: str
    hint: str


@dataclass(frozen=True)
class _Signature:
    """A row of data/failures.toml."""

    kind: str
    pattern: re.Pattern[str]
    also: str
    means: str
    next: Mapping[str, str]
    rest: bool = False

    def last(self, output: str) -> re.Match[str] | None:
        latest = reversed(deque(self.pattern.finditer(output), maxlen=_ATTEMPTS))
        return next((match for match in latest if self._has_the_other_line(match, output)), None)

    def _has_the_other_line(self, match: re.Match[str], output: str) -> bool:
        if not self.also:
            return True
        other = self.also.replace("{name}", re.escape(_name(match)))
        return re.search(other, output, re.MULTILINE) is not None

    def advice(self, place: str) -> str:
        """The advice for a place: an engine's own, or the common one of engines with images."""
        return next((self.next[name] for name in (place, *_ELSE.get(place, _CONTAINERS)) if name in self.next), "")


_CONTAINERS = ("image", "all")
_ELSE = {"cross": ("all",), HERE: ("all",)}


def explain(output: str, place: str, arch: str = "") -> Explanation | None:
    """Explain a failure by the last match in `output`; None without a match.

    `place` is the place of the build: an engine's name, or HERE.
    """
    lines = "\n".join(_unquoted(line) for line in _ESCAPE.sub("", output).splitlines()).splitlines()
    text = "\n".join(line[:_LONGEST] for line in lines)
    found = [(not sign.rest, _line_start(text, match), -row, match, sign) for row, sign, match in _matches(text)]
    if not found:
        return None
    _, start, _, match, sign = max(found, key=lambda it: it[:3])
    words = {"name": _name(match), "arch": arch or "this machine"}
    line = text[start : text.find("\n", start) if "\n" in text[start:] else None]
    means, hint = sign.means.format_map(words), sign.advice(place).format_map(words)
    if package := _system_packages().get(re.sub(r"-dev(el)?$", "", words["name"])):
        known = package["apt"] if place == HERE else package["yum"]
        hint = f"{hint.replace('PACKAGE', known)}. The package is {known}{_on_alpine(package, place)}"
    return Explanation(sign.kind, means, line.strip()[:_SHOWN], hint)


def _unquoted(line: str) -> str:
    r"""The lines that a program captured and printed as Python's bytes, in one: ``b'make: ...\n'``."""
    return line.replace("\\n", "\n") if _BYTES.search(line) else line


def end_of(log: Path) -> str:
    """The end of a log that is searched."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LARGEST))
        return file.read(_LARGEST).decode(errors="replace")


def _matches(text: str) -> Iterator[tuple[int, _Signature, re.Match[str]]]:
    for row, sign in enumerate(_signatures()):
        if match := sign.last(text):
            yield row, sign, match


def _on_alpine(package: Mapping[str, str], place: str) -> str:
    return "" if place == HERE else f", on musllinux {package['apk']}"


@functools.cache
def _system_packages() -> Mapping[str, Mapping[str, str]]:
    """The packages by each name that messages have for their headers and libraries."""
    rows = load_table("system-packages.toml")["package"]
    return {name: row for row in rows for name in row["finds"]}


def _line_start(text: str, match: re.Match[str]) -> int:
    return text.rfind("\n", 0, match.start()) + 1


def _name(match: re.Match[str]) -> str:
    """The missing or refused thing: the group `name` of a pattern, if it has one."""
    named = (value for key, value in match.groupdict().items() if key.startswith("name") and value)
    words = next(named, "").split()
    # The quotes of a sentence are its own.
    return " ".join(words) if len(words) > 1 else "".join(words).strip("'\"`")


@functools.cache
def _signatures() -> tuple[_Signature, ...]:
    return tuple(_signature(row) for row in load_table("failures.toml")["failure"])


def _signature(row: Mapping[str, object]) -> _Signature:
    patterns, advice = row["patterns"], row["next"]
    assert isinstance(patterns, list)  # noqa: S101 - a test reads every row
    assert isinstance(advice, dict)  # noqa: S101
    numbered = (pattern.replace("(?P<name>", f"(?P<name{at}>") for at, pattern in enumerate(patterns))
    pattern = re.compile("|".join(f"(?:{each})" for each in numbered), re.MULTILINE)
    also, rest = str(row.get("also", "")), bool(row.get("rest"))
    return _Signature(str(row["kind"]), pattern, also, str(row["means"]), advice, rest)
