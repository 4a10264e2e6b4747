"""Where a path of the dynamic loader leads, as it is seen from site-packages (ld.so(8))."""

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
    """One spelling for each folder: what goes up and comes back to site-packages, or to the folder lib, goes there."""
    normal = posixpath.normpath(path)
    return posixpath.normpath(_LIB.sub("../..", _BACK_INSIDE.sub("", normal)) or ".")


def folder_of(path: str, origin: str) -> str | None:
    """The folder that a path names in a binary of the folder `origin`; None for one that does not begin at $ORIGIN."""
    match = _FROM_ORIGIN.fullmatch(path)
    return settled(posixpath.join(origin, f".{match[1] or ''}")) if match else None


def folders(paths: Iterable[str], origin: str) -> tuple[str, ...]:
    return tuple(folder for path in paths if (folder := folder_of(path, origin)) is not None)


def stays_in_site_packages(folder: str) -> bool:
    return folder.split("/", maxsplit=1)[0] != ".."


def stays_in_environment(folder: str) -> bool:
    """Whether it lies below the prefix of the Python that the wheel is installed for."""
    return not _BEYOND.match(folder)


def goes_by_name(path: str, origin: str) -> bool:
    """Whether it leaves site-packages and comes back by its name, which not every Python has for that folder."""
    match = _FROM_ORIGIN.fullmatch(path)
    return bool(match and _BACK_INSIDE.match(posixpath.normpath(posixpath.join(origin, f".{match[1] or ''}"))))


def from_origin(folder: str, origin: str) -> str:
    """How a binary of the folder `origin` best names another folder of site-packages."""
    relative = posixpath.relpath(folder, origin or ".")
    return "$ORIGIN" if relative == "." else f"$ORIGIN/{relative}"
