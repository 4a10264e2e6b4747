"""The folder that a search path of the dynamic loader names, relative to site-packages (ld.so(8))."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

_FROM_ORIGIN = re.compile(r"(?:\$ORIGIN|\$\{ORIGIN\})(/.*)?")
# site-packages is PREFIX/lib/python3.13/site-packages: three folders up is the environment, two its folder lib.
_BACK_INSIDE = re.compile(r"(?:\.\./|\.\./\.\./python3[^/]*/|(?:\.\./){3}lib(?:64)?/python3[^/]*/)site-packages(?:/|$)")
_LIB = re.compile(r"(?:\.\./){3}lib(?=/|$)")
_BEYOND = re.compile(r"(?:\.\./){3}\.\.(?:/|$)")


def settled(path: str) -> str:
    """One spelling per folder: a path that goes up and comes back to site-packages, or to lib, is shortened."""
    normal = posixpath.normpath(path)
    return posixpath.normpath(_LIB.sub("../..", _BACK_INSIDE.sub("", normal)) or ".")


def folder_of(path: str, origin: str) -> str | None:
    """The folder that a path names in a binary of the folder `origin`; None if it does not begin with $ORIGIN."""
    match = _FROM_ORIGIN.fullmatch(path)
    return settled(posixpath.join(origin, f".{match[1] or ''}")) if match else None


def folders(paths: Iterable[str], origin: str) -> tuple[str, ...]:
    return tuple(folder for path in paths if (folder := folder_of(path, origin)) is not None)


def stays_in_site_packages(folder: str) -> bool:
    return folder.split("/", maxsplit=1)[0] != ".."


def stays_in_environment(folder: str) -> bool:
    """Whether the folder is below the prefix of the Python environment."""
    return not _BEYOND.match(folder)


def goes_by_name(path: str, origin: str) -> bool:
    """Whether the path leaves site-packages and returns by the folder's name, which differs between Pythons."""
    match = _FROM_ORIGIN.fullmatch(path)
    return bool(match and _BACK_INSIDE.match(posixpath.normpath(posixpath.join(origin, f".{match[1] or ''}"))))


def from_origin(folder: str, origin: str) -> str:
    """The path relative to $ORIGIN from a binary of the folder `origin` to another folder of site-packages."""
    relative = posixpath.relpath(folder, origin or ".")
    return "$ORIGIN" if relative == "." else f"$ORIGIN/{relative}"
