"""Files of constraints, in pip's requirements format (pip.pypa.io/en/stable/reference/requirements-file-format)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)[\s=]*(?P<path>\S.*)")
_COMMENT = re.compile(r"(^|\s)#.*")
_DEEPEST = 10


def constraint_lines(path: Path, project: Path) -> Iterator[str]:
    """The lines of a file, and in their places those of the files that it includes; without comments.

    What it includes lies in its folder or in `project`: a project from elsewhere must not read this machine's files.
    Raises OSError, also for other files and for files that include each other, and UnicodeDecodeError.
    """
    return _lines(path, (path.resolve().parent, project.resolve()), 0)


def _lines(path: Path, folders: tuple[Path, ...], depth: int) -> Iterator[str]:
    if depth == _DEEPEST:
        raise OSError(f"more than {_DEEPEST} files include each other")
    if not any(path.resolve().is_relative_to(folder) for folder in folders):
        raise OSError(f"{path} is outside of the project")
    for line in path.read_text(encoding="utf-8-sig").replace("\\\n", " ").splitlines():
        text = _COMMENT.sub("", line).strip()
        if include := _INCLUDE.fullmatch(text):
            yield from _lines(path.parent / include["path"], folders, depth + 1)
        elif text:
            yield text
