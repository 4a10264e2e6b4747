"""The blocks of commands in the pages: what they say to type, and what the terminal then shows."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^>]+) -->\n+)?^```(?P<kind>console|sh|bash|shell)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of commands. `mark` is the comment in front of it, such as `not run: it needs a Docker Engine`."""

    page: str
    line: int
    mark: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command with the lines that it shows; of a script without a prompt, each line is a command."""
        if not self.text.startswith("$ "):
            return [(line, []) for line in self.text.splitlines()]
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [(first, shown) for first, *shown in (part.rstrip("\n").split("\n") for part in parts)]


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text("utf-8")
        for found in _BLOCK.finditer(text):
            line = text.count("\n", 0, found.start("kind")) + 1
            yield Block(page.name, line, (found["mark"] or "").strip(), found["text"])


def shows(output: str, lines: list[str]) -> bool:
    """Whether these lines are there, one right after the other; `...` is anything, in a line or instead of lines."""
    pattern = "\n".join(re.escape(line).replace(re.escape("..."), ".*?") for line in lines)
    return re.search(rf"^{pattern}$", output, re.MULTILINE | re.DOTALL) is not None


def without_numbers(text: str) -> str:
    """The text with `#` for what differs from run to run: times, sizes, hashes, and the blanks that align them."""
    text = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,64}\b", "#", text)
    text = re.sub(r"h[0-9a-f]{7}_", "h#_", text)  # the build string of a conda package
    text = re.sub(r"\b\d+(?:\.\d+)? (?:s|bytes|B|[KMG]iB)\b", "#", text)
    return re.sub(r"[░▒█▓ ]{2,}", " ", text)


def user_environ(home: Path, cache: Path) -> dict[str, str]:
    """The environment of a user who has nothing but this Python, and no colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOX", "PYTEST", "TWINE"))}
    return {
        **kept,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "CROSSWHEEL_CACHE": str(cache),
        "HOME": str(home),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
