"""A channel in a folder: a folder per subdir with packages and repodata.json (CEP 36)."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crosswheel.conda_packages.archives import read_info
from crosswheel.errors import CheckFailed

NOARCH = "noarch"


def write_repodata(channel: Path) -> tuple[Path, ...]:
    """Write repodata.json for every subdir that has packages, and for noarch, which each client reads.

    All packages of the folders are listed, also those of earlier runs and of other tools. Raises CheckFailed for a
    package that cannot be read.
    """
    folders = {path.parent for pattern in ("*/*.conda", "*/*.tar.bz2") for path in channel.glob(pattern)}
    return tuple(_write(folder) for folder in sorted({*folders, channel / NOARCH}))


def _write(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "info": {"subdir": folder.name},
        "packages": {path.name: _entry(path) for path in sorted(folder.glob("*.tar.bz2"))},
        "packages.conda": {path.name: _entry(path) for path in sorted(folder.glob("*.conda"))},
        "removed": [],
        "repodata_version": 1,
    }
    path = folder / "repodata.json"
    draft = folder / f".repodata.{secrets.token_hex(4)}"
    try:
        draft.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", "utf-8")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _entry(path: Path) -> Mapping[str, Any]:
    """The package's index.json, with its size and hashes."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha256.update(block)
            md5.update(block)
    digests = {"sha256": sha256.hexdigest(), "md5": md5.hexdigest(), "size": path.stat().st_size}
    return {**_index(path), **digests}


def _index(path: Path) -> Mapping[str, Any]:
    name = "info/index.json"
    try:
        index: Mapping[str, Any] = json.loads(read_info(path, {name})[name])
    except (KeyError, ValueError) as error:
        raise CheckFailed(f"{path} is no conda package: it has no valid {name}", hint=f"rm {path}") from error
    return index
