"""What a build went on without, from the notes of toolchains/: extensions, programs, headers and libraries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from crosswheel.formats.build_logs import end_of, explain

NOT_COMPILED = "W605"
"""The code of the audit rule for extensions that a project declares and its wheel lacks."""

NOT_RUN = "W607"
"""The code of the audit rule for programs that the build compiled and could not run."""

NOT_THERE = "W608"
"""The code of the audit rule for headers and libraries that a build asked for, and only this machine has."""

_LARGEST = 256 * 1024  # bytes read of the notes, which a build may fill without limit
_MOST = 100
_SHOWN = 300  # characters of an error's text, which may contain command lines
_RULES = {"program": NOT_RUN, "lacks": NOT_THERE, "name": NOT_COMPILED}
_FOUND = {
    NOT_RUN: "a program of {arch}, and none runs here",
    NOT_THERE: "this machine has it, and what is known of {arch} does not",
}
_TAKEN_OFF = "the project's build removed it from its list of extensions"


@dataclass(frozen=True)
class Uncompiled:
    """An extension by its dotted name, the reason why it was not compiled, and a remedy (may be empty).

    With the rule NOT_RUN, `name` is the file name of a program; with NOT_THERE, a header or the name of a library.
    """

    name: str
    reason: str
    hint: str = ""
    rule: str = NOT_COMPILED


def read_uncompiled(notes: Path, log: Path, members: Iterable[str], place: str, arch: str) -> tuple[Uncompiled, ...]:
    """The noted extensions that the wheel lacks; a second attempt of the build may have compiled others.

    `members` are the wheel's; `place` and `arch` are as in `explain`.
    """
    if not notes.is_file() or notes.is_symlink():
        return ()
    there = {_module(member) for member in members}
    missing: dict[str, str] = {}
    others: dict[tuple[str, str], Uncompiled] = {}
    for name, why, rule in _rows(notes):
        if rule in _FOUND:
            others[name, rule] = Uncompiled(name, _FOUND[rule].format(arch=arch), rule=rule)
        elif name not in there:
            missing[name] = why or missing.get(name, "")
    output = end_of(log) if missing else ""
    found = (
        _explained(name, why, _part_about(name, output) or (output if len(missing) == 1 else ""), place, arch)
        for name, why in list(missing.items())[:_MOST]
    )
    return (*found, *list(others.values())[:_MOST])


def _module(member: str) -> str:
    """``a/b.cpython-313-aarch64-linux-gnu.so`` -> ``a.b``; empty for other files."""
    folder, _, file = member.rpartition("/")
    name, _, suffix = file.partition(".")
    return ".".join([*filter(None, folder.split("/")), name]) if suffix.endswith("so") else ""


def _rows(notes: Path) -> Iterator[tuple[str, str, str]]:
    """Names, reasons and rules."""
    with notes.open("rb") as file:
        text = file.read(_LARGEST).decode(errors="replace")
    for line in text.splitlines():
        # Any program of the build may have written there.
        with suppress(ValueError, TypeError, KeyError, StopIteration, RecursionError):
            row = json.loads(line)
            key = next(key for key in _RULES if key in row)
            yield str(row[key])[:_SHOWN], str(row["why"]) if key == "name" else "", _RULES[key]


def _part_about(name: str, output: str) -> str:
    """The part of a setuptools log about one extension, up to the begin of the next."""
    _, begun, rest = output.rpartition(f"building '{name}' extension\n")
    return f"\n{rest}".partition("\nbuilding '")[0] if begun else ""


def _explained(name: str, why: str, output: str, place: str, arch: str) -> Uncompiled:
    found = explain(output, place, arch)
    if found:
        return Uncompiled(name, f"{found.means}: {found.evidence}", found.hint)
    first = why.strip().partition("\n")[0]
    return Uncompiled(name, first[:_SHOWN] or _TAKEN_OFF)
