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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from crosswheel.errors import DiskFull, ImageUnavailable
from crosswheel.formats.tars import damages
from crosswheel.images.layers import unpack
from crosswheel.images.layouts import is_archive, open_layout
from crosswheel.images.manifests import BadManifest, Descriptor, Manifest, find_manifest, parse_configuration
from crosswheel.images.references import Reference, parse_reference
from crosswheel.images.registry import NotDelivered, open_registry
from crosswheel.model.job import Listener, Note, Transfer, chore
from crosswheel.model.targets import Architecture
from crosswheel.system.locks import locked, mark_used

FOLDER = "images"

_ABOUT = "image.json"
_ROOT = "root"
_LAYERS = "layers"
_WORK = "archive"
_FINAL = "final"
_TICK = 2 << 20  # bytes between two progress events
_ANOTHER = "--image REPOSITORY:TAG, with an image that exists"


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
        digest = name_of(cache, reference, arch).read_text()
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

    `reference` is REPOSITORY:TAG, REPOSITORY@sha256:DIGEST, or the path of an image on disk (`layouts`), which begins
    with / or ./. `environ` has proxies, certificates and the folder of docker's logins.
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
        draft = cache / FOLDER / f".draft-{name.name}"
        draft.mkdir(parents=True, exist_ok=True)
        mark_used(draft)
        try:
            digest = _make(draft, reference, arch, mirrors, environ, listener)
            _put(draft, _folder(cache, digest))
            name.write_text(digest)
        finally:
            for part in (_ROOT, _WORK):  # layers stay, and are continued next time
                shutil.rmtree(draft / part, ignore_errors=True)
        shutil.rmtree(draft, ignore_errors=True)
    found = find_unpacked(cache, reference, arch)
    if found is None:
        raise ImageUnavailable(f"{reference} was removed from the cache right after it was unpacked")
    return found


# ---- fetching -------------------------------------------------------------------------------------------------


class _Source(Protocol):
    """Where documents and layers come from: a registry or a layout."""

    def configuration(self, wanted: Descriptor) -> bytes: ...

    def layer(self, wanted: Descriptor, folder: Path, arrived: Callable[[int], None], /) -> Path: ...


def _make(
    draft: Path,
    reference: str,
    arch: Architecture,
    mirrors: Sequence[str],
    environ: Mapping[str, str],
    listener: Listener,
) -> str:
    """Fill the draft with the image, and return the digest of its manifest."""
    if is_archive(reference):
        with chore(f"reading {reference}", listener):
            layout = open_layout(reference, draft / _WORK)
            manifest = layout.manifest(arch)
        _fill(draft, reference, arch, layout, manifest, listener)
        return manifest.digest
    wanted = parse_reference(reference)
    failures: dict[str, NotDelivered] = {}
    for source in (*(wanted.at(mirror) for mirror in mirrors), wanted):
        try:
            return _fetch(draft, source, arch, environ, listener)
        except NotDelivered as failure:  # noqa: PERF203 - a registry each
            failures[str(source)] = failure
            if source != wanted:
                listener(Note(f"{source}: {failure}; trying the next registry"))
    raise _nowhere(reference, arch, failures)


def _fetch(draft: Path, source: Reference, arch: Architecture, environ: Mapping[str, str], listener: Listener) -> str:
    """Fill the draft from one registry. Raises NotDelivered."""
    with open_registry(source, environ) as registry:
        try:
            manifest = find_manifest(registry.document, source.digest or source.tag, arch)
            _fill(draft, str(source), arch, registry, manifest, listener)
        except BadManifest as error:
            raise NotDelivered(f"{source.host} has the wrong image: {error}", _ANOTHER) from error
    return manifest.digest


def _fill(draft: Path, what: str, arch: Architecture, source: _Source, manifest: Manifest, listener: Listener) -> None:
    about = parse_configuration(source.configuration(manifest.configuration))
    if about.arch != arch:
        raise BadManifest(f"it is for {about.arch or 'an architecture without a name in wheel tags'}, not for {arch}")
    files = _layers(draft / _LAYERS, what, source, manifest, listener)
    with chore(f"unpacking {what}", listener):
        unpack(files, draft / _ROOT)
    facts = {"digest": manifest.digest, "environ": dict(about.environ), "entrypoint": about.entrypoint}
    (draft / _ABOUT).write_text(json.dumps(facts))


def _layers(folder: Path, what: str, source: _Source, manifest: Manifest, listener: Listener) -> list[Path]:
    """The files of the layers, from the lowest to the highest."""
    folder.mkdir(exist_ok=True)
    total, before, told = manifest.size, 0, -_TICK

    def arrived(size: int) -> None:
        nonlocal told
        if before + size - told >= _TICK:
            told = before + size
            listener(Transfer(what, told, total))

    files = []
    for layer in manifest.layers:
        files.append(source.layer(layer, folder, arrived))
        before += layer.size
    listener(Transfer(what, total, total))
    return files


def _put(draft: Path, place: Path) -> None:
    """Move the finished image to its place; another reference may have brought the same one meanwhile."""
    final = draft / _FINAL
    final.mkdir(exist_ok=True)
    for part in (_ABOUT, _ROOT):
        (draft / part).rename(final / part)
    try:
        final.rename(place)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        shutil.rmtree(final)


def _nowhere(reference: str, arch: Architecture, failures: Mapping[str, NotDelivered]) -> ImageUnavailable:
    """The error after all registries failed; the last one is the image's own."""
    *_, own = failures.values()
    reasons = f" {own}"
    if len(failures) > 1:
        reasons = "".join(f"\n  {name}: {failure}" for name, failure in failures.items())
    return ImageUnavailable(f"{reference} is not available for {arch}:{reasons}", hint=own.hint)


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
        raise ImageUnavailable(f"{reference} cannot be unpacked: {error}", hint=_ANOTHER) from error
    except damages() as error:
        raise ImageUnavailable(f"{reference} cannot be unpacked: {error}", hint=_ANOTHER) from error


# ---- the cache ------------------------------------------------------------------------------------------------


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
    return cache / FOLDER / "references" / key
