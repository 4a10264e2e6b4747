"""What the runs found, a row per project, in a JSON file that is whole after each of them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """Seconds are 0 if a build did not end, or was not made; `tested` says how.

    `failed` is what went wrong, in the tool's words; `published` if the wheel for this machine is the project's own.
    """

    name: str
    version: str
    backend: str
    verdict: str
    native_seconds: float = 0.0
    seconds: float = 0.0
    engine: str = ""
    runtime: str = ""
    tested: str = ""
    failed: str = ""
    notes: tuple[str, ...] = ()
    published: bool = False


# Verdicts, the best first.
SAME = "same answer"
REFUSED = "refused"
NOT_NATIVE = "not built natively either"
BUILD_FAILED = "build failed"
WRONG = "wrong wheel"


def read(path: Path) -> dict[str, Row]:
    """The rows by ``NAME==VERSION``; none if there is no file."""
    if not path.is_file():
        return {}
    rows = [Row(**{**row, "notes": tuple(row["notes"])}) for row in json.loads(path.read_text())]
    return {f"{row.name}=={row.version}": row for row in rows}


_ADDRESS = re.compile(r"https?://\S+")
_FOLDERS = re.compile(r"(?:(?<![\w.])|(?<=-[IL]))/(?:[^\s/'\":,]+/)+")
_MOST = 6  # lines


def plain(words: str) -> str:
    """The telling lines of a failure, without folders of this machine and without addresses."""
    lines = words.splitlines()
    if len(lines) > _MOST:
        lines = [lines[0], *[line for line in lines[1:] if re.search(r"\berror: |\w+Error: |not found", line)][:3]]
    return "\n".join(_FOLDERS.sub("", _ADDRESS.sub("...", line.strip())) for line in lines)


def write(rows: dict[str, Row], path: Path) -> None:
    draft = path.with_suffix(f".{os.getpid()}")
    ordered = [replace(row, failed=plain(row.failed)) for row in sorted(rows.values(), key=lambda row: row.name)]
    draft.write_text(json.dumps([asdict(row) for row in ordered], indent=1) + "\n")
    draft.replace(path)
