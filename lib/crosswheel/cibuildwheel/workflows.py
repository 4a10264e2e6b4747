"""The literal CIBW_ variables in CI workflows. Workflows are not interpreted: their matrix and conditions decide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from crosswheel.cibuildwheel.release import files_in, text_of
from crosswheel.model.adoption import WorkflowValue

_FILES = (
    ".github/workflows/*.y*ml", ".github/actions/*/action.y*ml", ".circleci/config.yml", ".cirrus.y*ml",
    ".gitlab-ci.yml", ".travis.yml", "azure-pipelines*.yml", ".azure-pipelines/*.yml",
)  # fmt: skip
_NAME, _QUOTED = r"(?P<name>CIBW_[A-Z0-9_]+)", r"\"[^\"]*\"|'[^']*'"
_VARIABLES = (
    rf"^[ \t-]*[\"']?{_NAME}[\"']?\s*:[ \t]*(?P<value>.*?)\s*$",
    # YAML in braces
    rf"[{{,]\s*[\"']?{_NAME}[\"']?\s*:\s*(?P<value>{_QUOTED}|(?:\$\{{\{{.*?\}}\}}|[^,}}])*)",
    # a shell's, and what `echo` adds to $GITHUB_ENV
    rf"(?:^|[\s;&]){_NAME}=(?P<value>{_QUOTED}|\S*)",
    rf"(?P<quote>[\"']){_NAME}=(?P<value>.*?)(?P=quote)",
)
_OTHERS = ("_MACOS", "_WINDOWS", "_PYODIDE", "_ANDROID", "_IOS")
_BLOCK = re.compile(r"[|>][+-]?\d?")
_LONGEST = 200  # characters that are shown


def values_in(folder: Path) -> tuple[WorkflowValue, ...]:
    """The variables with a literal value; without expressions such as ``${{ matrix.arch }}``, and other platforms'."""
    return tuple(value for path in files_in(folder, _FILES) for value in _values(path, path.relative_to(folder)))


def _values(path: Path, name: Path) -> Iterator[WorkflowValue]:
    lines = text_of(path).splitlines()
    for at, line in enumerate(lines):
        for match in _variables(line):
            value = match["value"].strip()
            if _BLOCK.fullmatch(value):
                value = " ".join(_block(lines[at + 1 :], _indent(line)))
            if value and "${{" not in value:
                yield WorkflowValue(name.as_posix(), at + 1, match["name"], value.strip("\"'")[:_LONGEST])


def _variables(line: str) -> Iterator[re.Match[str]]:
    if "CIBW_" in line and not line.lstrip().startswith("#"):
        found = chain.from_iterable(re.finditer(pattern, line) for pattern in _VARIABLES)
        yield from (match for match in found if not match["name"].endswith(_OTHERS))


def _block(lines: list[str], indent: int) -> Iterator[str]:
    """The lines of a YAML block scalar: those that are indented further than its key."""
    for line in lines:
        if line.strip() and _indent(line) <= indent:
            return
        if line.strip():
            yield line.strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
