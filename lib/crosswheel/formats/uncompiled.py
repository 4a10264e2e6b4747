"""What a build went on without: extensions and programs, from the notes of toolchains/inside/ (uncompiled, unrun)."""

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

_LARGEST = 256 * 1024  # bytes read of the notes, which a build may fill without limit
_MOST = 100
_SHOWN = 300  # characters of an error's text, which may contain command lines
_TAKEN_OFF = "the project's build removed it from its list of extensions"


@dataclass(frozen=True)
class Uncompiled:
    """An extension by its dotted name, the reason why it was not compiled, and a remedy (may be empty).

    With the rule NOT_RUN, `name` is the file name of a program.
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
    unrun: dict[str, Uncompiled] = {}
    for name, why, is_program in _rows(notes):
        if is_program:
            unrun[name] = Uncompiled(name, f"a program of {arch}, and none runs here", rule=NOT_RUN)
        elif name not in there:
            missing[name] = why or missing.get(name, "")
    output = end_of(log) if missing else ""
    found = (
        _explained(name, why, _part_about(name, output) or (output if len(missing) == 1 else ""), place, arch)
        for name, why in list(missing.items())[:_MOST]
    )
    return (*found, *list(unrun.values())[:_MOST])


def _module(member: str) -> str:
    """``a/b.cpython-313-aarch64-linux-gnu.so`` -> ``a.b``; empty for other files."""
    folder, _, file = member.rpartition("/")
    name, _, suffix = file.partition(".")
    return ".".join([*filter(None, folder.split("/")), name]) if suffix.endswith("so") else ""


def _rows(notes: Path) -> Iterator[tuple[str, str, bool]]:
    """Names, reasons, and whether each is a program."""
    with notes.open("rb") as file:
        text = file.read(_LARGEST).decode(errors="replace")
    for line in text.splitlines():
        # Any program of the build may have written there.
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            row = json.loads(line)
            if "program" in row:
                yield str(row["program"])[:_SHOWN], "", True
            else:
                yield str(row["name"])[:_SHOWN], str(row["why"]), False


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
