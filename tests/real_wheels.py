"""Real wheels of the package index, pinned by real_wheels.toml: fetched once, checked by hash, and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from packaging.utils import parse_wheel_filename

from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import read_pip_settings
from crosswheel.system.process import Processes

_PINNED = Path(__file__).with_name("real_wheels.toml")
_AT_A_TIME = 6


def pinned() -> dict[str, str]:
    """The sha256 of every wheel, by its file name."""
    pins: dict[str, str] = tomllib.loads(_PINNED.read_text())
    return pins


def fetched(cache: Path, names: Collection[str] | None = None) -> list[Path]:
    """The pinned wheels of these names, or all, as files.

    For those that are not there yet the index is asked, and may be unreachable.
    """
    index = Index(read_pip_settings(Processes(), os.environ), cache)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        chosen = (pin for pin in pinned().items() if names is None or pin[0] in names)
        return list(pool.map(lambda pin: _fetch(index, *pin), chosen))


def download(cache: Path, name: str, sha256: str) -> Path:
    """One wheel that is not in the list, such as a large one. Raises IndexUnreachable."""
    return _fetch(Index(read_pip_settings(Processes(), os.environ), cache), name, sha256)


def _fetch(index: Index, name: str, sha256: str) -> Path:
    kept = (path for path in index.kept(name) if path.parent.name == sha256)
    return next(kept, None) or _download(index, name, sha256)


def _download(index: Index, name: str, sha256: str) -> Path:
    project = parse_wheel_filename(name)[0]
    (package,) = (package for package in index.files_of(project) if package.filename == name)
    return index.fetch(package, sha256)
