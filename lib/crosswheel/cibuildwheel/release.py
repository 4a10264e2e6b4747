"""The release of cibuildwheel that a project uses, as its files name it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from crosswheel.model.targets import load_table

_LARGEST = 1 << 18  # bytes of a file that is searched

# Where projects pin it: CI, then requirement files.
_FILES = (
    ".github/workflows/*.y*ml", ".github/actions/*/action.y*ml", ".circleci/config.yml", ".cirrus.y*ml",
    ".gitlab-ci.yml", ".travis.yml", "azure-pipelines*.yml", ".azure-pipelines/*.yml", "ci/*", "tools/ci/*",
    "*requirements*.txt", "requirements/*", ".github/*.txt", ".github/requirements/*", "ci/requirements/*",
    "noxfile.py", "tox.ini", "pyproject.toml",
)  # fmt: skip

# pypa/cibuildwheel@v3.1.4, pypa/cibuildwheel@<commit> # v3.1.4, and cibuildwheel==3.1.4.
_PIN = re.compile(
    r"pypa/cibuildwheel@(?:[0-9a-f]{40}\s*#\s*)?v?(?P<action>\d+(?:\.\d+)*)(?![\w.])|cibuildwheel(?:\[\w+\])?\s*==\s*(?P<pip>\d[\w.]*)"
)
_COMPLETE = 3  # numbers of a version that names one release


@dataclass(frozen=True)
class Release:
    """A release: `specifier` as in PEP 440, and the project's file that names it; empty for crosswheel's choice."""

    specifier: str
    pinned_in: str = ""


def release_of(folder: Path) -> Release:
    """The newest release that the project's files pin; without any, the newest that crosswheel knows."""
    pins = list(_pins(folder))
    if not pins:
        return Release(f"=={load_table('cibuildwheel.toml')['version']}")
    version, file = max(pins, key=lambda pin: pin[0])
    # The action's tags v3 and v3.1 move: they mean the newest release of that series.
    text = str(version)
    return Release(f"=={text}" if len(version.release) >= _COMPLETE else f"=={text}.*", file)


def _pins(folder: Path) -> Iterator[tuple[Version, str]]:
    for path in files_in(folder, _FILES):
        for match in _PIN.finditer(text_of(path)):
            with suppress(InvalidVersion):
                yield Version(match["action"] or match["pip"]), path.relative_to(folder).as_posix()


def files_in(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """The files that match, in the order of the patterns; no links, which could lead out of the project."""
    for pattern in patterns:
        yield from (path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.is_symlink())


def text_of(path: Path) -> str:
    """The text of a small file; empty if it cannot be read."""
    try:
        return "" if path.stat().st_size > _LARGEST else path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
