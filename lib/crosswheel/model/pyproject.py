"""Reads a project's pyproject.toml with limits, because it is not trusted."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from crosswheel.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same library under its older name
    import tomli as tomllib


def tool_names(project: Path) -> frozenset[str]:
    """The names of the tables below [tool] in a project's pyproject.toml."""
    path = project / "pyproject.toml"
    tool = read_toml(path).get("tool", {}) if path.is_file() else {}
    return frozenset(tool) if isinstance(tool, dict) else frozenset()


def project_name(project: Path) -> str:
    """The normalised name of the project in a folder that has a table [tool.crosswheel]; otherwise empty."""
    return declared_name(project) if "crosswheel" in tool_names(project) else ""


def declared_name(project: Path) -> str:
    """The normalised project name in pyproject.toml; empty if the file or the name is missing."""
    from packaging.utils import canonicalize_name

    path = project / "pyproject.toml"
    metadata = read_toml(path).get("project", {}) if path.is_file() else {}
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return canonicalize_name(name) if isinstance(name, str) else ""


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file. Raises UsageError, also for a file that is too large or nested too deeply."""
    too_deep = UsageError(f"{path} cannot be read: it is nested too deeply", hint=f"correct {path.name}")
    try:
        text = read_settings(path)
        if not _ENDLESS_KEY.search(text):
            return tomllib.loads(text)
    except RecursionError:
        raise too_deep from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", hint=f"correct {path.name}") from error
    raise too_deep


_LARGEST_SETTINGS = 1 << 20
# Parsers need quadratic time for keys with many parts: `a.a.a` and so on.
_ENDLESS_KEY = re.compile(r"(?:[^\s.=]{1,64}[ \t]*\.[ \t]*){100}")


def read_settings(path: Path) -> str:
    """The text of a settings file. Raises UsageError if it is too large, UnicodeDecodeError."""
    with path.open("rb") as file:
        data = file.read(_LARGEST_SETTINGS + 1)
    if len(data) > _LARGEST_SETTINGS:
        raise UsageError(
            f"{path} cannot be read: it is larger than the limit of {_LARGEST_SETTINGS} bytes", hint=f"ls -l {path}"
        )
    return data.decode("utf-8")


def crosswheel_table(project: Path, mistakes: list[str]) -> dict[str, Any]:
    path = project / "pyproject.toml"
    if not path.is_file():
        return {}
    tool = read_toml(path).get("tool", {})
    table = tool.get("crosswheel", {}) if isinstance(tool, dict) else tool
    if isinstance(table, dict):
        return table
    mistakes.append(f"[tool.crosswheel] must be a table, not {table!r}")
    return {}
