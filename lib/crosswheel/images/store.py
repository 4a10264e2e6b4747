"""Unpacked images in the user's cache, which all projects share.

The cache has a folder per image, named by the sha256 of its manifest::

    images/HEX/image.json          what the image's configuration says
    images/HEX/root/               its files
    images/references/HEX          which manifest a reference means for an architecture

A folder appears under its name when it is complete, and is never written to afterwards.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from crosswheel.errors import DiskFull, ImageUnavailable
from crosswheel.formats.tars import damages
from crosswheel.images.delivery import ABOUT, LAYERS, ROOT, WORK, deliver
from crosswheel.images.failures import ANOTHER, NotDelivered
from crosswheel.images.layouts import is_archive
from crosswheel.model.job import Listener
from crosswheel.model.targets import Architecture
from crosswheel.system.locks import locked, mark_used, put

FOLDER = "images"

Silent: TypeAlias = dict[str, NotDelivered]
"""By host, the registries that did not answer."""

_FINAL = "final"
_NAMES = "references"


@dataclass(frozen=True)
class UnpackedImage:
    """An image whose files lie in a folder of this machine; the folder is never written to after unpacking.

    `digest` is that of its manifest, ``sha256:...``. Symbolic links in `root` are relative, so they stay inside.
    `environ` and `entrypoint` are from the image's configuration. `size` are the bytes of its files.
    """

    reference: str
    digest: str
    arch: Architecture
    root: Path
    environ: Mapping[str, str]
    entrypoint: tuple[str, ...]
    size: int = 0


def find_unpacked(cache: Path, reference: str, arch: Architecture) -> UnpackedImage | None:
    """The image if the cache has it completely, which counts as a use; None otherwise. It asks no registry."""
    try:
        digest = name_of(cache, reference, arch).read_text()
        folder = _folder(cache, digest)
        about = json.loads((folder / ABOUT).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    mark_used(folder)
    return UnpackedImage(
        reference=reference,
        digest=digest,
        arch=arch,
        root=folder / ROOT,
        environ=MappingProxyType(about["environ"]),
        entrypoint=tuple(about["entrypoint"]),
        size=about.get("size", 0),
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
    silent: Silent | None = None,
) -> UnpackedImage:
    """The image, fetched and unpacked if the cache lacks it: from the mirrors in order, then from its own registry.

    `reference` is REPOSITORY:TAG, REPOSITORY@sha256:DIGEST, or the path of an image on disk (`layouts`), which begins
    with / or ./. `environ` has proxies, certificates and the folder of docker's logins. `silent` remembers the
    registries that do not answer: they are asked once for all images.
    Raises ImageUnavailable, DiskFull and UsageError.
    """
    image = find_unpacked(cache, reference, arch)
    if image:
        return image
    if offline and not is_archive(reference):
        raise ImageUnavailable(
            f"{reference} is not unpacked for {arch}, and --offline forbids fetching it",
            hint="run the same command once without --offline",
        )
    name = name_of(cache, reference, arch)
    with _explaining(cache, reference), locked(name.with_suffix(".lock")):
        if image := find_unpacked(cache, reference, arch):
            return image  # another run has made it meanwhile
        with _drafting(cache / FOLDER / f".draft-{name.name}") as draft:
            digest = deliver(draft, reference, arch, mirrors, environ, listener, {} if silent is None else silent)
            _put(draft, _folder(cache, digest))
            name.write_text(digest)
            shutil.rmtree(draft / LAYERS, ignore_errors=True)
    found = find_unpacked(cache, reference, arch)
    if found is None:
        raise ImageUnavailable(f"{reference} was removed from the cache right after it was unpacked")
    return found


@contextmanager
def _drafting(draft: Path) -> Iterator[Path]:
    """The folder of an image in the making. Only layers stay in it after a failure, and are continued next time."""

    def clear() -> None:
        for part in (ROOT, WORK, _FINAL):  # also of a run that was killed
            shutil.rmtree(draft / part, ignore_errors=True)

    draft.mkdir(parents=True, exist_ok=True)
    mark_used(draft)
    clear()
    try:
        yield draft
    finally:
        clear()
        (draft / ABOUT).unlink(missing_ok=True)
        for empty in (draft / LAYERS, draft):
            with suppress(OSError):
                empty.rmdir()


def _put(draft: Path, place: Path) -> None:
    """Move the finished image to its place; another reference may have brought the same one meanwhile."""
    final = draft / _FINAL
    final.mkdir(exist_ok=True)
    for part in (ABOUT, ROOT):
        (draft / part).rename(final / part)
    if not (place / ABOUT).is_file():
        put(final, place)


@contextmanager
def _explaining(cache: Path, reference: str) -> Iterator[None]:
    """Raise what layers, archives and the disk can cause as our errors."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(
                f"no space left in {cache} to unpack {reference}",
                hint="crosswheel cache, to see what is there; or set CROSSWHEEL_CACHE to a folder on a larger disk",
            ) from error
        raise ImageUnavailable(f"{reference} cannot be unpacked: {error}", hint=ANOTHER) from error
    except damages() as error:
        raise ImageUnavailable(f"{reference} cannot be unpacked: {error}", hint=ANOTHER) from error


# ---- the cache ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """A thing of this cache: an image, a draft of one (`what` is empty), or a name that means a removed image."""

    place: Path
    what: str


def kept_images(cache: Path) -> Iterator[Kept]:
    """Every image of the cache, and what is left of others."""
    for folder in (cache / FOLDER).glob("*"):
        if folder.name.startswith("."):
            yield Kept(folder, "")
        elif folder.name != _NAMES:
            with suppress(OSError, ValueError):
                yield Kept(folder, json.loads((folder / ABOUT).read_text()).get("reference", folder.name))
    for name in (cache / FOLDER / _NAMES).glob("*"):
        if name.suffix != ".lock" and not _folder(cache, name.read_text()).exists():
            yield Kept(name, "")


def _folder(cache: Path, digest: str) -> Path:
    return cache / FOLDER / digest.removeprefix("sha256:")


def name_of(cache: Path, reference: str, arch: Architecture) -> Path:
    """The file that names the manifest of a reference for an architecture; for an image on disk, as it is now."""
    parts = [reference, str(arch)]
    if is_archive(reference):
        path = Path(reference).absolute()
        parts[0] = str(path)
        with suppress(OSError):
            found = (path / "index.json" if path.is_dir() else path).stat()
            parts += [str(found.st_size), str(found.st_mtime_ns)]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return cache / FOLDER / _NAMES / key
