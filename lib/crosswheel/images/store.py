"""Unpacked images in the user's cache, which all projects share.

The cache has a folder per image, named by the sha256 of its manifest::

    images/HEX/image.json          what the image's configuration says
    images/HEX/root/               its files
    images/references/HEX          which manifest a reference means for an architecture

A folder appears under its name when it is complete, and is never written to afterwards.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from crosswheel.errors import ImageUnavailable
from crosswheel.model.job import Listener
from crosswheel.model.targets import Architecture
from crosswheel.system.locks import mark_used

FOLDER = "images"

_ABOUT = "image.json"
_ROOT = "root"


@dataclass(frozen=True)
class UnpackedImage:
    """An image whose files lie in a folder of this machine; the folder is never written to after unpacking.

    `digest` is that of its manifest, ``sha256:...``. Symbolic links in `root` are relative, so they stay inside.
    `environ` and `entrypoint` are from the image's configuration.
    """

    reference: str
    digest: str
    arch: Architecture
    root: Path
    environ: Mapping[str, str]
    entrypoint: tuple[str, ...]


def find_unpacked(cache: Path, reference: str, arch: Architecture) -> UnpackedImage | None:
    """The image if the cache has it completely, which counts as a use; None otherwise. It asks no registry."""
    try:
        digest = _name_of(cache, reference, arch).read_text()
        folder = _folder(cache, digest)
        about = json.loads((folder / _ABOUT).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    mark_used(folder)
    return UnpackedImage(
        reference=reference,
        digest=digest,
        arch=arch,
        root=folder / _ROOT,
        environ=MappingProxyType(about["environ"]),
        entrypoint=tuple(about["entrypoint"]),
    )


def ensure_unpacked(
    cache: Path,
    reference: str,
    arch: Architecture,
    *,
    mirrors: Sequence[str],
    offline: bool,
    listener: Listener,
    environ: Mapping[str, str] = os.environ,
) -> UnpackedImage:
    """The image, fetched and unpacked if the cache lacks it: from the mirrors in order, then from its own registry.

    `reference` is REPOSITORY:TAG, REPOSITORY@sha256:DIGEST, or the path of an archive that `docker save` wrote or of
    an OCI layout. `environ` has proxies, certificates and the folder of docker's logins.
    Raises ImageUnavailable, DiskFull and UsageError.
    """
    image = find_unpacked(cache, reference, arch)
    if image:
        return image
    del mirrors, offline, listener, environ  # the registry's client comes next
    raise ImageUnavailable(f"{reference} is not unpacked for {arch}, and nothing can fetch it yet")


def _folder(cache: Path, digest: str) -> Path:
    return cache / FOLDER / digest.removeprefix("sha256:")


def _name_of(cache: Path, reference: str, arch: Architecture) -> Path:
    """The file that names the manifest of a reference for an architecture."""
    key = hashlib.sha256(f"{reference}\0{arch}".encode()).hexdigest()
    return cache / FOLDER / "references" / key
